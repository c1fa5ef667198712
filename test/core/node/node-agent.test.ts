import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Pod } from '../../../src/api/types/core.ts';
import { StatusError, conflict } from '../../../src/api/status.ts';
import { nodes, pods } from '../../../src/core/cluster/resource-ref.ts';
import { runNodeLifecycle } from '../../../src/core/controllers/node-lifecycle.ts';
import { mergedStatus, startNodeAgent } from '../../../src/core/node/node-agent.ts';
import type { NodeAgent } from '../../../src/core/node/node-agent.ts';
import { createHollowRuntime } from '../../../src/core/node/runtimes/hollow.ts';
import type { Runtime } from '../../../src/core/node/runtimes/runtime.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { world } from '../controllers/world.ts';
import type { World } from '../controllers/world.ts';

let folder: string;
let w: World;
let agents: NodeAgent[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-agent-'));
  agents = [];
  w = await world();
  w.start((context) => runNodeLifecycle(context, { clusterCIDR: '10.244.0.0/16' }));
});
afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.stop()));
  await rm(folder, { recursive: true, force: true });
});

async function agent(name = 'n1', runtime: Runtime = createHollowRuntime(w.clock)): Promise<NodeAgent> {
  let made: NodeAgent | undefined;
  const starting = startNodeAgent({
    client: w.client(`agent-${name}`),
    runtime,
    guard: { podAdded: async () => {}, podRemoved: async () => {} },
    clock: w.clock,
    log: silentLogger,
    folder: join(folder, name),
    facts: { name, address: '192.0.2.1', runtime: runtime.name, notEnforced: [], version: 'v1', maxPods: 110 },
    nameservers: [],
    clusterDomain: 'cluster.local',
  }).then((each) => {
    made = each;
    agents.push(each);
  });
  await w.until('the agent', () => made);
  await starting;
  if (made === undefined) throw new Error('no agent');
  return made;
}

const get = async (name = 'p'): Promise<Pod | undefined> => {
  try {
    return await w.admin.get(pods, { namespace: 'default', name });
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'NotFound') return undefined;
    throw error;
  }
};
const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
// Volumes are real files: their input and output is not the fake clock's.
const eventually = <T>(what: string, found: () => Promise<T | undefined | false>): Promise<T> =>
  w.until(what, async () => {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    return found();
  });
const createPod = (name = 'p', spec: object = {}): Promise<Pod> =>
  w.admin.create(pods, {
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: 'n1',
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: 'img', command: ['/bin/x'] }],
      ...spec,
    },
  });
const writesOf = (name: string): number =>
  w.seen.filter(({ method, url }) => method === 'PUT' && url.endsWith(`/pods/${name}/status`)).length;

describe('the node agent', () => {
  test('registers though the controllers write to the new node at the same time', async () => {
    let times = 0;
    w.fault.before = ({ method, url }) => {
      if (method === 'PUT' && url.endsWith('/nodes/n1/status') && times++ < 2)
        throw conflict({ group: '', resource: 'nodes' }, 'n1');
    };
    await agent();
    const node = await w.admin.get(nodes, { name: 'n1' });
    expect(node.spec.podCIDR).toBe('10.244.0.0/24');
    expect(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  });

  test('runs a pod, reports it once, and writes nothing while nothing changes', async () => {
    await agent();
    await createPod();
    const pod = await eventually('ready', async () => {
      const found = await get();
      return isReady(found) && found;
    });
    expect(pod.status).toMatchObject({ phase: 'Running', podIP: '10.244.0.2', hostIP: '192.0.2.1' });
    const before = writesOf('p');
    await w.advance(120_000);
    expect(writesOf('p')).toBe(before);
  });

  test('ends a deleted pod, then removes its object and gives its address back', async () => {
    await agent();
    const made = await createPod();
    await eventually('ready', async () => isReady(await get()));
    await w.admin.delete(pods, made.metadata);
    await eventually('gone', async () => (await get()) === undefined);
  });

  test('a successor adopts what runs: no restart, and none for a pod that is over', async () => {
    const runtime = createHollowRuntime(w.clock);
    const first = await agent('n1', runtime);
    await createPod();
    await eventually('ready', async () => isReady(await get()));
    await first.stop();
    const over = await createPod('over', { restartPolicy: 'Never' });
    await w.admin.update(pods, { ...over, status: { ...over.status, phase: 'Succeeded' } }, 'status');
    await agent('n1', runtime);
    await w.advance(5_000);
    expect((await get())?.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    const { containers } = await runtime.list();
    expect(containers.map(({ name, attempt }) => `${name} ${attempt}`)).toEqual(['main 0']);
    expect((await get('over'))?.status?.phase).toBe('Succeeded');
  });

  test('a node that comes back makes its pods ready again', async () => {
    const first = await agent();
    await createPod('p', { tolerations: [{ operator: 'Exists' }] });
    await eventually('ready', async () => isReady(await get()));
    await first.stop();
    await w.until('not ready', async () => !isReady(await get()));
    await agent();
    await eventually('ready again', async () => isReady(await get()));
    const node = await w.until('no taint', async () => {
      const found = await w.admin.get(nodes, { name: 'n1' });
      return (found.spec.taints ?? []).length === 0 && found;
    });
    expect(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  });

  test('conditions of others stay as the newest object has them', () => {
    const condition = (type: string, status: 'True' | 'False') => ({ type, status });
    const merged = mergedStatus(
      { conditions: [condition('Ready', 'False'), condition('example.com/open', 'True')] },
      { conditions: [condition('Ready', 'True'), condition('example.com/open', 'False')] },
    );
    expect(merged.conditions).toEqual([condition('Ready', 'True'), condition('example.com/open', 'True')]);
  });
});
