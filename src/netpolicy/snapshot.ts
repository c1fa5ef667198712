/**
 * What of an object network policy depends on, and nothing else: most updates of a pod (readiness, conditions) leave
 * these facts as they were and end here.
 */
import type { Namespace, Node, Pod } from '../api/types/core.ts';
import type { TransportProtocol } from './allow-list.ts';
import { parseAddress } from './address.ts';
import type { Labels } from './selector.ts';
import { compareText } from './selector.ts';

/** A port that a container of the pod gave a name. */
export interface NamedPort {
  readonly name: string;
  readonly protocol: TransportProtocol;
  readonly port: number;
}

export interface PodFacts {
  /** `namespace/name`. */
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly labels: Labels;
  /** Sorted, each in its one spelling. */
  readonly addresses: readonly string[];
  /** The first port of each name and protocol, in the containers' order. */
  readonly ports: readonly NamedPort[];
}

/**
 * The facts of a pod that policies can concern. Undefined for the others: those that have no address or node yet,
 * those that ended (their address may have an heir), and hostNetwork pods, which are their node to everybody else.
 */
export function podFacts(pod: Pod): PodFacts | undefined {
  const { status, spec, metadata } = pod;
  if (spec.hostNetwork === true || status?.phase === 'Succeeded' || status?.phase === 'Failed') return undefined;
  const texts = status?.podIPs?.map(({ ip }) => ip) ?? (status?.podIP === undefined ? [] : [status.podIP]);
  const addresses = canonicalAddresses(texts);
  if (addresses.length === 0 || spec.nodeName === undefined || spec.nodeName === '') return undefined;
  const [namespace, name] = [metadata.namespace ?? 'default', metadata.name ?? ''];
  return {
    key: `${namespace}/${name}`,
    uid: metadata.uid ?? '',
    namespace,
    name,
    node: spec.nodeName,
    labels: sortedLabels(metadata.labels),
    addresses,
    ports: namedPorts(pod),
  };
}

/** The number `name` stands for in a pod, if a container declares it for that protocol. */
export function resolvePort(
  ports: readonly NamedPort[],
  name: string,
  protocol: TransportProtocol,
): number | undefined {
  return ports.find((port) => port.name === name && port.protocol === protocol)?.port;
}

/** A namespace's labels. */
export function namespaceLabels(namespace: Namespace): Labels {
  return sortedLabels(namespace.metadata.labels);
}

/** The addresses a node sends from, sorted. Names among `status.addresses` are left out. */
export function nodeAddresses(node: Node): readonly string[] {
  return canonicalAddresses((node.status?.addresses ?? []).map(({ address }) => address));
}

/** Two facts are interchangeable exactly when this text is the same. */
export function podFactsText(facts: PodFacts): string {
  return JSON.stringify([facts.uid, facts.node, [...facts.labels], facts.addresses, facts.ports]);
}

/** A protocol as policies and ports spell it; left out it is TCP. Undefined for one that is not known. */
export function transportProtocol(text: string | undefined): TransportProtocol | undefined {
  switch (text ?? 'TCP') {
    case 'TCP':
      return 'TCP';
    case 'UDP':
      return 'UDP';
    case 'SCTP':
      return 'SCTP';
    default:
      return undefined;
  }
}

function namedPorts({ spec }: Pod): readonly NamedPort[] {
  const sidecars = (spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  const found: NamedPort[] = [];
  for (const container of [...spec.containers, ...sidecars]) {
    for (const { name, containerPort, protocol: text } of container.ports ?? []) {
      const protocol = transportProtocol(text);
      if (name === undefined || name === '' || protocol === undefined) continue;
      if (resolvePort(found, name, protocol) === undefined) found.push({ name, protocol, port: containerPort });
    }
  }
  return found;
}

function sortedLabels(labels: Readonly<Record<string, string>> | undefined): Labels {
  return new Map(Object.entries(labels ?? {}).toSorted(([a], [b]) => compareText(a, b)));
}

function canonicalAddresses(texts: readonly string[]): readonly string[] {
  const parsed = texts.flatMap((text) => parseAddress(text)?.text ?? []);
  return [...new Set(parsed)].toSorted(compareText);
}
