/**
 * The data plane for machines without nft: this process listens on the service addresses, judges the original client
 * by the same allow-list, and relays. It sees service traffic only; who dials a pod's address passes it by, and its
 * capabilities say so.
 */
import { randomInt } from 'node:crypto';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import { parseAddress } from '../address.ts';
import type { Flow, Verdict } from '../reachability.ts';
import { judgeOf } from '../reachability.ts';
import type { ServiceEndpoint, ServicePort } from '../service-map.ts';
import type { Capabilities, DataPlane, LocalPod, PolicyView } from './backend.ts';
import type { Admission, Relay, RelayClient } from './relay.ts';
import { relayTcp, relayUdp } from './relay.ts';

export interface UserspaceOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * The address of the pod whose process owns the client's socket, where pods share an address with the host.
   * Undefined: no pod's; then the client is its source address. A rejection refuses the client. Left out: all are.
   */
  readonly identify?: (client: RelayClient & { readonly protocol: 'TCP' | 'UDP' }) => Promise<string | undefined>;
}

/** The userspace back end. Nothing listens before services are applied. */
export function createUserspace(options: UserspaceOptions): DataPlane {
  return new Userspace(options);
}

class Userspace implements DataPlane {
  readonly capabilities: Capabilities = {
    backend: 'userspace',
    serviceTraffic: true,
    podTraffic: false,
    sctp: false,
    cutsEstablished: true,
    outlivesAgent: false,
    notEnforced: [
      'policy is enforced for service traffic only: dials to pod addresses, and what pods open to the outside, are not judged',
      'SCTP services are not served',
      'services are not served while the agent is down',
    ],
  };

  readonly #options: UserspaceOptions;
  readonly #pods = new Map<string, LocalPod>();
  readonly #relays = new Map<string, Relay>();
  readonly #services = new Map<string, ServicePort>();
  #view: PolicyView | undefined;
  #judge: (flow: Flow) => Verdict = judgeOf([], []);
  #changes: Promise<void> = Promise.resolve();

  constructor(options: UserspaceOptions) {
    this.#options = options;
  }

  start(): Promise<readonly string[]> {
    return Promise.resolve([]);
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

  apply(view: PolicyView): Promise<void> {
    this.#view = view;
    this.#judge = judgeOf([view.allowList, ...(view.others ?? [])], view.slices);
    this.#review();
    return Promise.resolve();
  }

  /** One change of the listeners after another. Rejects when some address cannot be listened on; the others are served. */
  applyServices(services: readonly ServicePort[]): Promise<void> {
    const change = this.#changes.then(() => this.#listen(services));
    this.#changes = change.catch(() => {}); // its caller hears of it
    return change;
  }

  enforcedGeneration(): number | undefined {
    return this.#view?.allowList.metadata.generation;
  }

  async stop(): Promise<void> {
    await this.applyServices([]);
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
      } catch (error) {
        this.#services.delete(key);
        failures.push(error);
        this.#options.log.warn('a service port cannot be listened on', { address, port, error });
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
    const node = (this.#view?.allowList.spec.nodeAddresses ?? []).filter((one) => parseAddress(one)?.family === family);
    const nodePort = service.nodePort;
    const places = [
      { address: service.address, port: service.port },
      ...(nodePort === undefined ? [] : node.map((address) => ({ address, port: nodePort }))),
    ];
    return places.map((place) => [`${service.protocol} ${place.address} ${place.port}`, { service, ...place }]);
  }

  #open(key: string, protocol: 'TCP' | 'UDP', address: string, port: number): Promise<Relay> {
    const admit = (client: RelayClient): Promise<Admission | undefined> => this.#admit(key, protocol, client);
    return protocol === 'TCP'
      ? relayTcp(address, port, admit)
      : relayUdp(address, port, admit, () => this.#options.clock.monotonic());
  }

  async #admit(key: string, protocol: 'TCP' | 'UDP', client: RelayClient): Promise<Admission | undefined> {
    const endpoints = this.#services.get(key)?.endpoints ?? [];
    const endpoint = endpoints[endpoints.length === 0 ? 0 : randomInt(endpoints.length)];
    const source = (await this.#options.identify?.({ ...client, protocol })) ?? client.address;
    if (endpoint === undefined) return undefined;
    const stillAllowed = (): boolean => this.#allows(source, endpoint, protocol) && this.#serves(key, endpoint);
    return stillAllowed() ? { endpoint, stillAllowed } : undefined;
  }

  #serves(key: string, endpoint: ServiceEndpoint): boolean {
    const endpoints = this.#services.get(key)?.endpoints ?? [];
    return endpoints.some(({ address, port }) => address === endpoint.address && port === endpoint.port);
  }

  #allows(source: string, endpoint: ServiceEndpoint, protocol: 'TCP' | 'UDP'): boolean {
    const [from, to] = [parseAddress(source), parseAddress(endpoint.address)];
    if (from === undefined || to === undefined) return false;
    if (!this.#isKnown(from.text) || !this.#isKnown(to.text)) return false;
    return this.#judge({ from, to, protocol, port: endpoint.port }).allowed;
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
