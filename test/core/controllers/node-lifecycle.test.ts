import { describe, expect, test } from 'vitest';
import type { Pod } from '../../../src/api/types/core.ts';
import { leases, nodes, pods } from '../../../src/core/cluster/resource-ref.ts';
import { runNodeLifecycle } from '../../../src/core/controllers/node-lifecycle.ts';
import { rfc3339, rfc3339Micro } from '../../../src/std/clock.ts';
import { world } from './world.ts';
import type { World } from './world.ts';

async function watched(): Promise<World> {
  const w = await world();
  w.start((context) => runNodeLifecycle(context, { clusterCIDR: '10.244.0.0/16' }));
  await w.settle();
  return w;
}

/** A node that says it is ready, and its first heartbeat. */
async function join(w: World, name: string): Promise<void> {
  const node = await w.admin.create(nodes, { metadata: { name }, spec: {} });
  await w.settle();
  await w.admin.create(leases, { metadata: { namespace: 'kube-node-lease', name }, spec: { holderIdentity: name } });
  const now = rfc3339(w.clock.now());
  const ready = { type: 'Ready', status: 'True' as const, lastHeartbeatTime: now, lastTransitionTime: now };
  const body = { metadata: { uid: node.metadata.uid }, status: { conditions: [ready] } };
  await w.admin.patch(nodes, { name }, { kind: 'merge', body, subresource: 'status' });
}

async function beat(w: World, name: string): Promise<void> {
  const body = { spec: { renewTime: rfc3339Micro(w.clock.now()) } };
  await w.admin.patch(leases, { namespace: 'kube-node-lease', name }, { kind: 'merge', body });
}

async function stateOf(w: World, name: string): Promise<string> {
  const { spec, status } = await w.admin.get(nodes, { name });
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? '';
  const taints = (spec.taints ?? []).map(({ key, effect }) => `${key.slice(key.indexOf('/') + 1)}:${effect}`);
  return [ready, ...taints.toSorted()].join(' ');
}

describe('node lifecycle', () => {
  test('a node that beats stays ready; one that falls silent becomes Unknown and is tainted; one that returns is not', async () => {
    const w = await watched();
    for (const name of ['quiet', 'lively']) await join(w, name);
    for (let seconds = 0; seconds < 30; seconds += 5) {
      await w.advance(5_000);
      await beat(w, 'lively');
    }
    expect(await stateOf(w, 'lively')).toBe('True');
    expect(await stateOf(w, 'quiet')).toBe('Unknown unreachable:NoExecute unreachable:NoSchedule');
    await beat(w, 'quiet');
    const now = rfc3339(w.clock.now());
    const status = {
      conditions: [{ type: 'Ready', status: 'True' as const, lastHeartbeatTime: now, lastTransitionTime: now }],
    };
    await w.admin.patch(nodes, { name: 'quiet' }, { kind: 'merge', body: { status }, subresource: 'status' });
    await w.advance(5_000);
    expect(await stateOf(w, 'quiet')).toBe('True');
  });

  test('pods of a silent node stop being ready at once and are told to leave when their toleration ends', async () => {
    const w = await watched();
    await join(w, 'quiet');
    const key = 'node.kubernetes.io/unreachable';
    const tolerations = [{ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 10 } as const];
    const spec = { nodeName: 'quiet', containers: [{ name: 'main', image: 'img' }], tolerations };
    await w.setReady(await w.admin.create(pods, { metadata: { namespace: 'default', name: 'p' }, spec }), true);
    const pod = (): Promise<Pod> => w.admin.get(pods, { namespace: 'default', name: 'p' });
    await w.advance(26_000);
    expect((await pod()).status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('False');
    expect((await pod()).metadata.deletionTimestamp).toBeUndefined();
    await w.advance(15_000);
    expect((await pod()).metadata.deletionTimestamp).toBeDefined();
  });

  test('nodes that register at the same moment get ranges of their own', async () => {
    const w = await watched();
    await Promise.all(
      Array.from({ length: 12 }, (_, index) => w.admin.create(nodes, { metadata: { name: `n${index}` }, spec: {} })),
    );
    await w.advance(5_000);
    const ranges = (await w.admin.list(nodes, {})).items.map(({ spec }) => spec.podCIDR);
    expect(ranges.every((range) => range?.startsWith('10.244.') === true)).toBe(true);
    expect(new Set(ranges).size).toBe(12);
  });
});
