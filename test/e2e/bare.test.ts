/**
 * The shop on a machine that gives neither root nor user namespaces: `up --isolation none` of an ordinary user, services
 * served and guarded in userspace, and what that does not hold said aloud.
 */
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/app/release.ts';
import { needs } from '../support/needs.ts';
import { eventually, gatehouse, isRunning, newHome, run, startUp } from './support/up.ts';
import type { Up } from './support/up.ts';

interface PodInfo {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly containerStatuses?: readonly {
      readonly ready: boolean;
      readonly restartCount: number;
      readonly containerID?: string;
      readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
    }[];
  };
}

const equipped = needs(
  'the shop without isolation',
  ['kubectl', 'setpriv', 'setsid'],
  'apt-get install kubernetes-client util-linux',
);
const shop = join(packageRoot(), 'examples/shop');
const account = 65_534;
const ordinary =
  process.getuid?.() === 0 ? ['setpriv', `--reuid=${account}`, `--regid=${account}`, '--clear-groups'] : [];
// No two runs on one machine share addresses: all of them are loopback's.
const [podBlock, serviceBlock] = [100 + (process.pid % 60), 180 + (process.pid % 60)];

/** UDP and TCP on one port, each answering with the address of who asks. */
const echo = `
const { POD_IP: host } = process.env;
const udp = require('dgram').createSocket('udp4');
udp.on('message', (_, from) => udp.send('udp ' + from.address, from.port, from.address)).bind(5300, host);
require('net').createServer((socket) => { socket.on('error', () => {}); socket.end('tcp ' + socket.remoteAddress); }).listen(5300, host);
`;

/** Asks HOST PORT by `udp` or `tcp`. */
const ask = `
const [protocol, host, port] = process.argv.slice(1);
const end = (text) => { console.log(text); process.exit(0); };
setTimeout(end, 1500, 'silent');
if (protocol === 'udp') {
  const socket = require('dgram').createSocket('udp4');
  socket.on('message', (text) => end(String(text))).on('error', () => end('refused'));
  socket.send('x', Number(port), host);
} else {
  require('net').connect(Number(port), host).on('data', (text) => end(String(text))).on('error', () => end('refused')).on('close', () => end('refused'));
}
`;

describe.runIf(equipped)('the shop where nothing can be isolated', () => {
  let up: Up;

  beforeAll(async () => {
    const home = newHome();
    if (ordinary.length > 0) chownSync(home, account, account);
    const ranges = ['--cluster-cidr', `127.${podBlock}.0.0/16`, '--service-cidr', `127.${serviceBlock}.0.0/16`];
    up = await startUp(['--isolation', 'none', ...ranges], { home, prefix: ordinary, env: { HOME: home } });
    await up.kubectl(['apply', '-f', shop]);
    await up.kubectl(['create', 'namespace', 'echo']);
    await apply(pod('echo', echo), pod('friend'), pod('stranger'), service, onlyFriends);
    await eventually('every pod runs and is ready', 60_000, async () => {
      const all = [...(await pods('shop')), ...(await pods('echo'))];
      return all.length === 8 && all.every(isReady);
    });
  });

  afterAll(async () => {
    await up?.stop();
  });

  const apply = (...objects: readonly object[]): Promise<string> =>
    up.kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) });
  const pods = async (namespace: string, app?: string): Promise<readonly PodInfo[]> => {
    const selector = app === undefined ? [] : ['-l', `app=${app}`];
    const text = await up.kubectl(['-n', namespace, 'get', 'pods', ...selector, '-o', 'json']);
    return (JSON.parse(text) as { readonly items: readonly PodInfo[] }).items;
  };
  const isReady = ({ status }: PodInfo): boolean =>
    status.phase === 'Running' && (status.containerStatuses ?? []).every(({ ready }) => ready);
  const first = async (namespace: string, app: string): Promise<PodInfo> => {
    const [found] = await pods(namespace, app);
    if (found === undefined) throw new Error(`no pod of ${app}`);
    return found;
  };
  const inside = async (namespace: string, target: string, ...command: string[]): Promise<string> => {
    const args = ['--kubeconfig', up.kubeconfig, '-n', namespace, 'exec', target, '--', ...command];
    const { stdout, stderr } = await run('kubectl', args);
    return stdout + stderr;
  };
  const inShop = (app: string, ...to: string[]): Promise<string> =>
    inside('shop', `deploy/${app}`, 'node', '/app/ask.mjs', ...to);
  const inEcho = async (name: string, ...to: string[]): Promise<string> =>
    (await inside('echo', name, 'node', '-e', ask, '--', ...to)).trim();
  const fieldOf = async (namespace: string, what: string, path: string): Promise<string> =>
    (await up.kubectl(['-n', namespace, 'get', ...what.split(' '), '-o', `jsonpath={${path}}`])).trim();

  test('up, and the node, say plainly what is not isolated and not enforced', async () => {
    const condition = await fieldOf(
      'default',
      'node node-1',
      '.status.conditions[?(@.type=="gatehouse.dev/Isolation")].message',
    );
    for (const said of [up.program.stderr(), condition]) {
      expect(said).toContain('pods are not isolated from each other or from this account');
      expect(said).toContain('policy is enforced for service traffic only');
    }
  });

  test('frontend reaches api, and api the database, by their services', async () => {
    expect(await inShop('frontend', 'api', '8080')).toContain('api answered: {"tea":4');
    expect(await inShop('api', 'database', '5432', 'cake')).toContain('database answered: 7');
  });

  test('the database refuses the frontend, and api the database, by their services', async () => {
    expect(await inShop('frontend', 'database', '5432', 'cake')).toContain('cannot be reached');
    expect(await inShop('database', 'api', '8080')).toContain('cannot be reached');
  });

  test('by its pod address it is reached past the proxy: what was said is not enforced', async () => {
    const { status } = await first('shop', 'database');
    expect(await inShop('frontend', status.podIP ?? '', '5432', 'cake')).toContain('answered: 7');
  });

  test('UDP and TCP: whom policy admits is answered, and seen by its own address; nobody else is', async () => {
    const address = await fieldOf('echo', 'service echo', '.spec.clusterIP');
    const friend = (await first('echo', 'friend')).status.podIP;
    for (const protocol of ['udp', 'tcp']) {
      expect(await inEcho('friend', protocol, address, '5300')).toBe(`${protocol} ${friend}`);
      expect(await inEcho('stranger', protocol, address, '5300')).toMatch(/^(silent|refused)$/);
    }
  });

  test("a node port answers the machine's own programs, and refuses a pod that policy does not admit", async () => {
    const port = await fieldOf('echo', 'service echo', '.spec.ports[0].nodePort');
    const node = (await first('echo', 'echo')).status.hostIP ?? '';
    for (const host of ['127.0.0.1', node]) {
      const [program, ...args] = [...ordinary, process.execPath, '-e', ask, '--', 'tcp', host, port];
      expect((await run(program, args)).stdout).toMatch(/^tcp /);
      expect(await inEcho('stranger', 'tcp', host, port)).toBe('refused');
    }
  });

  test('what a pod asks for that it cannot get waits with a reason', async () => {
    const root = pod('root');
    await apply({ ...root, spec: { ...root.spec, securityContext: { runAsUser: 0 } } });
    const waiting = await eventually('it waits', 20_000, async () => {
      return (await first('echo', 'root')).status.containerStatuses?.[0]?.state?.waiting;
    });
    expect(waiting).toMatchObject({ reason: 'CreateContainerError', message: expect.stringContaining('runAsUser 0') });
  });

  test('endpoints on loopback are refused outside of the pods own range', async () => {
    const endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'sly', namespace: 'echo' } };
    await expect(
      apply({ ...endpoints, subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ port: 22 }] }] }),
    ).rejects.toThrow('may not be in the loopback range');
  });

  test('a killed agent costs no container, and its successor serves and guards as before', async () => {
    const running = async (): Promise<readonly unknown[]> =>
      (await pods('shop')).map(({ metadata, status }) => [metadata.uid, status.containerStatuses?.[0]?.containerID]);
    const before = await running();
    const agent = up.pid('node-1');
    process.kill(agent, 'SIGKILL');
    await eventually('a successor runs', 20_000, () => up.pid('node-1') !== agent && isRunning(up.pid('node-1')));
    await eventually('services are served', 20_000, async () =>
      (await inShop('frontend', 'api', '8080')).includes('api answered'),
    );
    expect(await inShop('frontend', 'database', '5432', 'cake')).toContain('cannot be reached');
    expect(await running()).toEqual(before);
  });

  test('what was stopped leaves no process behind', async () => {
    await up.end();
    const { stdout } = await run('sh', ['-c', 'cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"']);
    expect(stdout.split('\n').filter((line) => line.startsWith(`GATEHOUSE_ROOT=${up.home}`))).toEqual([]);
  });

  test('a cluster keeps the addresses it was made with: isolated, it is not started', async () => {
    const again = ['up', '--home', up.home, '--port', String(up.port), '--runtime', 'hollow'];
    const { code, stderr } = await gatehouse(again, { HOME: up.home }, ordinary).ended;
    expect(stderr).toContain('start it with the --isolation and --service-cidr it was made with');
    expect(code).toBe(2);
  });
});

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'echo', namespace: 'echo' },
  spec: {
    type: 'NodePort',
    selector: { app: 'echo' },
    ports: [
      { name: 'tcp', port: 5300 },
      { name: 'udp', port: 5300, protocol: 'UDP' },
    ],
  },
};

const onlyFriends = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'only-friends', namespace: 'echo' },
  spec: {
    podSelector: { matchLabels: { app: 'echo' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'friend' } } }] }],
  },
};

function pod(
  name: string,
  program = 'setInterval(() => {}, 1000)',
): Readonly<Record<string, object | string>> & { readonly spec: object } {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'echo', labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: 'none',
          command: ['node', '-e', program],
          env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
        },
      ],
    },
  };
}
