/**
 * Policy sets as chains, peer sets as sets. A chain is entered by `goto` from the verdict map of its direction: a rule
 * that allows returns (to where the next direction is judged), and what no rule allowed is counted and dropped.
 *
 * Everything spelled here is an id of ours (checked again), an address that ipaddr.js read, a number or a fixed word.
 */
import type { Family } from '../address.ts';
import { coverage, formatAddress, parseAddress } from '../address.ts';
import type { AllowedPorts, AllowRule, Direction, PeerSetSlice, PolicySet, TransportProtocol } from '../allow-list.ts';
import type { NftChain, NftSet } from './nft-table.ts';

export const families: readonly Family[] = [4, 6];

export const addressType = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;

export const header = { 4: 'ip', 6: 'ip6' } as const;

const protocolWord: Readonly<Record<TransportProtocol, string>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };

/** `tcp`, `udp` or `sctp`. */
export function nftProtocol(protocol: TransportProtocol): string {
  return protocolWord[protocol];
}

/** A port number that is one. Throws on anything else. */
export function nftPort(port: number): string {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error('a port is out of range');
  return String(port);
}

/** An id of ours as a name of nft's. Throws on anything that is not one. */
export function nftId(id: string): string {
  if (!/^[einp][0-9a-f]{32}$/.test(id)) throw new Error('an allow-list holds an id that is none');
  return id;
}

/** The chain of one policy set. */
export function policyChain({ direction, policies }: PolicySet): NftChain {
  const rules = policies.flatMap((policy) => policy.rules.flatMap((rule) => ruleLines(direction, rule)));
  return { rules: [...new Set(rules), `counter name denied_${direction} drop`] };
}

/** Each peer set and endpoint set of `ids` in both families, with the members that `slices` hold. */
export function peerSets(ids: readonly string[], slices: readonly PeerSetSlice[]): ReadonlyMap<string, NftSet> {
  const elements = new Map(
    ids.flatMap((id) => families.map((family) => [setName(id, family), new Set<string>()] as const)),
  );
  const add = (id: string, text: string, rest: string): void => {
    const address = parseAddress(text);
    if (address !== undefined) elements.get(setName(id, address.family))?.add(`${address.text}${rest}`);
  };
  for (const { spec } of slices) {
    const endpoints = isEndpointSet(spec.peerSet);
    if (!endpoints) for (const address of spec.addresses ?? []) add(spec.peerSet, address, '');
    for (const { address, protocol, port } of endpoints ? (spec.endpoints ?? []) : []) {
      add(spec.peerSet, address, ` . ${nftProtocol(protocol)} . ${nftPort(port)}`);
    }
  }
  return new Map(
    ids.flatMap((id) =>
      families.map((family) => {
        const type = `type ${addressType[family]}${isEndpointSet(id) ? ' . inet_proto . inet_service' : ''}`;
        return [setName(id, family), { type, elements: elements.get(setName(id, family)) ?? new Set() }] as const;
      }),
    ),
  );
}

function ruleLines(direction: Direction, rule: AllowRule): readonly string[] {
  const ports = portMatches(rule);
  return families.flatMap((family) =>
    peerMatches(direction, rule, family).flatMap((peer) =>
      ports(family).map((port) => [peer, port, 'return'].filter((part) => part !== '').join(' ')),
    ),
  );
}

function peerMatches(direction: Direction, { peerSets, blocks }: AllowRule, family: Family): readonly string[] {
  if (peerSets === undefined && blocks === undefined) return [`meta nfproto ipv${family}`];
  const field = `${header[family]} ${direction === 'ingress' ? 'saddr' : 'daddr'}`;
  const ranges = coverage(family, blocks ?? []).map(({ first, last }) =>
    first === last ? formatAddress(family, first) : `${formatAddress(family, first)}-${formatAddress(family, last)}`,
  );
  return [
    ...(peerSets ?? []).map((id) => `${field} @${setName(id, family)}`),
    ...(ranges.length > 0 ? [`${field} { ${ranges.join(', ')} }`] : []),
  ];
}

function portMatches({ ports, endpointSets }: AllowRule): (family: Family) => readonly string[] {
  if (ports === undefined && endpointSets === undefined) return () => [''];
  const numbers = (['TCP', 'UDP', 'SCTP'] as const).flatMap((protocol) => {
    const own = (ports ?? []).filter((one) => one.protocol === protocol);
    if (own.length === 0) return [];
    const word = nftProtocol(protocol);
    if (own.some(({ port }) => port === undefined)) return [`meta l4proto ${word}`];
    return [`meta l4proto ${word} th dport { ${mergedPorts(own).join(', ')} }`];
  });
  return (family) => [
    ...numbers,
    ...(endpointSets ?? []).map((id) => `${header[family]} daddr . meta l4proto . th dport @${setName(id, family)}`),
  ];
}

// nft refuses intervals that overlap.
function mergedPorts(ports: readonly AllowedPorts[]): readonly string[] {
  const merged: { first: number; last: number }[] = [];
  const ranges = ports.map(({ port = 0, endPort }) => ({ first: port, last: endPort ?? port }));
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else merged.push({ first, last });
  }
  return merged.map(({ first, last }) => (first >= last ? nftPort(first) : `${nftPort(first)}-${nftPort(last)}`));
}

function setName(id: string, family: Family): string {
  return `${nftId(id)}_${family}`;
}

function isEndpointSet(id: string): boolean {
  return id.startsWith('n');
}
