/** Random clusters with policies, the same for the same seed, and random changes to them. */
import type { Namespace, Node, Pod } from '../../../src/api/types/core.ts';
import type { LabelSelector } from '../../../src/api/types/meta.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../../src/api/types/networking.ts';
import type { PolicyInput } from '../../../src/netpolicy/compile.ts';

export interface PolicyWorld {
  readonly pods: Pod[];
  readonly namespaces: Namespace[];
  readonly nodes: Node[];
  readonly policies: NetworkPolicy[];
}

export type Random = (below: number) => number;

/** A generator of integers in [0, below): mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const nodes = ['n1', 'n2', 'n3'];
const namespaces = ['x', 'y', 'z'];
export const protocols = ['TCP', 'UDP', 'SCTP'] as const;
export const ports = [53, 80, 81, 443, 8080];
const portNames = ['http', 'dns', 'alt'];

export function emptyWorld(): PolicyWorld {
  return { pods: [], namespaces: [], nodes: [], policies: [] };
}

export type WorldChange = { readonly upsert: PolicyInput } | { readonly remove: readonly [string, string, string] };

/** Puts the change into `world`, so that the oracle sees it. */
export function applyChange(world: PolicyWorld, change: WorldChange): void {
  const [kind, namespace, name] =
    'remove' in change
      ? change.remove
      : [change.upsert.kind, change.upsert.metadata.namespace ?? '', change.upsert.metadata.name];
  const list = listOf(world, kind);
  const at = list.findIndex(({ metadata }) => metadata.name === name && (metadata.namespace ?? '') === namespace);
  if (at >= 0) list.splice(at, 1);
  if ('upsert' in change) list.push(change.upsert);
}

export function randomChange(random: Random): WorldChange {
  const pick = random(20);
  const removes = random(5) === 0;
  if (pick < 9) {
    const [namespace, name] = [one(random, namespaces), `p${random(8)}`];
    return removes ? { remove: ['Pod', namespace, name] } : { upsert: randomPod(random, namespace, name) };
  }
  if (pick < 16) {
    const [namespace, name] = [one(random, namespaces), `np${random(4)}`];
    return removes ? { remove: ['NetworkPolicy', namespace, name] } : { upsert: randomPolicy(random, namespace, name) };
  }
  if (pick < 18) {
    const name = one(random, namespaces);
    return removes
      ? { remove: ['Namespace', '', name] }
      : { upsert: { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: randomLabels(random) }, spec: {} } };
  }
  const name = one(random, nodes);
  if (removes) return { remove: ['Node', '', name] };
  const address = `192.168.0.${1 + nodes.indexOf(name)}`;
  const status = {
    addresses: [
      { type: 'InternalIP', address },
      { type: 'Hostname', address: name },
    ],
  };
  return { upsert: { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {}, status } };
}

/** Addresses of the pods, the nodes and the outside, to ask about. */
export function randomAddress(random: Random, family: 4 | 6): string {
  if (family === 6) return random(6) === 0 ? '2001:db8::1' : `fd00:10::${random(24)}`;
  const pick = random(12);
  if (pick === 0) return '203.0.113.9';
  if (pick === 1) return `192.168.0.${1 + random(3)}`;
  return `10.244.0.${random(24)}`;
}

export function one<T>(random: Random, list: readonly T[]): T {
  const item = list[random(list.length)];
  if (item === undefined) throw new Error('an empty list has nothing to pick');
  return item;
}

// A pod's address follows from its name, so that no two live pods share one.
function randomPod(random: Random, namespace: string, name: string): Pod {
  const host = namespaces.indexOf(namespace) * 8 + Number(name.slice(1));
  const hostNetwork = random(12) === 0;
  const phase = one(random, ['Running', 'Running', 'Running', 'Running', 'Pending', 'Succeeded', 'Failed']);
  const podIPs =
    random(12) === 0 ? [] : [{ ip: `10.244.0.${host}` }, ...(random(3) === 0 ? [] : [{ ip: `fd00:10::${host}` }])];
  const declared = portNames
    .filter(() => random(2) === 0)
    .map((port) => ({ name: port, containerPort: one(random, ports), protocol: one(random, protocols) }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid: `${namespace}-${name}`, labels: randomLabels(random) },
    spec: { nodeName: one(random, nodes), hostNetwork, containers: [{ name: 'main', ports: declared }] },
    status: { phase, podIPs: hostNetwork ? [{ ip: '192.168.0.1' }] : podIPs },
  };
}

function randomPolicy(random: Random, namespace: string, name: string): NetworkPolicy {
  const rules = (): { peers: NetworkPolicyPeer[]; ports: NetworkPolicyPort[] }[] =>
    times(random(3), () => ({
      peers: times(random(3), () => randomPeer(random)),
      ports: times(random(3), () => randomPort(random)),
    }));
  const policyTypes = one(random, [[], ['Ingress'], ['Egress'], ['Ingress', 'Egress']]);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    spec: {
      podSelector: randomSelector(random),
      ...(policyTypes.length === 0 ? {} : { policyTypes }),
      ingress: rules().map(({ peers, ports }) => ({ from: peers, ports })),
      egress: rules().map(({ peers, ports }) => ({ to: peers, ports })),
    },
  };
}

function randomPeer(random: Random): NetworkPolicyPeer {
  const blocks = [
    { cidr: '10.244.0.0/24', except: ['10.244.0.8/29', '10.244.0.3/32'] },
    { cidr: '10.244.0.0/28' },
    { cidr: '0.0.0.0/0', except: ['10.244.0.0/16'] },
    { cidr: 'fd00:10::/64', except: ['fd00:10::8/125'] },
    { cidr: '::/0' },
    { cidr: '192.168.0.0/30' },
  ];
  if (random(3) === 0) return { ipBlock: one(random, blocks) };
  const podSelector = random(3) > 0 ? { podSelector: randomSelector(random) } : {};
  const namespaceSelector =
    random(2) === 0 || !('podSelector' in podSelector) ? { namespaceSelector: randomSelector(random) } : {};
  return { ...podSelector, ...namespaceSelector };
}

function randomPort(random: Random): NetworkPolicyPort {
  const protocol = random(3) === 0 ? {} : { protocol: one(random, protocols) };
  switch (random(4)) {
    case 0:
      return protocol;
    case 1:
      return { ...protocol, port: one(random, portNames) };
    case 2:
      return { ...protocol, port: 80, endPort: one(random, [80, 81, 443]) };
    default:
      return { ...protocol, port: one(random, ports) };
  }
}

function randomSelector(random: Random): LabelSelector {
  const key = one(random, ['app', 'tier', 'team']);
  const values = ['a', 'b', ''].filter(() => random(2) === 0);
  switch (random(6)) {
    case 0:
      return {};
    case 1:
      return { matchExpressions: [{ key, operator: one(random, ['Exists', 'DoesNotExist']) }] };
    case 2:
      return { matchExpressions: [{ key, operator: 'NotIn', values: ['a', ...values] }] };
    case 3:
      return { matchExpressions: [{ key, operator: 'In', values: ['b', ...values] }] };
    case 4:
      return { matchLabels: { app: 'a' }, matchExpressions: [{ key, operator: 'Exists' }] };
    default:
      return { matchLabels: { [key]: one(random, ['a', 'b']) } };
  }
}

function randomLabels(random: Random): Record<string, string> {
  const keys = ['app', 'tier', 'team', 'unmentioned'].filter(() => random(2) === 0);
  return Object.fromEntries(keys.map((key) => [key, one(random, ['a', 'b', ''])]));
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

function listOf(world: PolicyWorld, kind: string): PolicyInput[] {
  switch (kind) {
    case 'Pod':
      return world.pods;
    case 'Namespace':
      return world.namespaces;
    case 'Node':
      return world.nodes;
    default:
      return world.policies;
  }
}
