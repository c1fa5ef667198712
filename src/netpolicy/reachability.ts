/**
 * May this connection be opened? Answered from the allow-lists and slices themselves, the very objects that nodes
 * enforce, so that what is explained is what happens. Given all lists it speaks for the cluster; given one, for what
 * that node decides: pods it does not know are plain addresses.
 */
import type { Address, AddressRange } from './address.ts';
import { coverage, covers } from './address.ts';
import type {
  AllowedPorts,
  AllowListPod,
  AllowRule,
  Direction,
  NodeAllowList,
  PeerSetSlice,
  PolicySet,
  TransportProtocol,
} from './allow-list.ts';

/** One connection as it reaches the destination: addresses after any service translation. */
export interface Flow {
  readonly from: Address;
  readonly to: Address;
  readonly protocol: TransportProtocol;
  readonly port: number;
}

/** How one end judged, and which policies decided: those that allowed it, or those that isolate and did not. */
export interface EndVerdict {
  readonly verdict: 'not isolated' | 'exempt' | 'allowed' | 'denied';
  readonly policies: readonly string[];
}

export interface Verdict {
  readonly allowed: boolean;
  readonly egress: EndVerdict;
  readonly ingress: EndVerdict;
}

interface Home {
  readonly pod: AllowListPod;
  readonly nodeAddresses: readonly string[];
}

/** A rule made ready for asking. Undefined: no restriction. */
interface ReadyRule {
  readonly policy: string;
  readonly peerSets: readonly string[] | undefined;
  readonly blocks: { readonly 4: readonly AddressRange[]; readonly 6: readonly AddressRange[] } | undefined;
  readonly ports: readonly AllowedPorts[] | undefined;
  readonly endpointSets: readonly string[] | undefined;
}

const open: EndVerdict = { verdict: 'not isolated', policies: [] };
const exempt: EndVerdict = { verdict: 'exempt', policies: [] };

/** A judge of flows over `lists` and `slices` as they are now; ask for a new one when they change. */
export function judgeOf(lists: Iterable<NodeAllowList>, slices: Iterable<PeerSetSlice>): (flow: Flow) => Verdict {
  const homes = new Map<string, Home>();
  const policySets = new Map<string, PolicySet>();
  for (const { spec } of lists) {
    for (const set of spec.policySets) policySets.set(set.id, set);
    for (const pod of spec.pods) {
      for (const address of pod.addresses) homes.set(address, { pod, nodeAddresses: spec.nodeAddresses });
    }
  }
  const members = membersOf(slices);
  const ready = new Map<string, readonly ReadyRule[]>();

  const judgeEnd = (id: string | undefined, direction: Direction, flow: Flow): EndVerdict => {
    if (id === undefined) return open;
    const set = policySets.get(id);
    if (set === undefined) return { verdict: 'denied', policies: [] }; // A list that contradicts itself opens nothing.
    let rules = ready.get(id);
    if (rules === undefined) ready.set(id, (rules = readyRules(set)));
    const peer = direction === 'ingress' ? flow.from : flow.to;
    const allowing = rules.filter((rule) => matches(rule, peer, flow, members)).map(({ policy }) => policy);
    return allowing.length > 0
      ? { verdict: 'allowed', policies: [...new Set(allowing)] }
      : { verdict: 'denied', policies: set.policies.map(({ policy }) => policy) };
  };

  return (flow) => {
    const [source, destination] = [homes.get(flow.from.text), homes.get(flow.to.text)];
    if (source !== undefined && source.pod === destination?.pod) {
      return { allowed: true, egress: exempt, ingress: exempt }; // A pod always reaches itself.
    }
    const egress = judgeEnd(source?.pod.egress, 'egress', flow);
    // Its own node always reaches a pod: probes come from there.
    const fromOwnNode = destination?.nodeAddresses.includes(flow.from.text) === true;
    const ingress = fromOwnNode ? exempt : judgeEnd(destination?.pod.ingress, 'ingress', flow);
    return { allowed: egress.verdict !== 'denied' && ingress.verdict !== 'denied', egress, ingress };
  };
}

/** Peer set id to its members: addresses, or `endpointKey`s. */
function membersOf(slices: Iterable<PeerSetSlice>): ReadonlyMap<string, ReadonlySet<string>> {
  const members = new Map<string, Set<string>>();
  for (const { spec } of slices) {
    const set = members.get(spec.peerSet) ?? new Set();
    for (const address of spec.addresses ?? []) set.add(address);
    for (const { address, protocol, port } of spec.endpoints ?? []) set.add(endpointKey(address, protocol, port));
    members.set(spec.peerSet, set);
  }
  return members;
}

function endpointKey(address: string, protocol: TransportProtocol, port: number): string {
  return `${address} ${protocol} ${port}`;
}

function readyRules({ policies }: PolicySet): readonly ReadyRule[] {
  return policies.flatMap(({ policy, rules }) => rules.map((rule) => readyRule(policy, rule)));
}

function readyRule(policy: string, { peerSets, blocks, ports, endpointSets }: AllowRule): ReadyRule {
  return {
    policy,
    peerSets,
    blocks: blocks === undefined ? undefined : { 4: coverage(4, blocks), 6: coverage(6, blocks) },
    ports,
    endpointSets,
  };
}

function matches(
  { peerSets, blocks, ports, endpointSets }: ReadyRule,
  peer: Address,
  { to, protocol, port }: Flow,
  members: ReadonlyMap<string, ReadonlySet<string>>,
): boolean {
  const isMember = (id: string, key: string): boolean => members.get(id)?.has(key) === true;
  const peerFits =
    (peerSets === undefined && blocks === undefined) ||
    peerSets?.some((id) => isMember(id, peer.text)) === true ||
    (blocks !== undefined && covers(blocks[peer.family], peer));
  if (!peerFits) return false;
  if (ports === undefined && endpointSets === undefined) return true;
  return (
    ports?.some((allowed) => portFits(allowed, protocol, port)) === true ||
    endpointSets?.some((id) => isMember(id, endpointKey(to.text, protocol, port))) === true
  );
}

function portFits(allowed: AllowedPorts, protocol: TransportProtocol, port: number): boolean {
  if (allowed.protocol !== protocol) return false;
  return allowed.port === undefined || (port >= allowed.port && port <= (allowed.endPort ?? allowed.port));
}

/** Where a flow to a service's address may arrive: the address itself when it is no service's. Empty: it is refused. */
export type Translate = (to: Address, protocol: TransportProtocol, port: number) => readonly Omit<Flow, 'from'>[];

/** Whether `flow` is allowed to every place that `translate` may send it; refused when it sends it nowhere. */
export function reaches(judge: (flow: Flow) => Verdict, translate: Translate, flow: Flow): boolean {
  const places = translate(flow.to, flow.protocol, flow.port);
  return places.length > 0 && places.every((place) => judge({ ...place, from: flow.from }).allowed);
}
