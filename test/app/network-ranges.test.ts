import { describe, expect, test } from 'vitest';
import { networkRanges } from '../../src/app/network-ranges.ts';
import type { IsolationKind } from '../../src/app/network-ranges.ts';

interface Row {
  readonly guarantees: string;
  readonly isolation?: IsolationKind;
  readonly asked: { readonly clusterCidr?: string; readonly serviceCidr?: string };
  readonly pods?: string;
  readonly refused?: string;
}

function outcome(decide: () => string): string {
  try {
    return decide();
  } catch (error) {
    return String(error);
  }
}

describe('ranges of addresses', () => {
  test('pods with networks of their own get private ranges, pods without get loopback', () => {
    expect(networkRanges('auto', {})).toEqual({ pods: '10.244.0.0/16', services: '10.96.0.0/16' });
    expect(networkRanges('none', {})).toEqual({ pods: '127.244.0.0/16', services: '127.96.0.0/16' });
  });

  test.for<Row>([
    { guarantees: 'other private ranges are taken', asked: { clusterCidr: '10.1.0.0/16' }, pods: '10.1.0.0/16' },
    {
      guarantees: 'other loopback ranges are taken',
      isolation: 'none',
      asked: { clusterCidr: '127.9.0.0/16' },
      pods: '127.9.0.0/16',
    },
    {
      guarantees: 'loopback is refused where each pod has its own',
      asked: { serviceCidr: '127.9.0.0/16' },
      refused: 'loopback',
    },
    {
      guarantees: 'a range that is not this machine is refused without isolation',
      isolation: 'none',
      asked: { clusterCidr: '10.1.0.0/16' },
      refused: '127.0.0.0/8',
    },
    {
      guarantees: 'the addresses that programs of the machine use are refused',
      isolation: 'none',
      asked: { serviceCidr: '127.0.0.0/16' },
      refused: 'listen on',
    },
    { guarantees: 'ranges that overlap are refused', asked: { clusterCidr: '10.96.4.0/22' }, refused: 'overlap' },
  ])('$guarantees', ({ isolation = 'auto', asked, pods, refused }) => {
    const decided = outcome(() => networkRanges(isolation, asked).pods);
    expect(decided).toMatch(pods ?? refused ?? '');
  });
});
