/** The README's first five minutes, as a person would go through them: the shop, its policies and its people. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/app/release.ts';
import { needs } from '../support/needs.ts';
import { eventually, gatehouse, run, startUp } from './support/up.ts';
import type { Program, Up } from './support/up.ts';

interface PodInfo {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly { readonly ready: boolean; readonly restartCount: number }[];
  };
}

const shop = join(packageRoot(), 'examples/shop');
const equipped = needs(
  'the shop, with containers and network policy in the kernel',
  ['namespaces', 'kubectl', 'nft', 'ip', 'unshare', 'nsenter'],
  'apt-get install kubernetes-client nftables iproute2 util-linux; sysctl user.max_user_namespaces=10000',
);

describe.runIf(equipped)('the shop', () => {
  let up: Up;
  let alice: string;
  let secondNode: Program | undefined;

  beforeAll(async () => {
    up = await startUp(['--nodes', '1']);
    alice = join(up.home, 'alice.kubeconfig');
    const made = await gatehouse(['kubeconfig', '--home', up.home, '--user', 'alice', '--output', alice]).ended;
    expect(made).toMatchObject({ code: 0 });
    await up.kubectl(['apply', '-f', shop]);
    await eventually('every pod of the shop runs and is ready', 60_000, allReady);
  });

  afterAll(async () => {
    secondNode?.signal('SIGTERM');
    await secondNode?.ended;
    await up?.stop();
  });

  const kubectl = (...args: string[]): Promise<string> => up.kubectl(['-n', 'shop', ...args]);
  const pods = async (app?: string): Promise<readonly PodInfo[]> => {
    const selector = app === undefined ? [] : ['-l', `app=${app}`];
    const { items } = JSON.parse(await kubectl('get', 'pods', ...selector, '-o', 'json')) as {
      items: readonly PodInfo[];
    };
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  };
  const isReady = (pod: PodInfo): boolean =>
    pod.status.phase === 'Running' && (pod.status.containerStatuses ?? []).every(({ ready }) => ready);
  async function allReady(): Promise<boolean> {
    const all = await pods();
    return all.length === 5 && all.every(isReady);
  }
  const first = async (app: string): Promise<PodInfo> => {
    const [pod] = await pods(app);
    if (pod === undefined) throw new Error(`no pod of ${app}`);
    return pod;
  };
  /** kubectl exec in a pod of `app`: what was printed, whatever the exit code. */
  const inside = async (app: string, ...command: string[]): Promise<string> => {
    const { metadata } = await first(app);
    const args = ['--kubeconfig', up.kubeconfig, '-n', 'shop', 'exec', metadata.name, '--', ...command];
    const { stdout, stderr } = await run('kubectl', args);
    return stdout + stderr;
  };
  const asAlice = async (...args: string[]): Promise<{ readonly code: number | null; readonly out: string }> => {
    const { code, stdout, stderr } = await run('kubectl', ['--kubeconfig', alice, '-n', 'shop', ...args]);
    return { code, out: stdout + stderr };
  };

  test('frontend reaches api, and api the database', async () => {
    expect(await inside('frontend', 'node', '/app/ask.mjs', 'api', '8080')).toContain('api answered: {"tea":4');
    expect(await inside('api', 'node', '/app/ask.mjs', 'database', '5432', 'cake')).toContain('database answered: 7');
  });

  test('the database refuses the frontend, by its service and by its pod address', async () => {
    const { status } = await first('database');
    for (const target of ['database', status.podIP ?? '']) {
      expect(await inside('frontend', 'node', '/app/ask.mjs', target, '5432', 'cake')).toContain('cannot be reached');
    }
  });

  test('api refuses whoever is no frontend', async () => {
    expect(await inside('database', 'node', '/app/ask.mjs', 'api', '8080')).toContain('cannot be reached');
  });

  test('logs show what a container printed', async () => {
    const { metadata } = await first('api');
    expect(await kubectl('logs', metadata.name)).toContain('api listens on 8080');
  });

  test('alice lists pods and is refused secrets in the words kubectl users know', async () => {
    expect(await asAlice('get', 'pods')).toMatchObject({ code: 0 });
    const refused = await asAlice('get', 'secrets');
    expect(refused.code).not.toBe(0);
    expect(refused.out).toContain(
      'Error from server (Forbidden): secrets is forbidden: User "alice" cannot list resource "secrets" in API group "" in the namespace "shop"',
    );
  });

  test('the audit trail names alice, the verb and the resource she was denied', async () => {
    const args = ['audit', 'list', '--denied', '--user', 'alice', '-o', 'json', '--kubeconfig', up.kubeconfig];
    const { code, stdout } = await gatehouse(args).ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/"user": ?"alice"/);
    expect(stdout).toMatch(/"verb": ?"list"/);
    expect(stdout).toMatch(/"resource": ?"secrets"/);
  });

  test('alice restarts a deployment, which replaces its pods one after another', async () => {
    const before = (await pods('api')).map(({ metadata }) => metadata.uid);
    expect(await asAlice('rollout', 'restart', 'deployment/api')).toMatchObject({ code: 0 });
    expect(await asAlice('rollout', 'status', 'deployment/api', '--timeout=60s')).toMatchObject({ code: 0 });
    const after = (await pods('api')).map(({ metadata }) => metadata.uid);
    expect(after.filter((uid) => before.includes(uid))).toEqual([]);
  });

  test('scaling adds and removes pods', async () => {
    await kubectl('scale', 'deployment/frontend', '--replicas=4');
    await eventually('four frontends', 40_000, async () => (await pods('frontend')).filter(isReady).length === 4);
    await kubectl('scale', 'deployment/frontend', '--replicas=2');
    await eventually('two frontends', 40_000, async () => (await pods('frontend')).length === 2);
  });

  test('a rolling update goes through, and its undo brings the old template back', async () => {
    await kubectl('set', 'env', 'deployment/frontend', 'GREETING=hello');
    await kubectl('rollout', 'status', 'deployment/frontend', '--timeout=60s');
    const read = (): Promise<string> =>
      kubectl('get', 'deployment/frontend', '-o', 'jsonpath={.spec.template.spec.containers[0].env[*].name}');
    expect(await read()).toBe('POD_IP GREETING');
    await kubectl('rollout', 'undo', 'deployment/frontend');
    await kubectl('rollout', 'status', 'deployment/frontend', '--timeout=60s');
    expect(await read()).toBe('POD_IP');
    expect(await kubectl('rollout', 'history', 'deployment/frontend')).toMatch(/2[\s\S]*3/);
  });

  test('a killed container is started again in its pod', async () => {
    const { metadata } = await first('database');
    await inside('database', 'node', '-e', 'process.kill(1, "SIGTERM")');
    await eventually('the database was restarted', 40_000, async () => {
      const pod = (await pods('database')).find(({ metadata: { uid } }) => uid === metadata.uid);
      return pod !== undefined && isReady(pod) && (pod.status.containerStatuses?.[0]?.restartCount ?? 0) >= 1;
    });
    expect(await inside('api', 'node', '/app/ask.mjs', 'database', '5432', 'tea')).toContain('database answered: 4');
  });

  test('the pods of a node that was killed move to another', async () => {
    const joining = ['node', '--home', up.home, '--name', 'spare', '--stop-pods'];
    secondNode = gatehouse(joining);
    await secondNode.line('ready', 60_000);
    await up.kubectl(['cordon', 'node-1']);
    await kubectl('rollout', 'restart', 'deployment/frontend');
    await kubectl('rollout', 'status', 'deployment/frontend', '--timeout=60s');
    expect((await pods('frontend')).map(({ spec }) => spec.nodeName)).toEqual(['spare', 'spare']);
    await up.kubectl(['uncordon', 'node-1']);
    secondNode.signal('SIGKILL');
    await secondNode.ended;
    await eventually('the frontends run on node-1', 90_000, async () => {
      const live = await pods('frontend');
      return live.length === 2 && live.every((pod) => pod.spec.nodeName === 'node-1' && isReady(pod));
    });
    secondNode = gatehouse(joining); // finds what its predecessor left, and removes it
    await secondNode.line('ready', 60_000);
    await eventually('the deleted pods are gone', 40_000, async () => {
      const all = await up.kubectl(['-n', 'shop', 'get', 'pods', '-o', 'name']);
      return all.trim().split('\n').length === 5;
    });
  });
});
