/**
 * NetworkPolicy read as plainly as it is written: every question looks at all objects anew, with no index, no set and
 * no code of the compiler. Slow and obvious on purpose.
 */
import ipaddr from 'ipaddr.js';
import type { Pod } from '../../../src/api/types/core.ts';
import type { LabelSelector } from '../../../src/api/types/meta.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../../src/api/types/networking.ts';
import type { PolicyWorld } from './world.ts';

export interface Question {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly port: number;
}

export function oracleAllows(world: PolicyWorld, { from, to, protocol, port }: Question): boolean {
  const [source, destination] = [podAt(world, from), podAt(world, to)];
  if (source !== undefined && source === destination) return true;
  if (source !== undefined && !sideAllows(world, 'Egress', source, to, destination, protocol, port)) return false;
  if (destination === undefined) return true;
  const node = world.nodes.find(({ metadata }) => metadata.name === destination.spec.nodeName);
  if (node?.status?.addresses?.some(({ address }) => same(address, from)) === true) return true;
  return sideAllows(world, 'Ingress', destination, from, destination, protocol, port);
}

function sideAllows(
  world: PolicyWorld,
  direction: 'Ingress' | 'Egress',
  subject: Pod,
  peer: string,
  destination: Pod | undefined,
  protocol: string,
  port: number,
): boolean {
  const isolating = world.policies.filter(
    (policy) =>
      policy.metadata.namespace === subject.metadata.namespace &&
      typesOf(policy).includes(direction) &&
      labelsMatch(policy.spec.podSelector ?? {}, subject.metadata.labels ?? {}),
  );
  if (isolating.length === 0) return true;
  return isolating.some((policy) =>
    rulesOf(policy, direction).some(
      ({ peers, ports }) =>
        (peers.length === 0 || peers.some((one) => peerMatches(world, policy, one, peer))) &&
        (ports.length === 0 || ports.some((one) => portMatches(one, destination, protocol, port))),
    ),
  );
}

function rulesOf(
  policy: NetworkPolicy,
  direction: 'Ingress' | 'Egress',
): readonly { peers: readonly NetworkPolicyPeer[]; ports: readonly NetworkPolicyPort[] }[] {
  return direction === 'Ingress'
    ? (policy.spec.ingress ?? []).map(({ from, ports }) => ({ peers: from ?? [], ports: ports ?? [] }))
    : (policy.spec.egress ?? []).map(({ to, ports }) => ({ peers: to ?? [], ports: ports ?? [] }));
}

function typesOf({ spec }: NetworkPolicy): readonly string[] {
  if ((spec.policyTypes ?? []).length > 0) return spec.policyTypes ?? [];
  return (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

function peerMatches(world: PolicyWorld, policy: NetworkPolicy, peer: NetworkPolicyPeer, address: string): boolean {
  if (peer.ipBlock !== undefined) {
    return inBlock(peer.ipBlock.cidr, address) && !(peer.ipBlock.except ?? []).some((hole) => inBlock(hole, address));
  }
  const pod = podAt(world, address);
  if (pod === undefined) return false;
  if (peer.podSelector !== undefined && !labelsMatch(peer.podSelector, pod.metadata.labels ?? {})) return false;
  if (peer.namespaceSelector === undefined) {
    return peer.podSelector !== undefined && pod.metadata.namespace === policy.metadata.namespace;
  }
  const namespace = world.namespaces.find(({ metadata }) => metadata.name === pod.metadata.namespace);
  return namespace !== undefined && labelsMatch(peer.namespaceSelector, namespace.metadata.labels ?? {});
}

function portMatches(wanted: NetworkPolicyPort, destination: Pod | undefined, protocol: string, port: number): boolean {
  if ((wanted.protocol ?? 'TCP') !== protocol) return false;
  if (wanted.port === undefined) return true;
  if (typeof wanted.port === 'number') return port >= wanted.port && port <= (wanted.endPort ?? wanted.port);
  const ports = (destination?.spec.containers ?? []).flatMap((container) => container.ports ?? []);
  const named = ports.find((one) => one.name === wanted.port && (one.protocol ?? 'TCP') === protocol);
  return named?.containerPort === port;
}

function podAt(world: PolicyWorld, address: string): Pod | undefined {
  return world.pods.find(
    ({ spec, status }) =>
      spec.hostNetwork !== true &&
      (spec.nodeName ?? '') !== '' &&
      status?.phase !== 'Succeeded' &&
      status?.phase !== 'Failed' &&
      (status?.podIPs ?? []).some(({ ip }) => same(ip, address)),
  );
}

function labelsMatch(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const exact = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  const expressions = (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
    const value = labels[key];
    if (operator === 'In') return value !== undefined && (values ?? []).includes(value);
    if (operator === 'NotIn') return value === undefined || !(values ?? []).includes(value);
    return operator === 'Exists' ? value !== undefined : value === undefined;
  });
  return exact && expressions;
}

function inBlock(cidr: string, text: string): boolean {
  const [network, prefix] = ipaddr.parseCIDR(cidr);
  const address = ipaddr.parse(text);
  return address.kind() === network.kind() && address.match(network, prefix);
}

function same(a: string, b: string): boolean {
  return ipaddr.isValid(a) && ipaddr.parse(a).toNormalizedString() === ipaddr.parse(b).toNormalizedString();
}
