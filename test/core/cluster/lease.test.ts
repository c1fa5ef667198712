import { afterEach, describe, expect, test } from 'vitest';
import { unavailable } from '../../../src/api/status.ts';
import { runElection } from '../../../src/core/cluster/lease.ts';
import { leases } from '../../../src/core/cluster/resource-ref.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { testCluster } from '../../support/cluster.ts';
import type { TestCluster } from '../../support/cluster.ts';

const at = { namespace: 'kube-system', name: 'controllers' };
// A dead holder is followed within this, and never before its own deadline to stop.
const [takeoverMs, stopMs, retryMs] = [15_000, 8_000, 1_500];

interface Term {
  readonly who: string;
  readonly from: number;
  to: number | undefined;
}

interface Election extends TestCluster {
  /** Every term of leadership, in the order they began. */
  readonly terms: readonly Term[];
  readonly leading: () => readonly string[];
  join(who: string, lead?: (signal: AbortSignal) => Promise<void>): { stop(): Promise<void> };
}

const stops: AbortController[] = [];

afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });

async function election(): Promise<Election> {
  const cluster = await testCluster();
  const terms: Term[] = [];
  return {
    ...cluster,
    terms,
    leading: () => terms.filter(({ to }) => to === undefined).map(({ who }) => who),
    join: (who, lead = aborted) => {
      const stop = new AbortController();
      stops.push(stop);
      const options = { ...at, client: cluster.client(who), identity: who, clock: cluster.clock, log: silentLogger };
      const ended = runElection(
        {
          ...options,
          lead: async (signal) => {
            const term: Term = { who, from: cluster.clock.monotonic(), to: undefined };
            terms.push(term);
            try {
              await lead(signal);
            } finally {
              term.to = cluster.clock.monotonic();
            }
          },
        },
        stop.signal,
      );
      return {
        stop: async () => {
          stop.abort();
          await ended;
        },
      };
    },
  };
}

/** From now on no request of `who` is answered: refused at once, or left hanging until the caller gives up. */
function cutOff(e: Election, who: string, how: 'refused' | 'hanging', methods = ['GET', 'PUT', 'POST']): void {
  e.fault.before = async ({ userAgent, method }, signal) => {
    if (userAgent !== who || !methods.includes(method)) return;
    if (how === 'refused') throw unavailable('cut off');
    await aborted(signal);
  };
}

function expectNeverTwo(terms: readonly Term[]): void {
  const overlaps = terms.filter(({ from }, index) => {
    const before = terms[index - 1];
    return before !== undefined && (before.to ?? Number.POSITIVE_INFINITY) > from;
  });
  expect(overlaps).toEqual([]);
}

describe('leader election', () => {
  test('of several candidates that begin at once exactly one leads, for as long as it renews', async () => {
    const e = await election();
    for (const who of ['a', 'b', 'c']) e.join(who);
    await e.advance(120_000);
    expect(e.terms).toHaveLength(1);
    expect(e.leading()).toHaveLength(1);
    expect((await e.admin.get(leases, at)).spec.holderIdentity).toBe(e.leading()[0]);
  });

  test.for(['refused', 'hanging'] as const)(
    'a holder whose requests are %s stops by itself before another leads, within 15 s',
    async (how) => {
      const e = await election();
      e.join('a');
      await e.settle();
      e.join('b');
      await e.advance(31_000);
      expect(e.leading()).toEqual(['a']);
      const cut = e.clock.monotonic();
      cutOff(e, 'a', how);
      await e.until('b leads', () => e.leading().includes('b'), takeoverMs);
      const [a, b] = e.terms;
      expect(e.terms.map(({ who }) => who)).toEqual(['a', 'b']);
      expectNeverTwo(e.terms);
      expect((a?.to ?? 0) - cut).toBeLessThanOrEqual(stopMs);
      expect((b?.from ?? 0) - cut).toBeGreaterThan(stopMs);
    },
  );

  test('a renewal of which only the write hangs does not keep the holder leading', async () => {
    const e = await election();
    e.join('a');
    await e.settle();
    e.join('b');
    await e.advance(5_000);
    cutOff(e, 'a', 'hanging', ['PUT']);
    await e.until('b leads', () => e.leading().includes('b'), takeoverMs);
    expectNeverTwo(e.terms);
    e.fault.before = undefined;
    await e.advance(60_000);
    expect(e.leading()).toEqual(['b']);
  });

  test('a short outage of the gateway changes no leader', async () => {
    const e = await election();
    e.join('a');
    await e.settle();
    e.join('b');
    await e.advance(5_000);
    e.fault.before = () => {
      throw unavailable('restarting');
    };
    await e.advance(5_000);
    e.fault.before = undefined;
    await e.advance(60_000);
    expect(e.terms).toHaveLength(1);
    expect(e.leading()).toEqual(['a']);
  });

  test('one that stops gives the lease back: the next leads with its next look, and the transition is counted', async () => {
    const e = await election();
    const a = e.join('a');
    await e.settle();
    e.join('b');
    await e.advance(5_000);
    await a.stop();
    expect((await e.admin.get(leases, at)).spec.holderIdentity ?? '').toBe('');
    await e.advance(retryMs);
    expect(e.leading()).toEqual(['b']);
    expectNeverTwo(e.terms);
    expect((await e.admin.get(leases, at)).spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  test('one whose work fails gives the lease back, and leads again when nobody else does', async () => {
    const e = await election();
    let failures = 0;
    e.join('a', async (signal) => {
      if (failures++ < 2) throw new Error('out of luck');
      await aborted(signal);
    });
    await e.advance(10_000);
    expect(e.terms).toHaveLength(3);
    expect(e.leading()).toEqual(['a']);
  });

  test('candidates whose clocks disagree by an hour still lead one at a time', async () => {
    const e = await election();
    e.join('a');
    await e.settle();
    const lease = await e.admin.get(leases, at);
    const clock = { ...e.clock, now: () => e.clock.now() + 3_600_000 };
    const stop = new AbortController();
    stops.push(stop);
    let led = false;
    const lead = async (): Promise<void> => {
      led = true;
    };
    const options = { ...at, client: e.client('late'), identity: 'late', clock, log: silentLogger, lead };
    void runElection(options, stop.signal);
    await e.advance(60_000);
    expect(led).toBe(false);
    expect(e.leading()).toEqual([lease.spec.holderIdentity]);
  });
});
