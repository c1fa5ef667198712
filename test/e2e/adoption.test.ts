/** Agents, and all of `up`, killed while pods of the process runtime run or are being started. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCaller } from '../../bench/support/caller.ts';
import type { Caller } from '../../bench/support/caller.ts';
import { readKubeconfig } from '../../src/app/credentials.ts';
import type { Pod } from '../../src/api/types/core.ts';
import { hostInterface } from '../../src/core/node/runtimes/process/network.ts';
import { systemClock as clock } from '../../src/std/clock.ts';
import { needs } from '../support/needs.ts';
import { eventually, isRunning, startUp } from './support/up.ts';
import type { Up } from './support/up.ts';

const able = needs(
  'agents killed while containers run',
  ['root', 'ip', 'setpriv', 'unshare', 'nsenter'],
  'as root: apt-get install iproute2 util-linux',
);
const args = ['--nodes', '1', '--runtime', 'process', '--dataplane', 'none', '--cluster-cidr', '10.213.0.0/16'];
const path = '/api/v1/namespaces/default/pods';

describe.runIf(able)('killed', () => {
  let up: Up;
  let caller: Caller;
  const uids: string[] = [];

  beforeAll(async () => {
    up = await startUp(args);
    caller = createCaller(readKubeconfig(up.kubeconfig));
  });

  afterAll(async () => {
    caller?.stop();
    await up?.stop();
  });

  /** A pod whose containers sleep for numbers that no other process has. */
  async function createPod(name: string, sleeps: readonly number[], restartPolicy: string): Promise<Pod> {
    const containers = sleeps.map((seconds, index) => ({
      name: `c${index}`,
      image: 'none',
      command: ['sh', '-c', `echo started; exec sleep ${seconds}`],
      volumeMounts: [{ name: 'own', mountPath: '/own' }],
    }));
    const volumes = [{ name: 'own', emptyDir: {} }];
    const spec = { containers, volumes, restartPolicy, terminationGracePeriodSeconds: 1 };
    const { code, body } = await caller.call('POST', path, { metadata: { name, namespace: 'default' }, spec });
    expect(code).toBe(201);
    const pod = body as Pod;
    uids.push(pod.metadata.uid ?? '');
    return pod;
  }

  /** The pod once `count` of its containers run, none of them restarted. */
  async function allRunning(name: string, count: number): Promise<Pod | undefined> {
    const { code, body } = await caller.call('GET', `${path}/${name}`);
    if (code !== 200) return undefined;
    const pod = body as Pod;
    const statuses = pod.status?.containerStatuses ?? [];
    const well = statuses.filter(({ state, restartCount }) => state?.running !== undefined && restartCount === 0);
    return well.length === count ? pod : undefined;
  }

  async function killAgent(): Promise<void> {
    const pid = up.pid('node-1');
    process.kill(pid, 'SIGKILL');
    await eventually('another agent runs', 30_000, () => up.pid('node-1') !== pid && isRunning(up.pid('node-1')));
  }

  /** Waits until the agent that runs now has written the node's lease. */
  async function agentIsBack(): Promise<void> {
    const since = clock.now();
    await eventually('the node is heard of', 40_000, async () => {
      const lease = await caller.call('GET', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1');
      const { renewTime = '' } = (lease.body as { spec?: { renewTime?: string } }).spec ?? {};
      return Date.parse(renewTime) > since;
    });
  }

  test('an agent: containers run on as they are, its successor takes them over, and ends what was deleted meanwhile', async () => {
    await createPod('kept', [1_213_001, 1_213_002], 'Always');
    const deleted = await createPod('deleted', [1_213_003], 'Always');
    await eventually('the pods run', 60_000, async () => (await allRunning('kept', 2)) && allRunning('deleted', 1));
    const before = [...processesOf(1_213_001), ...processesOf(1_213_002)];
    expect(before).toHaveLength(2);
    const volumes = join(up.home, 'nodes/node-1/pods', deleted.metadata.uid ?? '');
    expect(existsSync(volumes)).toBe(true);

    const killed = killAgent();
    const gone = await caller.call('DELETE', `${path}/deleted?gracePeriodSeconds=0`);
    expect(gone.code).toBe(200);
    await killed;
    await agentIsBack();
    await eventually(
      'nothing is left of the deleted pod',
      30_000,
      () => leftOf(deleted.metadata.uid ?? '').length === 0,
    );
    expect(processesOf(1_213_003)).toEqual([]);
    expect(existsSync(volumes)).toBe(false);
    expect([...processesOf(1_213_001), ...processesOf(1_213_002)]).toEqual(before);
    expect(await allRunning('kept', 2)).toBeDefined();
    const log = await eventually('its log can be read', 30_000, async () => {
      const { code, body } = await caller.call('GET', `${path}/kept/log?container=c0`);
      return code === 200 ? String(body) : undefined;
    });
    expect(log).toBe('started\n');
  });

  test.for([0, 60, 150, 400])(
    'an agent %i ms after it began to start a pod: every container runs, once',
    async (ms) => {
      const sleeps = [1, 2, 3].map((n) => 1_214_000 + ms * 10 + n);
      const pod = await createPod(`half-${ms}`, sleeps, 'Never'); // a container that counts as ended would fail it
      const folder = join(up.home, 'nodes/node-1/runtime/pods', pod.metadata.uid ?? '');
      await eventually('its start has begun', 60_000, () => existsSync(folder));
      await clock.sleep(ms);
      await killAgent();
      await eventually('every container runs', 90_000, () => allRunning(`half-${ms}`, 3));
      expect(sleeps.map((seconds) => processesOf(seconds).length)).toEqual([1, 1, 1]);
      expect(
        readdirSync(folder)
          .filter((name) => /\.\d+$/.test(name))
          .toSorted(),
      ).toEqual(['c0.0', 'c1.0', 'c2.0']);
    },
  );

  test('all of it at once: the next up goes on with the same containers', async () => {
    const before = [...processesOf(1_213_001), ...processesOf(1_213_002)];
    for (const part of ['up', 'gateway', 'controllers', 'node-1', 'postgres']) process.kill(up.pid(part), 'SIGKILL');
    await up.program.ended;
    expect([...processesOf(1_213_001), ...processesOf(1_213_002)]).toEqual(before);
    up = await startUp(args, up);
    await agentIsBack();
    expect(await eventually('the pod runs', 30_000, () => allRunning('kept', 2))).toBeDefined();
    expect([...processesOf(1_213_001), ...processesOf(1_213_002)]).toEqual(before);
  });

  test('at the end nothing stays: no process, mount, link, namespace or cgroup of any pod', async () => {
    const pods = (await caller.call('DELETE', path)).code;
    expect(pods).toBe(200);
    await eventually('the pods are gone', 60_000, async () => {
      const { body } = await caller.call('GET', path);
      return ((body as { items?: readonly unknown[] }).items ?? []).length === 0;
    });
    expect(uids.flatMap(leftOf)).toEqual([]);
    await up.end();
    expect(mounts().filter((line) => line.includes(up.home))).toEqual([]);
  });
});

/** Processes that are a `sleep SECONDS`, as `pid start-time`, which nothing else can be. */
function processesOf(seconds: number): readonly string[] {
  return processes().flatMap(({ pid, words }) => {
    if (words.join(' ') !== `sleep ${seconds}`) return [];
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return [`${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`];
  });
}

/** What of the machine still belongs to the pod. Namespaces are pinned by mounts. */
function leftOf(uid: string): readonly string[] {
  const link = `/sys/class/net/${hostInterface(uid)}`;
  return [
    ...processes().flatMap(({ pid, words }) => (words.some((word) => word.includes(uid)) ? [`process ${pid}`] : [])),
    ...mounts().filter((line) => line.includes(uid)),
    ...(existsSync(link) ? [link] : []),
    ...groupsOf(uid, '/sys/fs/cgroup', 5),
  ];
}

function processes(): readonly { readonly pid: string; readonly words: readonly string[] }[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      return [
        {
          pid,
          words: readFileSync(`/proc/${pid}/cmdline`, 'utf8')
            .split('\0')
            .filter((word) => word !== ''),
        },
      ];
    } catch {
      return []; // it has ended
    }
  });
}

function mounts(): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
}

function groupsOf(uid: string, folder: string, depth: number): readonly string[] {
  if (depth === 0 || !existsSync(folder)) return [];
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.flatMap(({ name }) => {
    const inner = join(folder, name);
    return [...(name.includes(uid) ? [inner] : []), ...groupsOf(uid, inner, depth - 1)];
  });
}
