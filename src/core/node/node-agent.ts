/** The node agent: follows the pods that are bound to its node and keeps a worker for each. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigMap, Node, Pod, PodStatus, Secret, Service } from '../../api/types/core.ts';
import { failedWith } from '../../api/status.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { Running } from '../../std/stop.ts';
import type { ClusterClient } from '../cluster/client.ts';
import { createEventRecorder } from '../cluster/events.ts';
import { startInformer } from '../cluster/informer.ts';
import type { Informer } from '../cluster/informer.ts';
import { ignoring } from '../cluster/ignoring.ts';
import { configMaps, nodes, pods as podsRef, secrets, services as servicesRef } from '../cluster/resource-ref.ts';
import { beat, registerNode } from './heartbeat.ts';
import { nodeCapacity } from './node-status.ts';
import type { NodeFacts } from './node-status.ts';
import { createPodAddresses } from './pod-addresses.ts';
import type { PodAddresses } from './pod-addresses.ts';
import { createPodTokens } from './pod-tokens.ts';
import { startPodWorker } from './pod-worker.ts';
import type { PodNetworkGuard, PodWorker } from './pod-worker.ts';
import type { Runtime } from './runtimes/runtime.ts';
import type { VolumeSources } from './volumes.ts';

export interface NodeAgentOptions {
  readonly client: ClusterClient;
  readonly runtime: Runtime;
  readonly guard: PodNetworkGuard;
  readonly clock: Clock;
  readonly log: Logger;
  /** The node's own folder; volumes are made below it. */
  readonly folder: string;
  readonly facts: NodeFacts;
  readonly nameservers: readonly string[];
  readonly clusterDomain: string;
}

export interface NodeAgent extends Running {
  /** The pod of this node by namespace and name, with its worker: what streams need. */
  find(namespace: string, name: string): { readonly pod: Pod; readonly worker: PodWorker } | undefined;
  readonly pods: Informer<Pod>;
  readonly services: Informer<Service>;
  /** Ends the workers and every container of this node; the objects stay, so that the next start brings the pods back. */
  stopPods(): Promise<void>;
}

const cidrPollMs = 200;
const ownConditions = new Set(['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady']);

/** Registers the node, waits for its range of pod addresses, adopts what runs, and starts. */
export async function startNodeAgent(options: NodeAgentOptions): Promise<NodeAgent> {
  const { client, runtime, clock, log, facts } = options;
  const ended = new AbortController();
  const { signal } = ended;
  const heartbeat = { client, clock, log, facts, signal };
  const registered = await registerNode(heartbeat);
  void beat(heartbeat);
  const node = await withRange(options, registered, signal);

  const pods = startInformer<Pod>({
    client,
    of: podsRef,
    query: { fieldSelector: `spec.nodeName=${facts.name}` },
    clock,
    log,
    signal,
  });
  const services = startInformer<Service>({ client, of: servicesRef, clock, log, signal });
  await Promise.all([pods.whenSynced(signal), services.whenSynced(signal)]);

  const addresses = await adoptAddresses(runtime, node);
  const here = new Set(pods.list().map(({ metadata }) => metadata.uid ?? ''));
  await runtime.prune(here);
  await pruneFolders(join(options.folder, 'pods'), here);
  const recorder = createEventRecorder({ client, component: 'kubelet', host: facts.name, clock, log });
  const workers = new Map<string, PodWorker>();
  const read = sourceReader(options, services);

  const follow = (pod: Pod): void => {
    if (signal.aborted) return; // what the informer had under way is the successor's
    const uid = pod.metadata.uid ?? '';
    const known = workers.get(uid);
    if (known !== undefined) {
      known.update(pod);
      return;
    }
    const worker = startPodWorker(
      pod,
      {
        runtime,
        clock,
        log,
        recorder,
        node: {
          name: facts.name,
          address: facts.address,
          nameservers: options.nameservers,
          clusterDomain: options.clusterDomain,
        },
        folder: join(options.folder, 'pods'),
        guard: options.guard,
        addressFor: (id) => addresses.take(id),
        releaseAddress: (id) => addresses.release(id),
        sourcesFor: read,
        writeStatus: (of, status) => writeStatus(client, of, status),
        finish: (of) => finish(client, of),
      },
      () => workers.delete(uid),
    );
    workers.set(uid, worker);
  };
  pods.onChange((event) => {
    if (event.kind === 'set') follow(event.object);
    else workers.get(event.previous.metadata.uid ?? '')?.update(undefined);
  });
  for (const pod of pods.list()) follow(pod);

  return {
    pods,
    services,
    find: (namespace, name) => {
      const pod = pods.get(namespace, name);
      const worker = workers.get(pod?.metadata.uid ?? '');
      return pod === undefined || worker === undefined ? undefined : { pod, worker };
    },
    stopPods: async () => {
      ended.abort();
      await Promise.all([...workers.values()].map((worker) => worker.stop()));
      const { sandboxes } = await runtime.list();
      // One that resists must not keep the others, nor what is stopped after them.
      await Promise.all(
        sandboxes.map(({ id }) =>
          runtime.removeSandbox(id).catch((error: unknown) => log.warn('a pod is not taken away', { pod: id, error })),
        ),
      );
    },
    stop: async () => {
      ended.abort();
      await Promise.all([...workers.values()].map((worker) => worker.stop()));
      await runtime.stop();
    },
  };
}

/** The node once the controllers have given it a range. */
async function withRange(
  { client, clock, facts, log }: NodeAgentOptions,
  first: Node,
  signal: AbortSignal,
): Promise<Node> {
  let node = first;
  for (let tries = 0; node.spec.podCIDR === undefined || node.spec.podCIDR === ''; tries++) {
    if (tries === 50)
      log.warn('still no range of pod addresses: is "gatehouse controllers" running?', { node: facts.name });
    await clock.sleep(cidrPollMs, signal);
    node = await client.get(nodes, { name: facts.name }, signal);
  }
  return node;
}

/** Removes the volumes, secrets among them, of pods that went while no agent was here. */
async function pruneFolders(folder: string, keep: ReadonlySet<string>): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  for (const uid of await readdir(folder)) {
    if (!keep.has(uid)) await rm(join(folder, uid), { recursive: true, force: true });
  }
}

async function adoptAddresses(runtime: Runtime, node: Node): Promise<PodAddresses> {
  const { sandboxes } = await runtime.list();
  const held = sandboxes.flatMap(({ id, address }): [string, string][] =>
    address === undefined ? [] : [[id, address]],
  );
  return createPodAddresses(node.spec.podCIDR ?? '', new Map(held));
}

async function writeStatus(client: ClusterClient, pod: Pod, status: PodStatus): Promise<void> {
  let current = pod;
  for (let tries = 0; ; tries++) {
    try {
      // Conditions that others own (PodScheduled, readiness gates) stay as the newest object has them.
      await client.update(podsRef, { ...current, status: mergedStatus(current.status, status) }, 'status');
      return;
    } catch (error) {
      if (failedWith(error, 'NotFound')) return;
      if (!failedWith(error, 'Conflict') || tries === 4) throw error;
      const newest = await client.get(podsRef, pod.metadata);
      if (newest.metadata.uid !== pod.metadata.uid) return;
      current = newest;
    }
  }
}

/** `ours` over what is there: of the conditions, those that this agent decides; the rest is others'. */
export function mergedStatus(there: PodStatus | undefined, ours: PodStatus): PodStatus {
  const own = (ours.conditions ?? []).filter(({ type }) => ownConditions.has(type ?? ''));
  const others = (there?.conditions ?? []).filter(({ type }) => !ownConditions.has(type ?? ''));
  return { ...there, ...ours, conditions: [...own, ...others] };
}

async function finish(client: ClusterClient, pod: Pod): Promise<void> {
  const preconditions = { uid: pod.metadata.uid ?? '' };
  await ignoring(['NotFound', 'Conflict'], () =>
    client.delete(podsRef, pod.metadata, { gracePeriodSeconds: 0, preconditions }),
  );
}

function sourceReader(
  { client, facts, clock }: NodeAgentOptions,
  services: Informer<Service>,
): (pod: Pod, address: string | undefined) => VolumeSources {
  const tokens = createPodTokens(client, clock);
  return (pod, podAddress) => {
    const namespace = pod.metadata.namespace ?? '';
    const configMapBytes = async (name: string): Promise<ReadonlyMap<string, Buffer> | undefined> => {
      const object: ConfigMap | undefined = await ignoring(['NotFound'], () =>
        client.get(configMaps, { namespace, name }),
      );
      if (object === undefined) return undefined;
      const text = Object.entries(object.data ?? {}).map(([key, value]): [string, Buffer] => [
        key,
        Buffer.from(value, 'utf8'),
      ]);
      const binary = Object.entries(object.binaryData ?? {}).map(([key, value]): [string, Buffer] => [
        key,
        Buffer.from(value, 'base64'),
      ]);
      return new Map([...text, ...binary]);
    };
    const secretBytes = async (name: string): Promise<ReadonlyMap<string, Buffer> | undefined> => {
      const object: Secret | undefined = await ignoring(['NotFound'], () => client.get(secrets, { namespace, name }));
      if (object === undefined) return undefined;
      return new Map(Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
    };
    const asText = async (
      bytes: Promise<ReadonlyMap<string, Buffer> | undefined>,
    ): Promise<ReadonlyMap<string, string> | undefined> => {
      const values = await bytes;
      return values === undefined
        ? undefined
        : new Map([...values].map(([key, value]) => [key, value.toString('utf8')]));
    };
    return {
      configMapBytes,
      secretBytes,
      configMap: (name) => asText(configMapBytes(name)),
      secret: (name) => asText(secretBytes(name)),
      services: services.list(),
      podAddress,
      hostAddress: facts.address,
      allocatable: nodeCapacity(facts.maxPods),
      token: (audience, expirationSeconds) => tokens.get(pod, audience, expirationSeconds),
    };
  };
}
