/**
 * Garbage collection: an object whose owners are all gone goes too; foreground deletion waits for dependents; orphaning
 * cuts them loose. Works on the metadata of every resource that can be deleted.
 */
import { setMaxListeners } from 'node:events';
import type { OwnerReference } from '../../api/types/meta.ts';
import { parseApiVersion } from '../../api/meta.ts';
import { deadline } from '../../std/clock.ts';
import type { ClusterClient } from '../cluster/client.ts';
import { discoverResources } from '../cluster/discovery.ts';
import { startInformer } from '../cluster/informer.ts';
import type { Informer } from '../cluster/informer.ts';
import { ignoring } from '../cluster/ignoring.ts';
import type { ClusterObject, ResourceRef } from '../cluster/resource-ref.ts';
import type { ControllerContext } from './context.ts';
import { startController } from './controller.ts';
import type { Reconcile } from './controller.ts';
import { createOwnershipGraph } from './ownership-graph.ts';
import type { GraphNode, OwnershipGraph } from './ownership-graph.ts';

const identity = 'generic-garbage-collector';
const foreground = 'foregroundDeletion';
const orphan = 'orphan';
// Own group of objects nobody owns and that own nothing: watching them would only cost.
const ignored = new Set(['events']);

// How often to ask which kinds there are, ms, besides whenever a definition changes. Source: upstream's period.
const rediscoverMs = 30_000;
// How long the first list of a new kind may take; a kind that is gone again never has one.
const syncMs = 10_000;

/** Runs until the context's signal aborts. */
export async function runGarbageCollector(context: ControllerContext): Promise<void> {
  const { signal, clock, log } = context;
  const client = context.clientFor(identity);
  const graph = createOwnershipGraph();
  let collected: readonly ResourceRef[] = [];
  let isWhole = false; // until the graph is, nothing can be said about who depends on whom
  const reconcile = reconcileObject({
    graph,
    client,
    get resources() {
      return collected;
    },
  });
  const controller = startController({
    ...context,
    name: identity,
    workers: 8,
    reconcile: async (uid, until) => (isWhole ? reconcile(uid, until) : {}),
  });

  let changed = new AbortController();
  const follow = (of: ResourceRef): Followed => {
    const ended = new AbortController();
    const until = AbortSignal.any([signal, ended.signal]);
    const query = { metadataOnly: true };
    const informer = startInformer<ClusterObject>({ client, of, query, clock, log, signal: until });
    informer.onChange((event) => {
      if (ended.signal.aborted) return;
      if (of.resource === 'customresourcedefinitions') changed.abort();
      const object = event.kind === 'deleted' ? event.previous : event.object;
      const uid = object.metadata.uid ?? '';
      if (event.kind === 'deleted') {
        const dependents = graph.dependentsOf(uid);
        const owners = object.metadata.ownerReferences ?? [];
        graph.remove(uid);
        for (const each of dependents) controller.enqueue(each.uid);
        for (const owner of owners) controller.enqueue(owner.uid); // it may be waiting in the foreground
        return;
      }
      graph.set({ uid, resource: of, metadata: object.metadata });
      if (needsLook(object)) controller.enqueue(uid);
    });
    return { informer, end: () => ended.abort() };
  };

  const followed = new Map<string, Followed>();
  /** Follows the kinds that have come, and forgets those that have gone. */
  const rediscover = async (): Promise<void> => {
    const found = await discoverResources(client, ['list', 'watch', 'delete'], signal);
    const wanted = new Map(found.filter(({ resource }) => !ignored.has(resource)).map((of) => [nameOf(of), of]));
    for (const [name, one] of followed) {
      if (wanted.has(name)) continue;
      one.end();
      followed.delete(name);
      for (const { metadata } of one.informer.list()) graph.remove(metadata.uid ?? '');
    }
    const added = [...wanted].filter(([name]) => !followed.has(name));
    for (const [name, of] of added) followed.set(name, follow(of));
    collected = [...wanted.values()];
    if (added.length === 0 && isWhole) return;
    isWhole = false;
    const isFirst = followed.size === added.length;
    const until = isFirst ? signal : deadline(syncMs, signal);
    setMaxListeners(0, until); // every kind waits for it
    await Promise.all(
      added.map(async ([name]) => {
        const one = followed.get(name);
        try {
          await one?.informer.whenSynced(until);
        } catch (error) {
          if (signal.aborted) throw error;
          one?.end(); // looked for again the next time
          followed.delete(name);
        }
      }),
    );
    isWhole = true;
    for (const { informer } of followed.values()) {
      for (const object of informer.list()) if (needsLook(object)) controller.enqueue(object.metadata.uid ?? '');
    }
  };

  await rediscover();
  while (!signal.aborted) {
    await clock.sleep(rediscoverMs, AbortSignal.any([signal, changed.signal])).catch(() => {});
    if (signal.aborted) return;
    changed = new AbortController();
    await rediscover().catch((error: unknown) => log.warn('the kinds to collect could not be listed', { error }));
    await clock.sleep(settleMs, signal).catch(() => {});
  }
}

/** A burst of definitions is one look, ms. Chosen. */
const settleMs = 500;

interface Followed {
  readonly informer: Informer<ClusterObject>;
  end(): void;
}

function nameOf({ group, version, resource }: ResourceRef): string {
  return `${group}/${version}/${resource}`;
}

function needsLook({ metadata }: ClusterObject): boolean {
  const waits = (metadata.finalizers ?? []).some((each) => each === foreground || each === orphan);
  return (metadata.ownerReferences ?? []).length > 0 || (metadata.deletionTimestamp !== undefined && waits);
}

/** Decides about one object, by uid. */
export function reconcileObject(deps: {
  readonly graph: OwnershipGraph;
  readonly client: ClusterClient;
  readonly resources: readonly ResourceRef[];
}): Reconcile {
  const { graph, client } = deps;
  return async (uid, signal) => {
    const node = graph.get(uid);
    if (node === undefined) return {};
    if (node.metadata.deletionTimestamp !== undefined) {
      const finalizers = node.metadata.finalizers ?? [];
      if (finalizers.includes(orphan)) return orphanDependents(node, signal);
      if (finalizers.includes(foreground)) return deleteDependents(node, signal);
      return {};
    }
    return collect(node, signal);
  };

  /** Deletes `node` when no owner is left; drops references to owners that are gone while another still stands. */
  async function collect(node: GraphNode, signal: AbortSignal): Promise<Record<string, never>> {
    const owners = node.metadata.ownerReferences ?? [];
    if (owners.length === 0) return {};
    const states = await Promise.all(owners.map((owner) => stateOf(owner, node, signal)));
    const solid = owners.filter((_, index) => states[index] === 'solid');
    const waiting = owners.filter((_, index) => states[index] === 'waiting');
    if (solid.length > 0) {
      if (solid.length < owners.length) await setOwners(node, solid, signal);
      return {};
    }
    const hasDependents = graph.dependentsOf(node.uid).length > 0;
    const propagationPolicy = waiting.length > 0 && hasDependents ? 'Foreground' : 'Background';
    await ignoring(['NotFound'], () =>
      client.delete(node.resource, node.metadata, { propagationPolicy, preconditions: { uid: node.uid } }, signal),
    );
    return {};
  }

  /** solid: it lives; waiting: it is being deleted in the foreground; absent: the server says that it is gone. */
  async function stateOf(
    owner: OwnerReference,
    dependent: GraphNode,
    signal: AbortSignal,
  ): Promise<'solid' | 'waiting' | 'absent'> {
    const known = graph.get(owner.uid);
    const isNear = !known?.resource.namespaced || known.metadata.namespace === dependent.metadata.namespace;
    if (known !== undefined && isNear) return isForeground(known.metadata) ? 'waiting' : 'solid';
    const { group } = parseApiVersion(owner.apiVersion);
    const of = deps.resources.find((each) => each.group === group && each.kind === owner.kind);
    if (of === undefined) return 'solid'; // a kind that is not served: nothing can be said, so nothing is deleted
    const namespace = of.namespaced ? dependent.metadata.namespace : undefined;
    if (of.namespaced && namespace === undefined) return 'solid'; // an owner must be of the dependent's namespace
    const live = await ignoring(['NotFound'], () => client.get(of, { namespace, name: owner.name }, signal));
    if (live?.metadata.uid !== owner.uid) return 'absent';
    return isForeground(live.metadata) ? 'waiting' : 'solid';
  }

  async function deleteDependents(node: GraphNode, signal: AbortSignal): Promise<{ readonly requeueAfterMs?: number }> {
    const dependents = graph.dependentsOf(node.uid);
    const blocking = dependents.filter((each) =>
      each.metadata.ownerReferences?.some((owner) => owner.uid === node.uid && owner.blockOwnerDeletion === true),
    );
    for (const each of dependents) {
      if (each.metadata.deletionTimestamp === undefined) await collect(each, signal);
    }
    if (blocking.length === 0) await dropFinalizer(node, foreground, signal);
    return {}; // each dependent that goes brings us back
  }

  async function orphanDependents(node: GraphNode, signal: AbortSignal): Promise<Record<string, never>> {
    for (const each of graph.dependentsOf(node.uid)) {
      const rest = (each.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== node.uid);
      await setOwners(each, rest, signal);
    }
    await dropFinalizer(node, orphan, signal);
    return {};
  }

  async function setOwners(node: GraphNode, owners: readonly OwnerReference[], signal: AbortSignal): Promise<void> {
    const ownerReferences = owners.length === 0 ? null : owners;
    const { resourceVersion } = node.metadata; // a conflict brings a newer view
    const body = { metadata: { uid: node.uid, resourceVersion, ownerReferences } };
    await ignoring(['NotFound'], () => client.patch(node.resource, node.metadata, { kind: 'merge', body }, signal));
  }

  async function dropFinalizer(node: GraphNode, finalizer: string, signal: AbortSignal): Promise<void> {
    const rest = (node.metadata.finalizers ?? []).filter((each) => each !== finalizer);
    const { resourceVersion } = node.metadata;
    const body = { metadata: { uid: node.uid, resourceVersion, finalizers: rest.length === 0 ? null : rest } };
    await ignoring(['NotFound'], () => client.patch(node.resource, node.metadata, { kind: 'merge', body }, signal));
  }
}

function isForeground(metadata: GraphNode['metadata']): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(foreground);
}
