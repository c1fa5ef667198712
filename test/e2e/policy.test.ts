import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digest } from '../../src/netpolicy/digest.ts';
import { needs } from '../support/needs.ts';
import type { Ended, Up } from './support/up.ts';
import { besidePods, eventually, isRunning, run, startUp } from './support/up.ts';

const able = needs(
  'network policy, end to end',
  ['namespaces', 'ip', 'nft', 'kubectl', 'nsenter'],
  'apt-get install kubernetes-client nftables iproute2 util-linux; sysctl user.max_user_namespaces=10000',
);
const namespace = 'fenced';
const range = `10.${100 + (process.pid % 100)}.0.0/16`;

/**
 * What every pod runs: says hello on 8080; on 9090 it dials for us whom we name (the node always reaches its pods). With
 * FIRST in its environment it dials that from its first instant on, and remembers whether it was ever answered.
 */
const program = `
const net = require('net');
const dial = (host, port, ms) => new Promise((resolve) => {
  const socket = net.connect({ host, port: Number(port) });
  const end = (outcome) => { clearTimeout(timer); socket.destroy(); resolve(outcome); };
  const timer = setTimeout(end, ms, 'silent');
  socket.on('data', () => end('answered')).on('error', () => end('refused'));
});
const first = { tried: 0, answered: 0 };
const again = async () => {
  const [host, port] = process.env.FIRST.split(':');
  first.tried += 1;
  if ((await dial(host, port, 100)) === 'answered') first.answered += 1;
  setTimeout(again, 5);
};
if (process.env.FIRST) again();
net.createServer((socket) => { socket.on('error', () => {}); socket.end('hello'); }).listen(8080);
require('http').createServer(async (request, response) => {
  const to = request.url.slice(1).split(':');
  response.end(to[0] === 'first' ? JSON.stringify(first) : await dial(to[0], to[1], 1500));
}).listen(9090);
`;

describe.runIf(able)('network policy on a cluster of two nodes', () => {
  let up: Up;
  const address = new Map<string, string>();

  const apply = (object: object): Promise<string> =>
    up.kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) });
  const addressOf = (pod: string): Promise<string> =>
    eventually(`pod ${pod} runs`, 30_000, async () => {
      const text = await up.kubectl(['-n', namespace, 'get', 'pod', pod, '-o', 'json']);
      const { status } = JSON.parse(text) as { readonly status: { readonly phase: string; readonly podIP?: string } };
      return status.phase === 'Running' ? status.podIP : undefined;
    });
  const onNodes = (command: readonly string[]): Promise<Ended> => {
    const [program = '', ...args] = [...(besidePods(up.home) ?? []), ...command];
    return run(program, args, { ms: 5_000 });
  };
  const ask = async (pod: string, what: string): Promise<string> =>
    eventually(`pod ${pod} answers its node`, 20_000, async () => {
      const script =
        'fetch(process.argv[1]).then((answer) => answer.text()).then((text) => process.stdout.write(text))';
      const url = `http://${address.get(pod)}:9090/${what}`;
      const { code, stdout } = await onNodes([process.execPath, '-e', script, url]);
      return code === 0 && stdout;
    });
  const settles = (pod: string, to: string, outcome: string): Promise<boolean> =>
    eventually(`${pod} dialling ${to} is ${outcome}`, 15_000, async () => (await ask(pod, to)) === outcome);
  const start = async (name: string, node: string, first?: string): Promise<void> => {
    await apply(pod(name, node, first));
    address.set(name, await addressOf(name));
  };
  const service = async (): Promise<string> =>
    `${(await up.kubectl(['-n', namespace, 'get', 'service', 'db', '-o', 'jsonpath={.spec.clusterIP}'])).trim()}:80`;

  beforeAll(async () => {
    up = await startUp(['--nodes', '2', '--dataplane', 'nftables', '--runtime', 'process', '--cluster-cidr', range]);
    await up.kubectl(['create', 'namespace', namespace]);
    await apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'db', namespace },
      spec: { selector: { app: 'db' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await start('db', 'node-1');
    await start('api', 'node-1');
    await start('far', 'node-2');
    await start('stranger', 'node-2');
  }, 180_000);

  afterAll(async () => {
    await up?.stop();
  }, 90_000);

  test('without a policy every pod reaches every pod, by its address and by its service', async () => {
    for (const from of ['api', 'far', 'stranger']) {
      await settles(from, `${address.get('db')}:8080`, 'answered');
      await settles(from, await service(), 'answered');
    }
  }, 90_000);

  test('a policy admits whom it names and nobody else, by address and by service, on the same node and on another', async () => {
    await apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'db', namespace },
      spec: {
        podSelector: { matchLabels: { app: 'db' } },
        ingress: [
          { from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['api', 'far'] }] } }] },
        ],
      },
    });
    for (const to of [`${address.get('db')}:8080`, await service()]) {
      await settles('stranger', to, 'silent');
      for (const from of ['api', 'far']) expect(await ask(from, to), `${from} to ${to}`).toBe('answered');
    }
  }, 90_000);

  test('the node says which generation of its allow-list is in force', async () => {
    await eventually('generation and report agree', 10_000, async () => {
      const list = JSON.parse(await up.kubectl(['get', 'nodeallowlists', 'node-1', '-o', 'json'])) as {
        readonly metadata: { readonly generation: number };
        readonly status?: { readonly observedGeneration?: number; readonly backend?: string };
      };
      return list.status?.backend === 'nftables' && list.status.observedGeneration === list.metadata.generation;
    });
  });

  test('a new pod that no policy admits is never answered, from its first instant', async () => {
    await start('late', 'node-2', `${address.get('db')}:8080`);
    const { tried, answered } = await eventually('it has dialled', 20_000, async () => {
      const seen = JSON.parse(await ask('late', 'first')) as { readonly tried: number; readonly answered: number };
      return seen.tried > 10 && seen;
    });
    expect({ tried: tried > 10, answered }).toEqual({ tried: true, answered: 0 });
  }, 60_000);

  test('what is refused stays refused while the agent is killed and when its successor is back', async () => {
    const before = up.pid('node-1');
    process.kill(before, 'SIGKILL');
    await eventually('it is dead', 5_000, () => !isRunning(before));
    const db = `${address.get('db')}:8080`;
    expect([await ask('stranger', db), await ask('api', db)]).toEqual(['silent', 'answered']);
    await eventually('a successor runs', 20_000, () => up.pid('node-1') !== before && isRunning(up.pid('node-1')));
    for (let round = 0; round < 3; round++) {
      expect([await ask('stranger', db), await ask('api', db)]).toEqual(['silent', 'answered']);
    }
  }, 90_000);

  test('an allow-list that somebody deletes is written again', async () => {
    await up.kubectl(['delete', 'nodeallowlists', 'node-1']);
    await eventually('it is back', 10_000, () => up.kubectl(['get', 'nodeallowlists', 'node-1']));
    await settles('api', `${address.get('db')}:8080`, 'answered');
    expect(await ask('stranger', `${address.get('db')}:8080`)).toBe('silent');
  }, 60_000);

  test('what was stopped leaves no rules and no routes behind', async () => {
    await up.end();
    if (besidePods(up.home) === undefined) return; // the namespaces are gone, and all that was in them
    const { stdout: tables } = await onNodes(['nft', 'list', 'tables']);
    const own = ['node-1', 'node-2'].map((name) => `gatehouse_${digest(`${up.home} ${name}`).slice(0, 12)}`);
    expect(own.filter((name) => tables.includes(name))).toEqual([]);
    const { stdout: routes } = await onNodes(['ip', 'route']);
    expect([...address.values()].filter((one) => routes.includes(`${one} `))).toEqual([]);
  }, 90_000);
});

function pod(name: string, node: string, first: string | undefined): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: 'none',
          command: ['node', '-e', program],
          ...(first === undefined ? {} : { env: [{ name: 'FIRST', value: first }] }),
        },
      ],
    },
  };
}
