/** The whole scheduler against the real registry over a store in memory. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ClusterClient } from '../../../src/core/cluster/client.ts';
import { runScheduler } from '../../../src/core/scheduler/scheduler.ts';
import { conflict } from '../../../src/api/status.ts';
import { at, listOf } from '../../../src/std/value.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { harness, pod } from '../resources/harness.ts';
import type { Harness } from '../resources/harness.ts';
import { clientOf, node, requests, testClock } from './support.ts';
import type { TestClock } from './support.ts';

let h: Harness;
let clock: TestClock;
let client: ClusterClient;
let stop: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  h = await harness();
  clock = testClock();
  client = clientOf(h);
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await running;
});

const start = (): void => {
  running = runScheduler({ client, clock, log: silentLogger, signal: stop.signal });
};
const addNode = (...args: Parameters<typeof node>): Promise<unknown> => h.create('nodes', node(...args), {}, '');
const nodeOf = async (name: string): Promise<unknown> => at(await h.get(`pods/${name}`), 'spec', 'nodeName');
const scheduled = async (name: string): Promise<unknown> =>
  listOf(at(await h.get(`pods/${name}`), 'status', 'conditions')).find((one) => at(one, 'type') === 'PodScheduled');
const eventsOf = async (name: string): Promise<readonly unknown[]> => {
  const { items } = await client.list(
    { group: '', version: 'v1', resource: 'events', kind: 'Event', namespaced: true },
    {},
  );
  return items.filter((event) => at(event, 'involvedObject', 'name') === name);
};

describe('the scheduler', () => {
  test('binds a waiting pod and says so', async () => {
    await addNode('n1');
    await h.create('pods', pod('web'));
    start();
    await vi.waitFor(async () => expect(await nodeOf('web')).toBe('n1'));
    expect(await scheduled('web')).toMatchObject({ status: 'True' });
    await vi.waitFor(async () =>
      expect(await eventsOf('web')).toMatchObject([
        {
          type: 'Normal',
          reason: 'Scheduled',
          message: 'Successfully assigned default/web to n1',
          reportingComponent: 'default-scheduler',
        },
      ]),
    );
  });

  test('says why no node can take a pod, once, and binds it when one can', async () => {
    await addNode('n1', { spec: { taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }] } });
    await addNode('n2', { allocatable: { cpu: '1' } });
    await addNode('n3', { allocatable: { cpu: '1' } });
    await h.create('pods', pod('web', requests({ cpu: '2' })));
    start();
    const message = '0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu.';
    await vi.waitFor(async () =>
      expect(await scheduled('web')).toMatchObject({ status: 'False', reason: 'Unschedulable', message }),
    );
    await vi.waitFor(async () =>
      expect(await eventsOf('web')).toMatchObject([{ type: 'Warning', reason: 'FailedScheduling', message, count: 1 }]),
    );
    clock.advance(20_000);
    await addNode('n4');
    await vi.waitFor(async () => expect(await nodeOf('web')).toBe('n4'));
  });

  test('counts a pod on its node before the watch shows it bound: room is given away once', async () => {
    await addNode('n1', { allocatable: { cpu: '4' } });
    for (let i = 0; i < 6; i++) await h.create('pods', pod(`p${i}`, requests({ cpu: '1' })));
    start();
    await vi.waitFor(async () => {
      const found = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => scheduled(`p${i}`)));
      expect(found.filter((one) => at(one, 'status') === 'True')).toHaveLength(4);
      expect(found.filter((one) => at(one, 'status') === 'False')).toHaveLength(2);
    });
  });

  test('a pod leaves room behind when it is deleted or has finished', async () => {
    await addNode('n1', { allocatable: { cpu: '1' } });
    await h.create('pods', pod('first', requests({ cpu: '1' })));
    start();
    await vi.waitFor(async () => expect(await nodeOf('first')).toBe('n1'));
    await h.create('pods', pod('second', requests({ cpu: '1' })));
    await vi.waitFor(async () => expect(await scheduled('second')).toMatchObject({ status: 'False' }));
    clock.advance(1_000);
    await h.patch('pods/first/status', 'merge', { status: { phase: 'Succeeded' } });
    await vi.waitFor(async () => expect(await nodeOf('second')).toBe('n1'));
  });

  test('a gated pod waits, with its reason, until its gates are gone', async () => {
    await addNode('n1');
    await h.create('pods', pod('web', { schedulingGates: [{ name: 'example.com/quota' }] }));
    start();
    await vi.waitFor(async () => expect(await scheduled('web')).toMatchObject({ reason: 'SchedulingGated' }));
    await h.patch('pods/web', 'json', [{ op: 'remove', path: '/spec/schedulingGates' }]);
    await vi.waitFor(async () => expect(await nodeOf('web')).toBe('n1'));
  });

  test('leaves pods of other schedulers alone', async () => {
    await addNode('n1');
    await h.create('pods', pod('theirs', { schedulerName: 'other' }));
    await h.create('pods', pod('ours'));
    start();
    await vi.waitFor(async () => expect(await nodeOf('ours')).toBe('n1'));
    expect(await nodeOf('theirs')).toBeUndefined();
  });

  test('tries again after a binding that was refused, and the node has its room back meanwhile', async () => {
    await addNode('n1', { allocatable: { cpu: '1' } });
    await h.create('pods', pod('web', requests({ cpu: '1' })));
    const direct = client;
    let refusals = 1;
    client = {
      ...client,
      post: async (...args) => {
        if (refusals-- > 0) throw conflict({ group: '', resource: 'pods' }, 'web');
        return direct.post(...args);
      },
    };
    start();
    await vi.waitFor(async () => expect(await scheduled('web')).toMatchObject({ reason: 'SchedulerError' }));
    clock.advance(1_000);
    await vi.waitFor(async () => expect(await nodeOf('web')).toBe('n1'));
  });

  test('a pod whose binding was lost on the way back is not placed twice', async () => {
    await addNode('n1');
    await addNode('n2');
    await h.create('pods', pod('web'));
    const direct = client;
    client = {
      ...client,
      post: async (...args) => {
        await direct.post(...args);
        throw new Error('connection lost');
      },
    };
    start();
    await vi.waitFor(async () => expect(await nodeOf('web')).toBeDefined());
    clock.advance(60_000);
    expect(await scheduled('web')).toMatchObject({ status: 'True' });
  });

  test('spreads the replicas of a set over the nodes', async () => {
    for (const name of ['n1', 'n2', 'n3']) await addNode(name);
    await h.create('services', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    // Asks for next to nothing on a machine that other pods make uneven: room alone would gather all of them on n3.
    await h.create('pods', { ...pod('a', { ...requests({ cpu: '500m', memory: '1Gi' }), nodeName: 'n1' }) });
    await h.create('pods', { ...pod('b', { ...requests({ cpu: '500m', memory: '1Gi' }), nodeName: 'n2' }) });
    for (const name of ['r1', 'r2', 'r3'])
      await h.create('pods', {
        ...pod(name, requests({ cpu: '10m', memory: '10Mi' })),
        metadata: { name, labels: { app: 'web' } },
      });
    start();
    await vi.waitFor(async () => {
      const nodes = await Promise.all(['r1', 'r2', 'r3'].map(nodeOf));
      expect(new Set(nodes)).toEqual(new Set(['n1', 'n2', 'n3']));
    });
  });
});
