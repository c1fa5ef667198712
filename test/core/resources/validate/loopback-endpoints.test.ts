import { describe, expect, test } from 'vitest';
import { findType } from '../../../../src/api/schema/kinds.ts';
import { causesOfCreate } from '../../../../src/core/resources/validate/object.ts';

interface Row {
  readonly guarantees: string;
  readonly address: string;
  readonly loopbackPods: readonly string[];
  readonly refused: boolean;
}

const rows: readonly Row[] = [
  { guarantees: 'loopback is refused', address: '127.244.0.2', loopbackPods: [], refused: true },
  {
    guarantees: 'a pod address on loopback is taken where pods have such',
    address: '127.244.0.2',
    loopbackPods: ['127.244.0.0/16'],
    refused: false,
  },
  {
    guarantees: 'other loopback addresses are refused there, too',
    address: '127.0.0.1',
    loopbackPods: ['127.244.0.0/16'],
    refused: true,
  },
  {
    guarantees: 'loopback of IPv6 is refused there, too',
    address: '::1',
    loopbackPods: ['127.244.0.0/16'],
    refused: true,
  },
  {
    guarantees: 'loopback in IPv6 clothes is refused there, too',
    address: '::ffff:127.244.0.2',
    loopbackPods: [],
    refused: true,
  },
];

describe('endpoints on loopback', () => {
  test.for(rows)('$guarantees', ({ address, loopbackPods, refused }) => {
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'api', namespace: 'shop' },
      addressType: 'IPv4',
      endpoints: [{ addresses: [address] }],
    };
    const endpoints = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'api', namespace: 'shop' },
      subsets: [{ addresses: [{ ip: address }] }],
    };
    for (const [group, resource, object] of [
      ['discovery.k8s.io', 'endpointslices', slice],
      ['', 'endpoints', endpoints],
    ] as const) {
      const type = findType(group, 'v1', resource);
      if (type === undefined) throw new Error(`${resource} is not served`);
      const causes = causesOfCreate(type, object, { loopbackPods });
      expect({ resource, refused: causes.length > 0 }).toEqual({ resource, refused });
    }
  });
});
