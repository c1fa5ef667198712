import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NetworkPolicySpec } from '../../../src/api/types/networking.ts';
import type { DataPlane } from '../../../src/netpolicy/backends/backend.ts';
import { createNftables } from '../../../src/netpolicy/backends/nftables.ts';
import { digest } from '../../../src/netpolicy/digest.ts';
import { compileAllowLists } from '../../../src/netpolicy/plan.ts';
import type { ServicePort } from '../../../src/netpolicy/service-map.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { needs } from '../../support/needs.ts';
import type { PlacedPod } from './cluster.ts';
import { clusterOf } from './cluster.ts';
import type { LabPod } from './lab.ts';
import { Lab } from './lab.ts';
import { talker } from './pod-programs.ts';
import { serviceProbes } from './service-probes.ts';

const canRun = needs(
  'network namespaces and nft',
  ['root', 'ip', 'nft', 'conntrack'],
  'apt-get install iproute2 nftables conntrack, and run as root (an ordinary user: nftables-rootless)',
);

// Nodes n1 (pods a, b, c) and n2 (pod d) in one host namespace: each judges only its own pods.
const homes: Readonly<Record<string, string>> = { a: 'n1', b: 'n1', c: 'n1', d: 'n2' };

describe.runIf(canRun)('the nftables data plane, with real packets', () => {
  const lab = new Lab();
  const pods: Record<string, LabPod> = {};
  const planes = new Map<string, DataPlane>();
  const pod = (name: string): LabPod => pods[name] ?? expect.fail(`no pod ${name}`);
  const plane = (node: string): DataPlane => planes.get(node) ?? expect.fail(`no node ${node}`);
  const tcp = (name: string, port = 8080) => ({ to: pod(name).v4, port, protocol: 'TCP' as const });

  const open = (node: string): Promise<DataPlane> =>
    createNftables({
      node,
      commandPrefix: lab.hostPrefix,
      serveOthers: node === 'n1',
      lookMs: 500,
      clock: systemClock,
      log: silentLogger,
    });

  const enforce = async (...policies: readonly NetworkPolicySpec[]): Promise<void> => {
    const { lists, slices } = compileAllowLists(clusterOf(nodes, placed(pods), policies));
    for (const allowList of lists) await plane(allowList.metadata.name).apply({ allowList, slices });
  };

  beforeAll(async () => {
    lab.open();
    for (const [i, name] of Object.keys(homes).entries()) pods[name] = await lab.addPod(name, i + 1);
    for (const node of ['n1', 'n2']) {
      planes.set(node, await open(node));
      await plane(node).start();
    }
    for (const [name, node] of Object.entries(homes)) {
      const { v4, v6, interface: link } = pod(name);
      await plane(node).podAdded({ uid: `uid-${name}`, addresses: [v4, v6], interface: link });
    }
  });

  const rulesOf = (node: string): number =>
    lab
      .inHost('nft', '-a', 'list', 'ruleset')
      .split(`table inet ${tableOf(node)} `)[1]
      ?.split('\n}')[0]
      ?.match(/^\t\t.* # handle/gm)?.length ?? 0;

  afterAll(() => {
    for (const one of planes.values()) void one.stop({ leaveRules: true });
    lab.close();
  });

  test('a pod that no list holds may neither send nor receive, and that is counted', () => {
    const before = lab.counted('denied_egress');
    expect(lab.dial(pod('a'), tcp('b'))).toBe('silent');
    expect(lab.dial(pod('a'), { to: pod('d').v6, port: 8080, protocol: 'TCP' })).toBe('silent');
    expect(lab.dial(pod('a'), { to: '10.200.255.1', port: 9, protocol: 'TCP' })).toBe('silent');
    expect(lab.counted('denied_egress')).toBeGreaterThan(before);
  });

  test('pods that nothing isolates reach each other in both families, on the same and on another node', async () => {
    await enforce();
    for (const [from, to] of ['ab', 'ad', 'da'].map((pair) => pair.split(''))) {
      expect(lab.dial(pod(from ?? ''), tcp(to ?? ''))).toBe('answered');
      expect(lab.dial(pod(from ?? ''), { to: pod(to ?? '').v6, port: 53, protocol: 'UDP' })).toBe('answered');
    }
  });

  test('ingress is judged by peer and port: others are dropped and counted, and pass once the policy is gone', async () => {
    await enforce(
      spec({ podSelector: name('b'), ingress: [{ from: [{ podSelector: name('a') }], ports: [{ port: 8080 }] }] }),
    );
    const before = lab.counted('denied_ingress');
    expect(lab.dial(pod('a'), tcp('b'))).toBe('answered');
    expect(lab.dial(pod('a'), tcp('b', 8081))).toBe('silent');
    expect(lab.dial(pod('c'), tcp('b'))).toBe('silent');
    expect(lab.dial(pod('d'), { to: pod('b').v6, port: 8080, protocol: 'TCP' })).toBe('silent');
    expect(lab.dial(pod('a'), { to: pod('b').v4, port: 53, protocol: 'UDP' })).toBe('silent');
    expect(lab.dial('host', tcp('b', 8081))).toBe('answered');
    expect(lab.counted('denied_ingress')).toBeGreaterThanOrEqual(before + 4);
    await enforce();
    expect(lab.dial(pod('c'), tcp('b'))).toBe('answered');
  });

  test('between two nodes that share a host the one judges egress and the other ingress', async () => {
    await enforce(
      spec({ podSelector: name('d'), policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: name('b') }] }] }),
    );
    expect([lab.dial(pod('b'), tcp('d')), lab.dial(pod('a'), tcp('d'))]).toEqual(['answered', 'silent']);
    const block = { cidr: '10.200.0.0/24', except: [`${pod('d').v4}/32`] };
    await enforce(spec({ podSelector: name('b'), policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: block }] }] }));
    expect([lab.dial(pod('b'), tcp('d')), lab.dial(pod('b'), tcp('a'))]).toEqual(['silent', 'answered']);
  });

  test('egress to a port name opens the number that the destination gave it, and no other', async () => {
    await enforce(spec({ podSelector: name('a'), policyTypes: ['Egress'], egress: [{ ports: [{ port: 'web' }] }] }));
    expect([lab.dial(pod('a'), tcp('b')), lab.dial(pod('a'), tcp('b', 8081))]).toEqual(['answered', 'silent']);
  });

  test('a service leads to its endpoints, a pod behind it may reach itself, and without endpoints it is refused', async () => {
    await enforce();
    await serve(planes, [
      service('10.96.0.10', 80, [`${pod('b').v4}:8080`, `${pod('d').v4}:8080`]),
      service('10.96.0.11', 80, []),
      service('10.96.0.12', 80, [`${pod('a').v4}:8080`]),
      service('10.96.0.13', 53, [`${pod('b').v4}:53`], 'UDP'),
    ]);
    const seen = new Set(Array.from({ length: 12 }, () => lab.dialFor(pod('a'), dialled('10.96.0.10')).who));
    expect([...seen].toSorted()).toEqual(['b', 'd']);
    expect(lab.dial(pod('d'), dialled('10.96.0.10'))).toBe('answered');
    expect(lab.dial('host', dialled('10.96.0.10'))).toBe('answered');
    expect(lab.dial(pod('a'), dialled('10.96.0.11'))).toBe('refused');
    expect(lab.dial(pod('a'), dialled('10.96.0.10', 81))).toBe('refused');
    expect(lab.dial(pod('a'), dialled('10.96.0.12'))).toBe('answered');
    expect(lab.dial(pod('c'), { to: '10.96.0.13', port: 53, protocol: 'UDP' })).toBe('answered');
  });

  serviceProbes(() => ({
    addresses: { a: pod('a').v4, b: pod('b').v4, c: pod('c').v4 },
    services: ['10.96.1.1', '10.96.1.2'],
    enforce: (policies) => enforce(...policies),
    serve: (services) => serve(planes, services),
    dial: (from, dial) => Promise.resolve(lab.dialFor(pod(from), dial)),
  }));

  test('behind a service the endpoint and its port are judged', async () => {
    await serve(planes, [service('10.96.0.10', 80, [`${pod('b').v4}:8080`])]);
    await enforce(
      spec({ podSelector: name('b'), ingress: [{ from: [{ podSelector: name('a') }], ports: [{ port: 8080 }] }] }),
    );
    expect(lab.dial(pod('a'), dialled('10.96.0.10'))).toBe('answered');
    expect(lab.dial(pod('c'), dialled('10.96.0.10'))).toBe('silent');
  });

  test('a connection that a change forbids is cut, one that stays allowed goes on', async () => {
    await enforce();
    const [cut, kept] = [await connect(lab, pod('a'), tcp('b')), await connect(lab, pod('a'), tcp('c'))];
    expect([await cut.exchange(), await kept.exchange()]).toEqual(['answered', 'answered']);
    await enforce(spec({ podSelector: name('b'), policyTypes: ['Ingress'] }));
    expect([await cut.exchange(), await kept.exchange()]).toEqual(['silent', 'answered']);
    for (const one of [cut, kept]) one.end();
  });

  test('a source address that is not the pod’s own leaves no packet behind', async () => {
    await enforce();
    const before = lab.counted('spoofed');
    lab.inHost('ip', 'netns', 'exec', pod('c').prefix[3] ?? '', 'ip', 'addr', 'add', `${pod('a').v4}/32`, 'dev', 'lo');
    lab.inHost(
      'ip',
      'netns',
      'exec',
      pod('c').prefix[3] ?? '',
      'ip',
      'route',
      'replace',
      'default',
      'via',
      '169.254.1.1',
      'dev',
      'eth0',
      'src',
      pod('a').v4,
    );
    expect(lab.dial(pod('c'), tcp('b'))).toBe('silent');
    expect(lab.counted('spoofed')).toBeGreaterThan(before);
    lab.inHost(
      'ip',
      'netns',
      'exec',
      pod('c').prefix[3] ?? '',
      'ip',
      'route',
      'replace',
      'default',
      'via',
      '169.254.1.1',
      'dev',
      'eth0',
    );
    lab.inHost('ip', 'netns', 'exec', pod('c').prefix[3] ?? '', 'ip', 'addr', 'del', `${pod('a').v4}/32`, 'dev', 'lo');
  });

  test('what was refused stays refused when the agent is gone, and its successor takes over without a gap', async () => {
    await enforce(spec({ podSelector: name('b'), ingress: [{ from: [{ podSelector: name('a') }] }] }));
    await plane('n1').stop({ leaveRules: true });
    expect([lab.dial(pod('a'), tcp('b')), lab.dial(pod('c'), tcp('b'))]).toEqual(['answered', 'silent']);
    planes.set('n1', await open('n1'));
    expect((await plane('n1').start()).toSorted()).toEqual(
      ['a', 'b', 'c'].flatMap((one) => [pod(one).v4, pod(one).v6]).toSorted(),
    );
    for (const one of ['a', 'b', 'c']) {
      const { v4, v6, interface: link } = pod(one);
      await plane('n1').podAdded({ uid: `uid-${one}`, addresses: [v4, v6], interface: link });
    }
    expect([lab.dial(pod('a'), tcp('b')), lab.dial(pod('c'), tcp('b'))]).toEqual(['answered', 'silent']);
    await enforce();
    expect(lab.dial(pod('c'), tcp('b'))).toBe('answered');
  });

  test('an address freed before a successor has its list gives its heir nothing', async () => {
    await enforce();
    await plane('n1').stop({ leaveRules: true });
    planes.set('n1', await open('n1'));
    await plane('n1').start();
    await plane('n1').podRemoved([pod('a').v4, pod('a').v6]);
    await plane('n1').podAdded({
      uid: 'uid-heir',
      addresses: [pod('a').v4, pod('a').v6],
      interface: pod('a').interface,
    });
    expect(lab.dial(pod('a'), tcp('b'))).toBe('silent');
    await plane('n1').podRemoved([pod('a').v4, pod('a').v6]);
    for (const one of ['a', 'b', 'c']) {
      const { v4, v6, interface: link } = pod(one);
      await plane('n1').podAdded({ uid: `uid-${one}`, addresses: [v4, v6], interface: link });
    }
    await enforce();
    expect(lab.dial(pod('a'), tcp('b'))).toBe('answered');
  });

  test('an heir of an address is denied until a list holds it by its own uid', async () => {
    await plane('n1').podRemoved([pod('c').v4, pod('c').v6]);
    await plane('n1').podAdded({
      uid: 'uid-heir',
      addresses: [pod('c').v4, pod('c').v6],
      interface: pod('c').interface,
    });
    await enforce();
    expect(lab.dial(pod('c'), tcp('b'))).toBe('silent');
  });

  test('a table that somebody flushed is written anew by the next change', async () => {
    lab.inHost('nft', 'flush', 'ruleset');
    await enforce(spec({ podSelector: name('b'), policyTypes: ['Ingress'] }));
    expect(lab.dial(pod('a'), tcp('b'))).toBe('silent');
  });

  test.for([
    ['flushed with all others', ['flush', 'ruleset']],
    ['emptied of its rules', ['flush', 'table', 'inet', tableOf('n1')]],
    ['deleted', ['delete', 'table', 'inet', tableOf('n1')]],
  ] as const)('a table that is %s stands again within seconds, without a change', async ([, command]) => {
    await enforce(spec({ podSelector: name('b'), policyTypes: ['Ingress'] }));
    await systemClock.sleep(1_200); // it has been looked at
    const before = rulesOf('n1');
    lab.inHost('nft', ...command);
    expect(rulesOf('n1')).toBe(0);
    for (let tries = 0; tries < 50 && rulesOf('n1') < before; tries++) await systemClock.sleep(200);
    expect(rulesOf('n1')).toBe(before);
    expect(lab.dial(pod('a'), tcp('b'))).toBe('silent');
  });

  test('nothing is left when the back end is told to take its rules away', async () => {
    await plane('n1').stop({ leaveRules: false });
    await plane('n2').stop({ leaveRules: false });
    expect(lab.inHost('nft', 'list', 'ruleset')).toBe('');
  });
});

function tableOf(node: string): string {
  return `gatehouse_${digest(node).slice(0, 12)}`;
}

const nodes = { n1: ['10.200.255.1'], n2: ['10.200.255.2'] };

function placed(pods: Readonly<Record<string, LabPod>>): readonly PlacedPod[] {
  return Object.values(pods).map(({ name: podName, v4, v6 }) => ({
    name: podName,
    node: homes[podName] ?? '',
    addresses: [v4, v6],
  }));
}

// Names its argument's type where it is written.
function spec(policy: NetworkPolicySpec): NetworkPolicySpec {
  return policy;
}

function name(value: string): { readonly matchLabels: Readonly<Record<string, string>> } {
  return { matchLabels: { name: value } };
}

function dialled(to: string, port = 80): { to: string; port: number; protocol: 'TCP' } {
  return { to, port, protocol: 'TCP' };
}

function service(
  address: string,
  port: number,
  endpoints: readonly string[],
  protocol: 'TCP' | 'UDP' = 'TCP',
): ServicePort {
  const parsed = endpoints
    .map((one) => one.split(':'))
    .map(([host = '', number]) => ({ address: host, port: Number(number) }));
  return { name: `x/${address}`, address, protocol, port, endpoints: parsed };
}

async function serve(planes: ReadonlyMap<string, DataPlane>, services: readonly ServicePort[]): Promise<void> {
  for (const one of planes.values()) await one.applyServices(services);
}

/** A connection that stays open between exchanges. */
async function connect(
  lab: Lab,
  from: LabPod,
  to: { readonly to: string; readonly port: number },
): Promise<{ exchange(): Promise<string>; end(): void }> {
  const [command, ...args] = [...from.prefix, process.execPath, '-e', talker, to.to, String(to.port)];
  const child = spawn(command ?? '', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  expect(await next(), `${from.name} of ${lab.host} connects`).toBe('connected');
  return {
    exchange: () => {
      child.stdin.write('x');
      return next();
    },
    end: () => child.stdin.end(),
  };
}
