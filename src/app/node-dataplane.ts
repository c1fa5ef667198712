/**
 * What connects a node's data plane to the API: it follows the node's own allow-list, the slices of peer sets, services
 * and their endpoints, brings them into force, and reports which generation is. To the pod workers it is the guard that
 * denies a new pod everything until a list holds its uid.
 */
import type { Pod, Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { ClusterClient } from '../core/cluster/client.ts';
import { startInformer } from '../core/cluster/informer.ts';
import type { Informer } from '../core/cluster/informer.ts';
import { ignoring } from '../core/cluster/ignoring.ts';
import { endpointSlices, services as servicesRef } from '../core/cluster/resource-ref.ts';
import { startController } from '../core/controllers/controller.ts';
import type { PodNetworkGuard } from '../core/node/pod-worker.ts';
import type { Sandbox } from '../core/node/runtimes/runtime.ts';
import type { NodeAllowList, NodeAllowListStatus, PeerSetSlice } from '../netpolicy/allow-list.ts';
import type { DataPlane, LocalPod } from '../netpolicy/backends/backend.ts';
import { decodeNodeAllowList, decodePeerSetSlice } from '../netpolicy/decode.ts';
import { servicePorts } from '../netpolicy/service-map.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import type { Running } from '../std/stop.ts';
import { nodeAllowLists, peerSetSlices } from './allow-list-refs.ts';

/** Between two reports of what is in force. Chosen, not measured: people and tests wait for it, storms must not. */
const reportEveryMs = 250;

export interface NodeDataPlaneOptions {
  readonly plane: DataPlane;
  readonly node: string;
  readonly client: ClusterClient;
  /** The sandboxes that an earlier agent left: their pods keep what is in force for them. */
  readonly adopted: readonly Sandbox[];
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NodeDataPlane extends Running {
  readonly guard: PodNetworkGuard;
  /** Ends it and takes away everything it brought into force; `stop` leaves it in force. */
  stopAndClean(): Promise<void>;
}

/** Every pod of an earlier agent is guarded when it resolves; lists and services come into force as they arrive. */
export async function startNodeDataPlane(options: NodeDataPlaneOptions): Promise<NodeDataPlane> {
  const { plane, node, client, clock, log } = options;
  const ended = new AbortController();
  const { signal } = ended;
  const guard = createGuard(plane);
  const found = await plane.start();
  await adopt(plane, guard, found, options.adopted);

  const common = { client, clock, log, signal };
  // Whoever may read only one list has to say which one.
  const query = { fieldSelector: `metadata.name=${node}` };
  const lists: Informer<NodeAllowList> = startInformer({ ...common, of: nodeAllowLists, query });
  const slices: Informer<PeerSetSlice> = startInformer({ ...common, of: peerSetSlices });
  const services: Informer<Service> = startInformer({ ...common, of: servicesRef });
  const endpoints: Informer<EndpointSlice> = startInformer({ ...common, of: endpointSlices });
  const inForce = new PolicyInForce(plane, node, { lists, slices });

  const controller = startController({
    name: 'dataplane',
    clock,
    log,
    signal,
    reconcile: async (key) => {
      if (key === 'services') await plane.applyServices(servicePorts(services.list(), endpoints.list()));
      else if (key === 'policy' && (await inForce.bring())) controller.enqueue('report');
      else if (key === 'report') {
        await report(client, node, inForce.status());
        await clock.sleep(reportEveryMs, signal); // what comes meanwhile is one report
      }
      return {};
    },
  });
  const follow = (key: string, ...informers: readonly Pick<Informer<Service>, 'whenSynced' | 'onChange'>[]): void => {
    const ready = Promise.all(informers.map((informer) => informer.whenSynced(signal)));
    // Half a view would take away what the other half allows.
    ready.then(
      () => {
        for (const informer of informers) informer.onChange(() => controller.enqueue(key));
        controller.enqueue(key);
      },
      () => {}, // stopped before it was ready
    );
  };
  follow('policy', lists as Informer<never>, slices as Informer<never>);
  follow('services', services, endpoints as Informer<never>);

  const stopWith = async (leaveRules: boolean): Promise<void> => {
    ended.abort();
    await plane.stop({ leaveRules });
  };
  return { guard, stop: () => stopWith(true), stopAndClean: () => stopWith(false) };
}

interface Guard extends PodNetworkGuard {
  readonly add: (pod: LocalPod) => Promise<void>;
}

function createGuard(plane: DataPlane): Guard {
  const addresses = new Map<string, readonly string[]>();
  const add = async (pod: LocalPod): Promise<void> => {
    if (pod.addresses.length === 0) return;
    addresses.set(pod.uid, pod.addresses);
    await plane.podAdded(pod);
  };
  return {
    add,
    podAdded: async (pod: Pod, sandbox: Sandbox) => {
      if (pod.spec.hostNetwork === true || sandbox.address === undefined) return;
      if (addresses.has(sandbox.id)) return; // adopted: it is guarded already
      await dropHeirloom(plane, addresses, sandbox);
      await add(localPod(sandbox));
    },
    podRemoved: async (uid) => {
      const gone = addresses.get(uid);
      if (gone === undefined) return;
      addresses.delete(uid);
      await plane.podRemoved(gone);
    },
  };
}

/** A pod that left unseen, while no agent was here, must not leave its rights to the heir of its address. */
async function dropHeirloom(
  plane: DataPlane,
  addresses: Map<string, readonly string[]>,
  { id, address = '' }: Sandbox,
): Promise<void> {
  for (const [uid, held] of addresses) {
    if (uid === id || !held.includes(address)) continue;
    addresses.delete(uid);
    await plane.podRemoved(held);
  }
}

async function adopt(
  plane: DataPlane,
  guard: Guard,
  found: readonly string[],
  sandboxes: readonly Sandbox[],
): Promise<void> {
  const here = new Set(sandboxes.flatMap(({ address }) => address ?? []));
  const stale = found.filter((address) => !here.has(address));
  if (stale.length > 0) await plane.podRemoved(stale);
  for (const sandbox of sandboxes) if (sandbox.spec.network.kind === 'routed') await guard.add(localPod(sandbox));
}

function localPod({ id, address, hostInterface }: Sandbox): LocalPod {
  return {
    uid: id,
    addresses: address === undefined ? [] : [address],
    ...(hostInterface === undefined ? {} : { interface: hostInterface }),
  };
}

/** Brings the newest list into force, once per version of it and of the slices it refers to. */
class PolicyInForce {
  readonly #plane: DataPlane;
  readonly #node: string;
  readonly #copies: { readonly lists: Informer<NodeAllowList>; readonly slices: Informer<PeerSetSlice> };
  #version = '';
  #revision = '0';

  constructor(
    plane: DataPlane,
    node: string,
    copies: { readonly lists: Informer<NodeAllowList>; readonly slices: Informer<PeerSetSlice> },
  ) {
    this.#plane = plane;
    this.#node = node;
    this.#copies = copies;
  }

  /** Whether something new is in force. Without a list what is in force stays. */
  async bring(): Promise<boolean> {
    const present = this.#copies.lists.get('', this.#node);
    if (present === undefined) return false;
    const allowList = decodeNodeAllowList(present);
    const wanted = new Set(allowList.spec.peerSets);
    const slices = this.#copies.slices.list().filter(({ spec }) => wanted.has(spec.peerSet));
    const { uid = '', generation = 0, resourceVersion = '0' } = allowList.metadata;
    const parts = slices.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion ?? ''}`).toSorted();
    const version = [uid, generation, ...parts].join('\n');
    if (version === this.#version) return false;
    await this.#plane.apply({ allowList, slices: slices.map(decodePeerSetSlice) });
    this.#version = version;
    this.#revision = [resourceVersion, ...slices.map(({ metadata }) => metadata.resourceVersion ?? '0')]
      .reduce((greatest, one) => (BigInt(one) > greatest ? BigInt(one) : greatest), 0n)
      .toString();
    return true;
  }

  status(): NodeAllowListStatus {
    const { backend, notEnforced } = this.#plane.capabilities;
    const observedGeneration = this.#plane.enforcedGeneration();
    return {
      ...(observedGeneration === undefined ? {} : { observedGeneration }),
      enforcedResourceVersion: this.#revision,
      backend,
      notEnforced,
    };
  }
}

async function report(client: ClusterClient, node: string, status: NodeAllowListStatus): Promise<void> {
  const patch = { kind: 'merge', body: { status }, subresource: 'status' } as const;
  await ignoring(['NotFound'], () => client.patch(nodeAllowLists, { name: node }, patch)); // the list went meanwhile
}
