/**
 * The official JavaScript client does what programs use it for: informers, watches, exec, logs, port-forward and patches,
 * through a gateway that is killed and a history that is compacted under it.
 */
import { createServer, connect } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  AppsV1Api,
  CoreV1Api,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  PatchStrategy,
  PortForward,
  Watch,
  makeInformer,
  setHeaderOptions,
} from '@kubernetes/client-node';
import type { Informer, LogOptions, ObjectCache, V1ConfigMap, V1Pod, V1Status } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../support/needs.ts';
import { runSql } from '../support/postgres.ts';
import { databaseUrl, eventually, isRunning, startUp } from './support/up.ts';
import type { Up } from './support/up.ts';

const namespace = 'client';
const pod = 'server';
const mapsPath = `/api/v1/namespaces/${namespace}/configmaps`;
const equipped = needs(
  'the official JavaScript client with containers in namespaces',
  ['namespaces', 'nft', 'ip', 'unshare', 'nsenter'],
  'apt-get install nftables iproute2 util-linux; sysctl user.max_user_namespaces=10000',
);

/** Answers in capital letters on 8080, and prints a line five times a second. */
const program = `
const server = require('net').createServer((socket) => {
  socket.on('error', () => {}).on('data', (data) => socket.write(String(data).toUpperCase()));
});
server.listen(8080, () => console.log('listening'));
let n = 0;
setInterval(() => console.log('tick ' + n++), 200);
process.on('SIGTERM', () => process.exit(0));
`;

describe.runIf(equipped)('the official JavaScript client', () => {
  let up: Up;
  let config: KubeConfig;
  let core: CoreV1Api;
  const ended: (() => unknown)[] = [];

  beforeAll(async () => {
    up = await startUp(['--nodes', '1', '--cluster-cidr', '10.87.0.0/16']);
    config = new KubeConfig();
    config.loadFromFile(up.kubeconfig);
    core = config.makeApiClient(CoreV1Api);
    await core.createNamespace({ body: { metadata: { name: namespace } } });
    await eventually('the service account is there', 20_000, () =>
      core.readNamespacedServiceAccount({ namespace, name: 'default' }),
    );
    await core.createNamespacedPod({ namespace, body: podOf(pod, program) });
    await eventually('the pod prints', 60_000, async () => (await lines({ tailLines: 1 })).length === 1);
  });

  afterAll(async () => {
    for (const end of ended) await end();
    await up?.stop();
  });

  const createMap = (name: string, labels = {}): Promise<V1ConfigMap> =>
    core.createNamespacedConfigMap({ namespace, body: { metadata: { name, labels }, data: { at: '0' } } });
  const createWhenTaken = (name: string, labels = {}): Promise<V1ConfigMap> =>
    eventually('a write is taken', 20_000, () => createMap(name, labels));

  async function lines(options: LogOptions): Promise<readonly string[]> {
    const out = new PassThrough();
    await new Log(config).log(namespace, pod, 'main', out, options);
    return (await text(out)).split('\n').slice(0, -1);
  }

  /** What a command in the pod printed and how it ended; `input` is its whole standard input. */
  async function exec(command: readonly string[], input?: string): Promise<Executed> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const stdin = input === undefined ? null : new PassThrough();
    const printed = Promise.all([text(stdout), text(stderr)]);
    let status: V1Status = {};
    await new Exec(config).exec(namespace, pod, 'main', [...command], stdout, stderr, stdin, false, (told) => {
      status = told;
    });
    stdin?.end(input);
    const [out, err] = await printed;
    return { out, err, status };
  }

  /** Kills the gateway; resolves when `up` has started another one, which answers. */
  async function restartGateway(): Promise<void> {
    const pid = up.pid('gateway');
    process.kill(pid, 'SIGKILL');
    await eventually('another gateway', 20_000, () => up.pid('gateway') !== pid && isRunning(up.pid('gateway')));
    await eventually('it answers', 20_000, () => core.readNamespace({ name: namespace }));
  }

  /** An informer of the config maps labelled `app=NAME`, synced. */
  async function inform(name: string): Promise<Informed> {
    const selector = `app=${name}`;
    const [seen, errors]: [string[], unknown[]] = [[], []];
    let lists = 0;
    const list = (): ReturnType<typeof core.listNamespacedConfigMap> => {
      lists += 1;
      return core.listNamespacedConfigMap({ namespace, labelSelector: selector });
    };
    const informer = makeInformer<V1ConfigMap>(config, mapsPath, list, selector);
    for (const verb of ['add', 'update', 'delete'] as const) {
      informer.on(verb, ({ metadata }) => seen.push(`${verb} ${metadata?.name}`));
    }
    informer.on('error', (error) => errors.push(error));
    ended.push(() => informer.stop());
    await informer.start();
    return { informer, seen, errors, lists: () => lists };
  }

  test('an informer lists, then tells of each change within its selector once, in order', async () => {
    const labels = { app: 'informed' };
    await createMap('listed', labels);
    const { informer, seen, errors, lists } = await inform('informed');
    await createMap('passed-over', { app: 'other' });
    await createMap('added', labels);
    await core.patchNamespacedConfigMap({ namespace, name: 'added', body: { data: { at: '1' } } }, merge);
    await core.patchNamespacedConfigMap(
      { namespace, name: 'added', body: { metadata: { labels: { app: 'x' } } } },
      merge,
    );
    await core.deleteNamespacedConfigMap({ namespace, name: 'listed' });
    await eventually('the informer has it all', 10_000, () => seen.length >= 5);
    expect(seen).toEqual(['add listed', 'add added', 'update added', 'delete added', 'delete listed']);
    expect([informer.list().length, errors.length, lists()]).toEqual([0, 0, 1]);
  });

  test('a watch begins after its resourceVersion, and ends at its time without an error', async () => {
    const { metadata } = await core.listNamespacedConfigMap({ namespace });
    await createMap('watched');
    const seen: string[] = [];
    const query = { resourceVersion: metadata?.resourceVersion, timeoutSeconds: 2, allowWatchBookmarks: true };
    const error = await new Promise<unknown>((resolve, reject) => {
      const each = (type: string, object: V1ConfigMap): unknown => seen.push(`${type} ${object.metadata?.name}`);
      new Watch(config).watch(mapsPath, query, each, resolve).catch(reject);
    });
    expect(error).toBeNull();
    expect(seen[0]).toBe('ADDED watched');
    expect(seen.slice(1).filter((each) => !each.startsWith('BOOKMARK'))).toEqual([]);
  });

  test('a list that is continued gives every object once', async () => {
    for (let n = 0; n < 5; n++) await createMap(`page-${n}`, { app: 'paged' });
    const names: unknown[] = [];
    let next: string | undefined;
    do {
      const from = next === undefined ? {} : { _continue: next };
      const page = await core.listNamespacedConfigMap({ namespace, labelSelector: 'app=paged', limit: 2, ...from });
      expect(page.items.length).toBeLessThanOrEqual(2);
      names.push(...page.items.map(({ metadata }) => metadata?.name));
      next = page.metadata?._continue; // oxlint-disable-line no-underscore-dangle -- the client's name for it
    } while (next !== undefined && next !== '');
    expect(names).toEqual([0, 1, 2, 3, 4].map((n) => `page-${n}`));
  });

  test('a patch does what its strategy says: strategic merge, merge, JSON', async () => {
    const apps = config.makeApiClient(AppsV1Api);
    const name = 'patched';
    const labels = { app: name };
    const containers = [{ name: 'main', image: 'none', env: [{ name: 'KEPT', value: '1' }] }];
    const template = { metadata: { labels }, spec: { containers } };
    await apps.createNamespacedDeployment({
      namespace,
      body: { metadata: { name }, spec: { replicas: 0, selector: { matchLabels: labels }, template } },
    });
    const patch = async (strategy: PatchStrategy, body: object): Promise<unknown> => {
      const options = setHeaderOptions('Content-Type', strategy);
      const { metadata, spec } = await apps.patchNamespacedDeployment({ namespace, name, body }, options);
      const { env } = spec?.template.spec?.containers[0] ?? {};
      return { env: env?.map((each) => each.name), notes: metadata?.annotations, keep: spec?.revisionHistoryLimit };
    };
    const added = {
      spec: { template: { spec: { containers: [{ name: 'main', env: [{ name: 'NEW', value: '2' }] }] } } },
    };
    expect(await patch(PatchStrategy.StrategicMergePatch, added)).toMatchObject({ env: ['NEW', 'KEPT'] });
    const noted = { metadata: { annotations: { a: '1', b: '2' } }, spec: { revisionHistoryLimit: 3 } };
    expect(await patch(PatchStrategy.MergePatch, noted)).toMatchObject({ notes: { a: '1', b: '2' }, keep: 3 });
    expect(await patch(PatchStrategy.MergePatch, { metadata: { annotations: { a: null } } })).toMatchObject({
      notes: { b: '2' },
    });
    const limit = '/spec/revisionHistoryLimit';
    const steps = [
      { op: 'test', path: limit, value: 3 },
      { op: 'replace', path: limit, value: 4 },
      { op: 'remove', path: '/spec/template/spec/containers/0/env/0' },
    ];
    expect(await patch(PatchStrategy.JsonPatch, steps)).toMatchObject({ env: ['KEPT'], keep: 4 });
    await expect(patch(PatchStrategy.JsonPatch, steps)).rejects.toMatchObject({ code: 422 });
  });

  test('server-side apply creates, owns its fields, and conflicts until it is forced', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const apply = async (owner: string, data: Record<string, string>, force = false): Promise<unknown> => {
      const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied', namespace }, data };
      const strategy = PatchStrategy.ServerSideApply;
      return (await objects.patch<V1ConfigMap>(map, undefined, undefined, owner, force, strategy)).data;
    };
    expect(await apply('one', { a: '1', b: '1' })).toEqual({ a: '1', b: '1' });
    await expect(apply('two', { a: '2' })).rejects.toMatchObject({ code: 409 });
    expect(await apply('two', { a: '2', c: '2' }, true)).toEqual({ a: '2', b: '1', c: '2' });
    expect(await apply('two', { a: '2' })).toEqual({ a: '2', b: '1' });
  });

  test('exec keeps output and errors apart, passes input to its end, and tells the exit code', async () => {
    expect(await exec(['sh', '-c', 'echo out; echo err >&2'])).toMatchObject({
      out: 'out\n',
      err: 'err\n',
      status: { status: 'Success' },
    });
    const much = 'line of input\n'.repeat(20_000);
    const copied = await exec(['cat'], much);
    expect(copied.out.length).toBe(much.length);
    expect(copied).toMatchObject({ err: '', status: { status: 'Success' } });
    expect((await exec(['sh', '-c', 'exit 7'])).status).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '7' }] },
    });
  });

  test('exec with a terminal has the size of the caller, and follows it', async () => {
    const stdout = Object.assign(new PassThrough(), { rows: 31, columns: 111 });
    let shown = '';
    stdout.setEncoding('utf8').on('data', (data: string) => {
      shown += data;
    });
    const stdin = new PassThrough();
    const command = ['sh', '-c', 'while read line; do stty size; done'];
    const socket = await new Exec(config).exec(namespace, pod, 'main', command, stdout, null, stdin, true);
    ended.push(() => socket.close());
    const shows = (size: string): Promise<unknown> =>
      eventually(`the terminal is ${size}`, 10_000, () => {
        stdin.write('\n');
        return shown.includes(size);
      });
    await shows('31 111');
    Object.assign(stdout, { rows: 32, columns: 112 }).emit('resize');
    await shows('32 112');
    socket.close();
  });

  test('logs give the last lines, those with times, and follow a container until it ends', async () => {
    expect(await lines({ tailLines: 2 })).toEqual([expect.stringMatching(/^tick/), expect.stringMatching(/^tick/)]);
    const [timed = ''] = await lines({ tailLines: 1, timestamps: true });
    expect(timed).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z tick \d+$/);
    expect(await lines({ limitBytes: 4 })).toEqual([]); // 'list', and no line end
    const body = podOf(
      'short',
      'let n = 0; const timer = setInterval(() => { console.log(n++); if (n === 5) clearInterval(timer); }, 300)',
    );
    await core.createNamespacedPod({ namespace, body });
    const out = await eventually('the short one is followed', 30_000, async () => {
      const stream = new PassThrough();
      await new Log(config).log(namespace, 'short', 'main', stream, { follow: true });
      return stream;
    });
    expect(await text(out)).toBe('0\n1\n2\n3\n4\n');
    const unknown = new Log(config).log(namespace, pod, 'nobody', new PassThrough());
    await expect(unknown).rejects.toMatchObject({ code: 400 });
  });

  test('port-forward carries several connections at once, large ones whole, and says when nobody listens', async () => {
    const port = await listenFor(8080);
    const much = 'abcdefgh'.repeat(40_000);
    expect(await Promise.all(['one', 'two', much].map((said) => ask(port, said)))).toEqual([
      'ONE',
      'TWO',
      much.toUpperCase(),
    ]);
    const failed = new PassThrough();
    const said = new Promise<string>((resolve) => failed.once('data', (data: Buffer) => resolve(data.toString())));
    await new PortForward(config, false).portForward(
      namespace,
      pod,
      [8099],
      new PassThrough(),
      failed,
      new PassThrough(),
    );
    expect(await said).toMatch(/8099.*refused/i);
  });

  /** A local port whose connections are forwarded to `target` of the pod. */
  async function listenFor(target: number): Promise<number> {
    const forward = new PortForward(config);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      void forward.portForward(namespace, pod, [target], socket, null, socket).catch(() => socket.destroy());
    });
    ended.push(() => server.close());
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return portOf(server);
  }

  test('a killed gateway: what streams ends, the informer goes on without a list and without loss, and all works again', async () => {
    const labels = { app: 'restarted' };
    const { informer, seen, errors, lists } = await inform('restarted');
    await createMap('before', labels);
    await eventually('the informer has it', 10_000, () => seen.length === 1);
    const out = new PassThrough();
    const followed = text(out).catch((error: unknown) => error);
    await new Log(config).log(namespace, pod, 'main', out, { follow: true });
    const socket = await new Exec(config).exec(
      namespace,
      pod,
      'main',
      ['sleep', '600'],
      new PassThrough(),
      null,
      null,
      false,
    );
    const closed = new Promise<void>((resolve) => {
      socket.addEventListener('close', () => resolve());
    });
    await restartGateway();
    await closed;
    out.destroy(); // the client does not end it
    await followed;

    await eventually('the informer has told of its broken watch', 10_000, () => errors.length > 0);
    await createWhenTaken('meanwhile', labels);
    await core.deleteNamespacedConfigMap({ namespace, name: 'before' });
    await informer.start(); // as the client asks of its user after an error
    await createMap('after', labels);
    await eventually('the informer has it all', 10_000, () => seen.length >= 4);
    expect(seen).toEqual(['add before', 'add meanwhile', 'delete before', 'add after']);
    expect(lists()).toBe(1);

    await eventually(
      'the pod can be reached again',
      20_000,
      async () => (await exec(['echo', 'again'])).out === 'again\n',
    );
    expect(await ask(await listenFor(8080), 'again')).toBe('AGAIN');
    expect((await lines({ tailLines: 1 }))[0]).toMatch(/^tick/);
  });

  test('a compacted history: a watch is told 410, and the informer lists anew and tells what it has missed', async () => {
    const labels = { app: 'compacted' };
    await createMap('kept', labels);
    await createMap('gone', labels);
    const { informer, seen, lists } = await inform('compacted');
    const { resourceVersion } = (await core.listNamespacedConfigMap({ namespace })).metadata ?? {};
    await informer.stop();
    await core.deleteNamespacedConfigMap({ namespace, name: 'gone' });
    await createMap('new', labels);
    // What a compaction leaves. The gateway that runs would only look at its own; the next one reads where it begins.
    await runSql(databaseUrl(up.home), 'update store_writer set compacted = revision');
    await restartGateway();

    const events: unknown[] = [];
    const error = await new Promise<unknown>((resolve, reject) => {
      const each = (type: string, object: V1Status): unknown => events.push([type, object.code, object.reason]);
      new Watch(config).watch(mapsPath, { resourceVersion }, each, resolve).catch(reject);
    });
    expect([events, error]).toEqual([[['ERROR', 410, 'Expired']], null]);
    const exact = { namespace, resourceVersion: resourceVersion ?? '', resourceVersionMatch: 'Exact' };
    await expect(core.listNamespacedConfigMap(exact)).rejects.toMatchObject({ code: 410 });

    expect(lists()).toBe(1);
    await informer.start();
    await eventually('the informer has caught up', 10_000, () => seen.length >= 4);
    await createMap('later', labels);
    await eventually('the informer follows again', 10_000, () => seen.length >= 5);
    expect(seen).toEqual(['add gone', 'add kept', 'delete gone', 'add new', 'add later']);
    expect(lists()).toBe(2);
  });
});

interface Executed {
  readonly out: string;
  readonly err: string;
  readonly status: V1Status;
}

interface Informed {
  readonly informer: Informer<V1ConfigMap> & ObjectCache<V1ConfigMap>;
  readonly seen: readonly string[];
  readonly errors: readonly unknown[];
  readonly lists: () => number;
}

const merge = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);

function podOf(name: string, script: string): V1Pod {
  const containers = [{ name: 'main', image: 'node', command: ['node', '-e', script] }];
  return { metadata: { name }, spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers } };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port; // it listens on TCP
}

/** What comes back for `said`, as many characters. */
function ask(port: number, said: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(said));
    socket.setTimeout(20_000, () =>
      socket.destroy(new Error(`${heard.length} of ${said.length} characters came back`)),
    );
    socket.on('error', reject).on('data', (data) => {
      heard += data.toString();
      if (heard.length < said.length) return;
      socket.destroy();
      resolve(heard);
    });
  });
}
