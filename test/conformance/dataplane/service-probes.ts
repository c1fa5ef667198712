/** What every back end of the service proxy guarantees for dials to services. Run over each of them. */
import { describe, expect, test } from 'vitest';
import type { NetworkPolicySpec } from '../../../src/api/types/networking.ts';
import type { ServicePort } from '../../../src/netpolicy/service-map.ts';
import type { Dial, Outcome } from './pod-programs.ts';

/** A running back end with three pods on one node that answer their names on 8080 over TCP and UDP. */
export interface ServiceRig {
  readonly addresses: Readonly<Record<'a' | 'b' | 'c', string>>;
  /** Addresses free for services. */
  readonly services: readonly [string, string];
  enforce(policies: readonly NetworkPolicySpec[]): Promise<void>;
  serve(services: readonly ServicePort[]): Promise<void>;
  dial(from: 'a' | 'b' | 'c', dial: Dial): Promise<{ readonly outcome: Outcome; readonly who: string }>;
}

export function serviceProbes(rig: () => ServiceRig): void {
  const port = (
    address: string,
    number: number,
    protocol: 'TCP' | 'UDP',
    ...pods: ('a' | 'b' | 'c')[]
  ): ServicePort => ({
    name: 'x/s:',
    address,
    protocol,
    port: number,
    endpoints: pods.map((pod) => ({ address: rig().addresses[pod], port: 8080 })),
  });
  const outcome = async (
    from: 'a' | 'b' | 'c',
    protocol: 'TCP' | 'UDP',
    number: number,
    at: 0 | 1 = 0,
  ): Promise<Outcome> => (await rig().dial(from, { to: rig().services[at], port: number, protocol })).outcome;
  const onlyFromA: NetworkPolicySpec = {
    podSelector: { matchLabels: { name: 'b' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { name: 'a' } } }] }],
  };

  describe('service probes', () => {
    test('a service leads to all of its endpoints', async () => {
      await rig().enforce([]);
      await rig().serve([port(rig().services[0], 7080, 'TCP', 'b', 'c')]);
      const seen = new Set<string>();
      for (let i = 0; i < 12; i++)
        seen.add((await rig().dial('a', { to: rig().services[0], port: 7080, protocol: 'TCP' })).who);
      expect([...seen].toSorted()).toEqual(['b', 'c']);
    });

    test('UDP is relayed both ways', async () => {
      await rig().enforce([]);
      await rig().serve([port(rig().services[0], 7053, 'UDP', 'b')]);
      expect(await rig().dial('a', { to: rig().services[0], port: 7053, protocol: 'UDP' })).toEqual({
        outcome: 'answered',
        who: 'b',
      });
    });

    test('a service without endpoints is refused, and so is one that was taken away', async () => {
      await rig().enforce([]);
      await rig().serve([port(rig().services[0], 7080, 'TCP'), port(rig().services[1], 7080, 'TCP', 'b')]);
      expect([await outcome('a', 'TCP', 7080), await outcome('a', 'TCP', 7080, 1)]).toEqual(['refused', 'answered']);
      await rig().serve([port(rig().services[1], 7080, 'TCP')]);
      expect(await outcome('a', 'TCP', 7080, 1)).toBe('refused');
    });

    test('the original client is judged: whom no policy admits gets no answer, over TCP and UDP, until the policy is gone', async () => {
      await rig().enforce([onlyFromA]);
      await rig().serve([port(rig().services[0], 7080, 'TCP', 'b'), port(rig().services[0], 7053, 'UDP', 'b')]);
      for (const [protocol, number] of [
        ['TCP', 7080],
        ['UDP', 7053],
      ] as const) {
        expect(await outcome('a', protocol, number)).toBe('answered');
        expect(await outcome('c', protocol, number)).not.toBe('answered');
      }
      await rig().enforce([]);
      expect(await outcome('c', 'TCP', 7080)).toBe('answered');
    });

    test('egress is judged by the endpoint and its port, not by the service', async () => {
      await rig().serve([port(rig().services[0], 7080, 'TCP', 'b')]);
      const egress = (number: number): NetworkPolicySpec => ({
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [{ ports: [{ port: number }] }],
      });
      await rig().enforce([egress(7080)]);
      expect(await outcome('a', 'TCP', 7080)).not.toBe('answered');
      await rig().enforce([egress(8080)]);
      expect(await outcome('a', 'TCP', 7080)).toBe('answered');
    });

    test('a pod reaches itself through its service, whatever isolates it', async () => {
      await rig().serve([port(rig().services[0], 7080, 'TCP', 'b')]);
      await rig().enforce([{ podSelector: {}, policyTypes: ['Ingress', 'Egress'] }]);
      expect([await outcome('b', 'TCP', 7080), (await outcome('a', 'TCP', 7080)) === 'answered']).toEqual([
        'answered',
        false,
      ]);
      await rig().enforce([]);
    });
  });
}
