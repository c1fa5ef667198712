/**
 * Everything a node enforces as one nft table.
 *
 * - raw prerouting: a pod's link carries only the pod's own source addresses.
 * - nat, -100: address . protocol . port → a chain per number of endpoints (not per service), which looks one of that
 *   many slots up in one flat map. What no endpoint takes is refused just behind, at -90.
 * - forward, 0, and input: established goes on; then egress is judged by source, ingress by destination. Only pods of
 *   this node are judged: of a connection between pods of two nodes the one judges egress, the other ingress, also
 *   where both tables stand in one host. What the node itself sends (output) is not judged: probes always arrive.
 * - A pod of this node that the list does not hold is in `local` but in no verdict map: dropped.
 */
import type { Family } from '../address.ts';
import { coverage, formatAddress, parseAddress } from '../address.ts';
import type { ServicePort } from '../service-map.ts';
import type { LocalPod, PolicyView } from './backend.ts';
import type { NftChain, NftMap, NftSet, NftTable } from './nft-table.ts';
import { addressType, families, header, nftId, nftPort, nftProtocol, peerSets, policyChain } from './render-policy.ts';

/** How rules refer to the map of endpoints. nft 1.0.6 takes a new rule with it only in the transaction that makes the map. */
export const endpointMap = '@endpoints_';

/** Counts of endpoints whose chains are always there, so that the usual change needs no new rule. */
const usualCounts: readonly number[] = Array.from({ length: 16 }, (_, index) => index + 1);

/** What has to be in force. */
export interface NodeState {
  readonly pods: readonly LocalPod[];
  readonly view: PolicyView | undefined;
  readonly services: readonly ServicePort[];
  /** Whether services are translated for the host itself and for clients from outside, too, and not just for this node's pods. */
  readonly serveOthers: boolean;
  /** Networks in which pod addresses are known; pods reach everything else under the node's address. Undefined: no translation. */
  readonly clusterNetworks: readonly string[] | undefined;
}

/** The table for `state`. Pure. Throws on an id, a port or an interface name that is none. */
export function renderTable(state: NodeState): NftTable {
  const { spec } = state.view?.allowList ?? {};
  const sets = new Map<string, NftSet>(peerSets(spec?.peerSets ?? [], state.view?.slices ?? []));
  const maps = new Map<string, NftMap>();
  const chains = new Map<string, NftChain>();
  for (const set of spec?.policySets ?? []) chains.set(nftId(set.id), policyChain(set));
  for (const family of families) {
    for (const [name, set] of podSets(state, family)) sets.set(name, set);
    for (const [name, map] of verdictMaps(state, family, chains)) maps.set(name, map);
    renderServices(state, family, sets, maps, chains);
  }
  sets.set('interfaces', { type: 'type ifname', elements: new Set(state.pods.flatMap((pod) => interfaceOf(pod))) });
  for (const [name, chain] of baseChains(state)) chains.set(name, chain);
  return { counters: ['denied_egress', 'denied_ingress', 'spoofed'], sets, maps, chains };
}

function podSets({ pods, view }: NodeState, family: Family): readonly (readonly [string, NftSet])[] {
  const type = addressType[family];
  const local = pods.flatMap((pod) => addressesOf(pod.addresses, family));
  const sources = pods.flatMap((pod) =>
    interfaceOf(pod).flatMap((name) => addressesOf(pod.addresses, family).map((address) => `${name} . ${address}`)),
  );
  const node = addressesOf(view?.allowList.spec.nodeAddresses ?? [], family);
  return [
    [`local_${family}`, { type: `type ${type}`, elements: new Set(local) }],
    [`self_${family}`, { type: `type ${type} . ${type}`, elements: new Set(local.map((one) => `${one} . ${one}`)) }],
    [`sources_${family}`, { type: `type ifname . ${type}`, elements: new Set(sources) }],
    [`node_${family}`, { type: `type ${type}`, elements: new Set(node) }],
  ];
}

// An entry counts only for the pod with its uid: an heir of the address waits for an entry of its own.
function verdictMaps(
  { pods, view }: NodeState,
  family: Family,
  chains: ReadonlyMap<string, NftChain>,
): readonly (readonly [string, NftMap])[] {
  const present = new Map(pods.map((pod) => [pod.uid, new Set(addressesOf(pod.addresses, family))]));
  return (['ingress', 'egress'] as const).map((direction) => {
    const elements = new Map<string, string>();
    for (const pod of view?.allowList.spec.pods ?? []) {
      const own = present.get(pod.uid);
      const set = pod[direction];
      if (own === undefined || (set !== undefined && !chains.has(set))) continue;
      const verdict = set === undefined ? 'return' : `goto ${nftId(set)}`;
      for (const address of addressesOf(pod.addresses, family)) if (own.has(address)) elements.set(address, verdict);
    }
    return [`${direction}_${family}`, { type: `type ${addressType[family]} : verdict`, elements }];
  });
}

function renderServices(
  { services, view }: NodeState,
  family: Family,
  sets: Map<string, NftSet>,
  maps: Map<string, NftMap>,
  chains: Map<string, NftChain>,
): void {
  const verdicts = new Map<string, string>();
  const slots = new Map<string, string>();
  const refused = new Set<string>();
  const addresses = new Set<string>();
  const counts = new Set(usualCounts);
  const node = addressesOf(view?.allowList.spec.nodeAddresses ?? [], family);
  const ip = header[family];
  const key = `${ip} daddr . meta l4proto . th dport`;
  for (const service of services) {
    const own = addressesOf([service.address], family);
    for (const address of own) addresses.add(address);
    const nodePorts =
      own.length === 0 || service.nodePort === undefined
        ? []
        : node.map((one) => [one, service.nodePort ?? 0] as const);
    for (const [address, port] of [...own.map((one) => [one, service.port] as const), ...nodePorts]) {
      const dialled = `${address} . ${nftProtocol(service.protocol)} . ${nftPort(port)}`;
      const endpoints = service.endpoints.flatMap((one) =>
        addressesOf([one.address], family).map((text) => `${text} . ${nftPort(one.port)}`),
      );
      if (endpoints.length === 0) refused.add(dialled);
      else verdicts.set(dialled, `goto slots${endpoints.length}_${family}`);
      for (const [slot, endpoint] of endpoints.entries()) slots.set(`${dialled} . ${slot}`, endpoint);
      if (endpoints.length > 0) counts.add(endpoints.length);
    }
  }
  for (const count of counts) {
    const pick = `${key} . numgen random mod ${count}`;
    chains.set(`slots${count}_${family}`, {
      rules: [`meta l4proto { tcp, udp, sctp } dnat ${ip} to ${pick} map ${endpointMap}${family}`],
    });
  }
  const dialledType = `${addressType[family]} . inet_proto . inet_service`;
  maps.set(`services_${family}`, { type: `type ${dialledType} : verdict`, elements: verdicts });
  maps.set(`endpoints_${family}`, {
    type: `typeof ${key} . numgen random mod 2 : ${ip} daddr . th dport`,
    elements: slots,
  });
  sets.set(`refused_${family}`, { type: `type ${dialledType}`, elements: refused });
  sets.set(`service_addresses_${family}`, { type: `type ${addressType[family]}`, elements: addresses });
}

function baseChains({ serveOthers, clusterNetworks }: NodeState): readonly (readonly [string, NftChain])[] {
  const both = (lines: (ip: string, family: Family) => readonly string[]): readonly string[] =>
    families.flatMap((family) => lines(header[family], family));
  const translate = both((ip, family) => [`${ip} daddr . meta l4proto . th dport vmap @services_${family}`]);
  const neighbours =
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept';
  const refuse = both((ip, family) => [
    `${ip} daddr . meta l4proto . th dport @refused_${family} reject with icmpx type port-unreachable`,
    `${ip} daddr @service_addresses_${family} reject with icmpx type port-unreachable`,
  ]);
  const egress = both((ip, family) => [`${ip} saddr @local_${family} jump egress${family}`]);
  return [
    ['translate', { rules: translate }],
    [
      'nat_in',
      {
        hook: 'type nat hook prerouting priority -100',
        rules: serveOthers ? ['jump translate'] : both((ip, family) => [`${ip} saddr @local_${family} jump translate`]),
      },
    ],
    ['nat_own', { hook: 'type nat hook output priority -100', rules: serveOthers ? ['jump translate'] : [] }],
    [
      'nat_out',
      {
        hook: 'type nat hook postrouting priority 100',
        rules: both((ip, family) => masquerades(ip, family, clusterNetworks)),
      },
    ],
    [
      'spoof',
      {
        hook: 'type filter hook prerouting priority -300',
        rules: [
          'meta nfproto ipv4 iifname @interfaces iifname . ip saddr != @sources_4 counter name spoofed drop',
          'meta nfproto ipv6 iifname @interfaces ip6 saddr != { fe80::/10, :: } iifname . ip6 saddr != @sources_6 counter name spoofed drop',
        ],
      },
    ],
    ['refuse_in', { hook: 'type filter hook prerouting priority -90', rules: refuse }],
    ['refuse_own', { hook: 'type filter hook output priority -90', rules: serveOthers ? refuse : [] }],
    ...families.flatMap((family) =>
      (['egress', 'ingress'] as const).map(
        (direction) =>
          [
            `${direction}${family}`,
            {
              rules: [
                `${header[family]} ${direction === 'egress' ? 'saddr' : 'daddr'} vmap @${direction}_${family}`,
                `counter name denied_${direction} drop`,
              ],
            },
          ] as const,
      ),
    ),
    [
      'transit',
      {
        hook: 'type filter hook forward priority 0',
        rules: [
          'ct state established,related accept',
          neighbours,
          ...both((ip, family) => [`${ip} saddr . ${ip} daddr @self_${family} accept`]),
          ...egress,
          ...both((ip, family) => [`${ip} daddr @local_${family} jump ingress${family}`]),
        ],
      },
    ],
    [
      'arriving',
      {
        hook: 'type filter hook input priority 0',
        rules: ['ct state established,related accept', neighbours, ...egress],
      },
    ],
  ];
}

function masquerades(ip: string, family: Family, clusterNetworks: readonly string[] | undefined): readonly string[] {
  const inside = coverage(
    family,
    (clusterNetworks ?? []).map((cidr) => ({ cidr })),
  ).map(({ first, last }) => `${formatAddress(family, first)}-${formatAddress(family, last)}`);
  return [
    // Hairpin: a pod that reached itself through a service must see the answer come from there.
    `${ip} saddr . ${ip} daddr @self_${family} masquerade`,
    // A node port answered by a pod elsewhere: the answer has to come back through here.
    `ct status dnat ct original ${ip} daddr @node_${family} ${ip} daddr != @local_${family} masquerade`,
    ...(inside.length === 0 ? [] : [`${ip} saddr @local_${family} ${ip} daddr != { ${inside.join(', ')} } masquerade`]),
  ];
}

function addressesOf(texts: readonly string[], family: Family): readonly string[] {
  return texts.flatMap((text) => {
    const address = parseAddress(text);
    return address?.family === family ? [address.text] : [];
  });
}

function interfaceOf(pod: LocalPod): readonly string[] {
  if (pod.interface === undefined) return [];
  if (!/^[A-Za-z0-9_.-]{1,15}$/.test(pod.interface)) throw new Error('a pod has an interface name that is none');
  return [`"${pod.interface}"`];
}
