/**
 * The data plane for machines without nft: this process listens on the service addresses, judges the original client
 * by the same allow-list, and relays. It sees service traffic only; who dials a pod's address passes it by, and its
 * capabilities say so.
 */
import { randomInt } from 'node:crypto';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { Address } from '../address.ts';
import { parseAddress, parseBlock } from '../address.ts';
import type { Flow, Verdict } from '../reachability.ts';
import { judgeOf } from '../reachability.ts';
import type { ServiceEndpoint, ServicePort } from '../service-map.ts';
import type { Capabilities, DataPlane, LocalPod, PolicyView } from './backend.ts';
import type { Admission, Relay, RelayClient } from './relay.ts';
import { relayTcp, relayUdp } from './relay.ts';
import type { ServiceRangeRoute } from './service-range.ts';
import type { ClientSocket } from './sockets.ts';

/**
 * Who a client is. `pod`: a pod of this node, which dialled from an address that is not its own. `node`: this machine
 * itself. `unknown`: any of them, perhaps.
 */
export type ClientIdentity =
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'pod'; readonly address: string }
  | { readonly kind: 'node' }
  | { readonly kind: 'unknown' };

export interface UserspaceOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Who the client is, where pods share the machine's network. A rejection refuses it. Left out: its source address says so. */
  readonly identify?: (client: ClientSocket) => Promise<ClientIdentity>;
  /** Where pods have networks of their own: what brings their packets to services here. */
  readonly route?: ServiceRangeRoute;
  /** Range of the cluster's pods: an endpoint in it that no list holds cannot be judged, and is not relayed to. */
  readonly podRange?: string;
  /** Node ports are open on these addresses, too. */
  readonly nodePortAddresses?: readonly string[];
  /** Ports below it cannot be listened on by this account. */
  readonly firstPort?: number;
}

/** The userspace back end. Nothing listens before services are applied. */
export function createUserspace(options: UserspaceOptions): DataPlane {
  return new Userspace(options);
}

/** An address that no policy names as a peer's: the unspecified one. */
const nobody: Address = { family: 4, text: '0.0.0.0', value: 0n };

class Userspace implements DataPlane {
  readonly capabilities: Capabilities;

  readonly #options: UserspaceOptions;
  readonly #pods = new Map<string, LocalPod>();
  readonly #relays = new Map<string, Relay>();
  readonly #services = new Map<string, ServicePort>();
  #view: PolicyView | undefined;
  #judge: (flow: Flow) => Verdict = judgeOf([], []);
  /** Addresses of pods that a list holds. */
  #judged: ReadonlySet<string> = new Set();
  #guardsEgress = false;
  #changes: Promise<void> = Promise.resolve();
  /** What was asked for last. */
  #wanted: readonly ServicePort[] = [];
  /** Listeners that failed and were spoken of. */
  readonly #said = new Set<string>();

  constructor(options: UserspaceOptions) {
    this.#options = options;
    const { firstPort = 0 } = options;
    this.capabilities = {
      backend: 'userspace',
      serviceTraffic: true,
      podTraffic: false,
      sctp: false,
      cutsEstablished: true,
      outlivesAgent: false,
      notEnforced: [
        'policy is enforced for service traffic only: dials to pod addresses, and what pods open to the outside, are not judged',
        'services are not served while the agent is down, nor over SCTP, nor by pods of other machines',
        ...(firstPort > 1
          ? [
              `services on ports below ${firstPort} are not served, as this account may not listen there: sysctl net.ipv4.ip_unprivileged_port_start`,
            ]
          : []),
      ],
    };
  }

  async start(): Promise<readonly string[]> {
    await this.#options.route?.take();
    return [];
  }

  podAdded(pod: LocalPod): Promise<void> {
    for (const address of pod.addresses) this.#pods.set(address, pod);
    this.#review();
    return Promise.resolve();
  }

  podRemoved(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) this.#pods.delete(address);
    this.#review();
    return Promise.resolve();
  }

  async apply(view: PolicyView): Promise<void> {
    const before = this.#nodeAddresses().join();
    this.#view = view;
    const lists = [view.allowList, ...(view.others ?? [])];
    this.#judge = judgeOf(lists, view.slices);
    this.#judged = new Set(lists.flatMap(({ spec }) => spec.pods.flatMap(({ addresses }) => addresses)));
    this.#guardsEgress = view.allowList.spec.pods.some(({ egress }) => egress !== undefined);
    this.#review();
    // Node ports are open on addresses that only the list tells. That one of them is taken does not undo the policy.
    if (before !== this.#nodeAddresses().join()) await this.applyServices(this.#wanted).catch(() => {});
  }

  /** One change of the listeners after another. Rejects when some address cannot be listened on; the others are served. */
  applyServices(services: readonly ServicePort[]): Promise<void> {
    this.#wanted = services;
    const change = this.#changes.then(() => this.#listen(services));
    this.#changes = change.catch(() => {}); // its caller hears of it
    return change;
  }

  enforcedGeneration(): number | undefined {
    return this.#view?.allowList.metadata.generation;
  }

  async stop({ leaveRules }: { readonly leaveRules: boolean }): Promise<void> {
    await this.applyServices([]);
    if (!leaveRules) await this.#options.route?.give();
  }

  async #listen(services: readonly ServicePort[]): Promise<void> {
    const wanted = new Map(services.flatMap((service) => this.#listenersOf(service)));
    for (const [key, relay] of this.#relays) {
      if (wanted.has(key)) continue;
      this.#relays.delete(key);
      this.#services.delete(key);
      await relay.close();
    }
    const failures: unknown[] = [];
    for (const [key, { service, address, port }] of wanted) {
      this.#services.set(key, service);
      if (this.#relays.has(key)) continue;
      try {
        this.#relays.set(key, await this.#open(key, service.protocol === 'UDP' ? 'UDP' : 'TCP', address, port));
        this.#said.delete(key);
      } catch (error) {
        this.#services.delete(key);
        failures.push(error);
        if (!this.#said.has(key))
          this.#options.log.warn('a service port cannot be listened on', {
            service: service.name,
            address,
            port,
            error,
          });
        this.#said.add(key);
      }
    }
    this.#review();
    if (failures.length > 0)
      throw new AggregateError(failures, `${failures.length} service ports cannot be listened on`);
  }

  // A port without endpoints is not listened on: the system refuses it. SCTP is not relayed.
  #listenersOf(
    service: ServicePort,
  ): readonly (readonly [
    string,
    { readonly service: ServicePort; readonly address: string; readonly port: number },
  ])[] {
    if (service.protocol === 'SCTP' || service.endpoints.length === 0) return [];
    const family = parseAddress(service.address)?.family;
    const node = this.#nodeAddresses().filter((one) => parseAddress(one)?.family === family);
    const nodePort = service.nodePort;
    const places = [
      { address: service.address, port: service.port },
      ...(nodePort === undefined ? [] : node.map((address) => ({ address, port: nodePort }))),
    ];
    return places.map((place) => [`${service.protocol} ${place.address} ${place.port}`, { service, ...place }]);
  }

  #open(key: string, protocol: 'TCP' | 'UDP', address: string, port: number): Promise<Relay> {
    const to = { address, port };
    const admit = (client: RelayClient): Promise<Admission | undefined> =>
      this.#admit(key, { protocol, to, address: client.address, port: client.port });
    return protocol === 'TCP'
      ? relayTcp(address, port, admit)
      : relayUdp(address, port, admit, () => this.#options.clock.monotonic());
  }

  async #admit(key: string, client: ClientSocket): Promise<Admission | undefined> {
    const endpoints = (this.#services.get(key)?.endpoints ?? []).filter(({ address }) => this.#canJudge(address));
    const endpoint = endpoints[endpoints.length === 0 ? 0 : randomInt(endpoints.length)];
    if (endpoint === undefined) return undefined;
    const who = (await this.#options.identify?.(client)) ?? { kind: 'address', address: client.address };
    const stillAllowed = (): boolean => this.#allows(who, endpoint, client.protocol) && this.#serves(key, endpoint);
    if (!stillAllowed()) return undefined;
    // A pod that shares the machine's network is seen by the other pod as what it is.
    return { endpoint, stillAllowed, ...(who.kind === 'pod' ? { from: who.address } : {}) };
  }

  #serves(key: string, endpoint: ServiceEndpoint): boolean {
    const endpoints = this.#services.get(key)?.endpoints ?? [];
    return endpoints.some(({ address, port }) => address === endpoint.address && port === endpoint.port);
  }

  #allows(who: ClientIdentity, endpoint: ServiceEndpoint, protocol: 'TCP' | 'UDP'): boolean {
    const to = parseAddress(endpoint.address);
    if (to === undefined || !this.#isKnown(to.text)) return false;
    const from = this.#sourceOf(who, to);
    if (from === undefined) return !this.#guards(to, endpoint, protocol);
    return this.#isKnown(from.text) && this.#judge({ from, to, protocol, port: endpoint.port }).allowed;
  }

  /** The address that policy knows the client by; undefined when it knows none. */
  #sourceOf(who: ClientIdentity, to: Address): Address | undefined {
    switch (who.kind) {
      case 'address':
      case 'pod':
        return parseAddress(who.address);
      case 'node':
        return this.#nodeAddresses()
          .flatMap((text) => parseAddress(text) ?? [])
          .find(({ family }) => family === to.family);
      case 'unknown':
        return undefined;
    }
  }

  // Whoever is not known may be any pod of this node, so every policy that could forbid it something does.
  #guards(to: Address, { port }: ServiceEndpoint, protocol: 'TCP' | 'UDP'): boolean {
    const { ingress } = this.#judge({ from: nobody, to, protocol, port });
    return this.#guardsEgress || ingress.verdict !== 'not isolated';
  }

  /** A pod of another machine is guarded by a list that is not ours to see. */
  #canJudge(address: string): boolean {
    const [range, parsed] = [parseBlock(this.#options.podRange ?? ''), parseAddress(address)];
    if (range === undefined || parsed === undefined || parsed.family !== range.family) return true;
    const isPod = parsed.value >= range.first && parsed.value <= range.last;
    return !isPod || this.#pods.has(parsed.text) || this.#judged.has(parsed.text);
  }

  #nodeAddresses(): readonly string[] {
    const listed = this.#view?.allowList.spec.nodeAddresses ?? [];
    return [...new Set([...listed, ...(this.#options.nodePortAddresses ?? [])])];
  }

  // Denied by default: a pod of this node counts only once the list holds it by its uid.
  #isKnown(address: string): boolean {
    const pod = this.#pods.get(address);
    if (pod === undefined) return true;
    return this.#view?.allowList.spec.pods.some(({ uid }) => uid === pod.uid) === true;
  }

  #review(): void {
    for (const relay of this.#relays.values()) relay.review();
  }
}
