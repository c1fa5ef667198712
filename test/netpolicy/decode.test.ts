import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/api/meta.ts';
import { decodeNodeAllowList, decodePeerSetSlice } from '../../src/netpolicy/decode.ts';
import { compileAllowLists } from '../../src/netpolicy/plan.ts';
import { applyChange, emptyWorld, randomChange, seeded } from './support/world.ts';

const random = seeded(5);
const world = emptyWorld();
for (let i = 0; i < 120; i++) applyChange(world, randomChange(random));
const compiled = compileAllowLists([...world.namespaces, ...world.nodes, ...world.policies, ...world.pods]);

const slice: KubeObject = {
  apiVersion: 'netpolicy.gatehouse.dev/v1',
  kind: 'PeerSetSlice',
  metadata: { name: 's' },
  spec: { peerSet: `p${'0'.repeat(32)}`, addresses: ['10.0.0.1'] },
};
const list: KubeObject = {
  apiVersion: 'netpolicy.gatehouse.dev/v1',
  kind: 'NodeAllowList',
  metadata: { name: 'n1' },
  spec: { nodeAddresses: [], pods: [], policySets: [], peerSets: [] },
};

describe('allow-list objects off the wire', () => {
  test('everything that the compiler writes can be read', () => {
    for (const one of compiled.lists)
      expect(decodeNodeAllowList(JSON.parse(JSON.stringify(one)) as KubeObject)).toEqual(one);
    for (const one of compiled.slices)
      expect(decodePeerSetSlice(JSON.parse(JSON.stringify(one)) as KubeObject)).toEqual(one);
    expect(compiled.lists.length * compiled.slices.length).toBeGreaterThan(0);
  });

  test.for<{ guarantees: string; spec: unknown }>([
    { guarantees: 'an id that is users’ text', spec: { peerSet: 'x } ; flush ruleset' } },
    { guarantees: 'an address that is none', spec: { peerSet: `p${'0'.repeat(32)}`, addresses: ['10.0.0.1 }'] } },
    { guarantees: 'a short form of an address', spec: { peerSet: `p${'0'.repeat(32)}`, addresses: ['10.1'] } },
    {
      guarantees: 'more members than a slice holds',
      spec: { peerSet: `p${'0'.repeat(32)}`, addresses: Array.from({ length: 1001 }, () => '10.0.0.1') },
    },
    { guarantees: 'no spec', spec: undefined },
  ])('a slice with $guarantees is refused', ({ spec }) => {
    expect(() => decodePeerSetSlice({ ...slice, spec })).toThrow(/cannot be read/);
  });

  test.for<{ guarantees: string; rule: unknown }>([
    { guarantees: 'a field it does not know, which might restrict', rule: { action: 'Deny' } },
    { guarantees: 'a port out of range', rule: { ports: [{ protocol: 'TCP', port: 70_000 }] } },
    { guarantees: 'a block that is none', rule: { blocks: [{ cidr: '10.0.0.0/40' }] } },
  ])('a list whose rule has $guarantees is refused', ({ rule }) => {
    const policySets = [
      { id: `i${'0'.repeat(32)}`, direction: 'ingress', policies: [{ policy: 'x/p', rules: [rule] }] },
    ];
    const spec = { nodeAddresses: [], pods: [], peerSets: [], policySets };
    expect(() => decodeNodeAllowList({ ...list, spec })).toThrow('spec.policySets cannot be read');
  });
});
