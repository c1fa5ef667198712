/**
 * Nodes that stop answering: their condition becomes Unknown, a taint keeps new pods away, and their pods are deleted
 * as soon as their tolerations allow. Also gives every node its range of pod addresses.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Node, NodeCondition, Pod, Taint, Toleration } from '../../api/types/core.ts';
import type { Reason } from '../../api/status.ts';
import { parseInstant, rfc3339 } from '../../std/clock.ts';
import { ignoring } from '../cluster/ignoring.ts';
import { nodes as nodesRef, pods as podsRef } from '../cluster/resource-ref.ts';
import type { ControllerContext } from './context.ts';
import { nodeLeaseNamespace, recorderFor, whenAllSynced } from './context.ts';
import { startController } from './controller.ts';
import type { Reconcile } from './controller.ts';
import { planPodCIDR } from './node-addresses.ts';
import { isFinished, isTerminating } from './pod-state.ts';

const identity = 'node-controller';

/** Somebody else removed or changed the object meanwhile: the next look sees how it is. */
const raced: readonly Reason[] = ['NotFound', 'Conflict'];

/** A node is given up when it was silent for this long. Upstream waits 40 s; agents here renew every 5 s, so 20 s are four beats. */
const graceMs = 20_000;
const lookMs = 2_000;

// A node that is registered again within this time keeps its pods. Source: upstream.
const quarantineMs = 40_000;

const taintKeys = { unreachable: 'node.kubernetes.io/unreachable', notReady: 'node.kubernetes.io/not-ready' } as const;

export interface NodeLifecycleOptions {
  /** Range that is cut into one range a node, such as 10.244.0.0/16. */
  readonly clusterCIDR: string;
}

/** Runs until the context's signal aborts. */
export async function runNodeLifecycle(context: ControllerContext, options: NodeLifecycleOptions): Promise<void> {
  const { informers, signal } = context;
  const controller = startController({
    ...context,
    name: identity,
    workers: 2,
    reconcile: reconcileNode(context, options),
  });
  await whenAllSynced([informers.nodes, informers.leases, informers.pods], signal);
  informers.nodes.onChange((event) => {
    controller.enqueue((event.kind === 'deleted' ? event.previous : event.object).metadata.name);
  });
  informers.pods.onChange((event) => {
    const pod = event.kind === 'deleted' ? event.previous : event.object;
    const node = pod.spec.nodeName;
    if (event.kind === 'set' && node !== undefined && node !== '') controller.enqueue(node);
  });
  for (const { metadata } of informers.nodes.list()) controller.enqueue(metadata.name);
  // Pods may be bound to a node that was removed while nobody looked.
  for (const { spec } of informers.pods.list()) if (spec.nodeName) controller.enqueue(spec.nodeName);
}

/** What a node's heartbeat says at `now`. `seenAt` is when this process first saw the last renewal, by its own clock. */
export function isSilent(seenAt: number | undefined, now: number): boolean {
  return seenAt !== undefined && now - seenAt > graceMs;
}

/** Conditions of a node that went silent: all Unknown, since when it did. */
export function silentConditions(node: Node, now: number): readonly NodeCondition[] {
  const known = node.status?.conditions ?? [];
  const types = new Set([...known.map(({ type }) => type), 'Ready']);
  return [...types].map((type) => {
    const before = known.find((each) => each.type === type);
    if (before?.status === 'Unknown') return before;
    return {
      ...before,
      type,
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
      lastTransitionTime: rfc3339(now),
    };
  });
}

/** The taints that the Ready condition asks for, beside those that others set. */
export function wantedTaints(node: Node, now: number): readonly Taint[] {
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown';
  const wanted = ready === 'True' ? undefined : ready === 'False' ? taintKeys.notReady : taintKeys.unreachable;
  const known = node.spec.taints ?? [];
  const others = known.filter(({ key }) => key !== taintKeys.notReady && key !== taintKeys.unreachable);
  if (wanted === undefined) return others;
  const own = (['NoSchedule', 'NoExecute'] as const).map(
    (effect): Taint =>
      known.find((each) => each.key === wanted && each.effect === effect) ?? {
        key: wanted,
        effect,
        ...(effect === 'NoExecute' ? { timeAdded: rfc3339(now) } : {}),
      },
  );
  return [...others, ...own];
}

/** When a pod has to leave a node with these taints: undefined never, otherwise milliseconds since the epoch. */
export function evictionTime(pod: Pod, taints: readonly Taint[], now: number): number | undefined {
  const times = taints
    .filter(({ effect }) => effect === 'NoExecute')
    .map((taint) => {
      const tolerations = (pod.spec.tolerations ?? []).filter((each) => tolerates(each, taint));
      if (tolerations.length === 0) return now;
      const seconds = tolerations.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
      if (seconds.length === 0) return undefined; // tolerated for ever; of several limits the smallest counts
      return (parseInstant(taint.timeAdded ?? '') ?? now) + Math.max(Math.min(...seconds), 0) * 1000;
    })
    .filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = '', operator = 'Equal', value = '', effect = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key === '') return operator === 'Exists';
  return key === taint.key && (operator === 'Exists' || value === (taint.value ?? ''));
}

function reconcileNode(context: ControllerContext, options: NodeLifecycleOptions): Reconcile {
  const { informers, clock, signal } = context;
  const client = context.clientFor(identity);
  const recorder = recorderFor(context, identity);
  const heard = new Map<string, { readonly renewTime: string; readonly at: number }>();
  const removed = new Map<string, string>(); // pods that were told to leave, with their node
  const tainted = new Map<string, ReadonlyMap<string, string>>();
  const missing = new Map<string, number>();
  const given = new Map<string, string>(); // ranges handed out that the copy may not show yet

  return async (name) => {
    const node = informers.nodes.get('', name);
    if (node === undefined) {
      for (const memory of [heard, given, tainted]) memory.delete(name);
      return collectPods(name);
    }
    missing.delete(name);
    if (node.spec.podCIDR === undefined || node.spec.podCIDR === '') return assignCIDR(node);
    const silent = isSilent(lastHeard(node), clock.monotonic());
    const conditions = silent ? silentConditions(node, clock.now()) : (node.status?.conditions ?? []);
    if (!isDeepStrictEqual(conditions, node.status?.conditions ?? [])) {
      await client.update(nodesRef, { ...node, status: { ...node.status, conditions } }, 'status', signal);
      recorder.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
      return { requeueAfterMs: lookMs }; // the event that shows the new conditions comes sooner
    }
    const taints = wantedTaints(node, clock.now());
    if (!isDeepStrictEqual(taints, node.spec.taints ?? [])) {
      await client.update(nodesRef, { ...node, spec: { ...node.spec, taints } }, undefined, signal);
      return { requeueAfterMs: lookMs };
    }
    if (silent) await markNotReady(name);
    const next = await evict(name, sinceWhen(name, taints));
    return { requeueAfterMs: Math.min(next ?? lookMs, lookMs) };
  };

  /** When the last heartbeat of `node` was seen here, by the monotonic clock. */
  function lastHeard(node: Node): number {
    const name = node.metadata.name;
    const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
    const renewTime = `${informers.leases.get(nodeLeaseNamespace, name)?.spec.renewTime ?? ''} ${ready?.lastHeartbeatTime ?? ''}`;
    const known = heard.get(name);
    if (known?.renewTime === renewTime) return known.at;
    const at = clock.monotonic();
    heard.set(name, { renewTime, at });
    return at;
  }

  async function assignCIDR(node: Node): Promise<Record<string, never>> {
    const podCIDR =
      given.get(node.metadata.name) ??
      // Asked of the server: what the leader before us gave may not be in our copy yet.
      planPodCIDR(options.clusterCIDR, (await client.list(nodesRef, {}, signal)).items, [...given.values()]);
    if (podCIDR === undefined) throw new Error(`no range of ${options.clusterCIDR} is left for ${node.metadata.name}`);
    const spec = { ...node.spec, podCIDR, podCIDRs: [podCIDR] };
    given.set(node.metadata.name, podCIDR);
    await client.update(nodesRef, { ...node, spec }, undefined, signal);
    return {};
  }

  /** Pods of a silent node may run or not: services must not count on them. */
  async function markNotReady(name: string): Promise<void> {
    for (const pod of informers.pods.byIndex('node', name)) {
      const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready');
      if (ready?.status !== 'True') continue;
      const changed = {
        ...ready,
        status: 'False' as const,
        reason: 'NodeNotReady',
        lastTransitionTime: rfc3339(clock.now()),
      };
      const conditions = (pod.status?.conditions ?? []).map((each) => (each.type === 'Ready' ? changed : each));
      await ignoring(raced, () =>
        client.update(podsRef, { ...pod, status: { ...pod.status, conditions } }, 'status', signal),
      );
    }
  }

  /** Taints with the time from which tolerations count: that of people's own taints is when they were first seen. */
  function sinceWhen(name: string, taints: readonly Taint[]): readonly Taint[] {
    const before = tainted.get(name);
    const now = new Map<string, string>();
    const timed = taints.map((taint) => {
      if (taint.effect !== 'NoExecute' || taint.timeAdded !== undefined) return taint;
      const id = JSON.stringify([taint.key, taint.value]);
      const timeAdded = before?.get(id) ?? rfc3339(clock.now());
      now.set(id, timeAdded);
      return { ...taint, timeAdded };
    });
    tainted.set(name, now);
    return timed;
  }

  /** Deletes what has to leave now; answers in how many milliseconds the next one has to. */
  async function evict(name: string, taints: readonly Taint[]): Promise<number | undefined> {
    let next: number | undefined;
    for (const pod of informers.pods.byIndex('node', name)) {
      if (isTerminating(pod) || isFinished(pod) || removed.has(pod.metadata.uid ?? '')) continue;
      const time = evictionTime(pod, taints, clock.now());
      if (time === undefined) continue;
      if (time > clock.now()) {
        next = Math.min(next ?? Number.POSITIVE_INFINITY, time - clock.now());
        continue;
      }
      const { namespace, name: podName, uid = '' } = pod.metadata;
      recorder.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace ?? ''}/${podName}`);
      await ignoring(raced, () => client.delete(podsRef, pod.metadata, { preconditions: { uid } }, signal));
      removed.set(uid, name);
    }
    const there = new Set(informers.pods.byIndex('node', name).map(({ metadata }) => metadata.uid));
    for (const [uid, node] of removed) if (node === name && !there.has(uid)) removed.delete(uid);
    return next;
  }

  /** Pods of a node that is no more: nobody will ever report their end. */
  async function collectPods(name: string): Promise<{ readonly requeueAfterMs?: number }> {
    const orphans = informers.pods.byIndex('node', name);
    if (orphans.length === 0) {
      missing.delete(name);
      return {};
    }
    const since = missing.get(name) ?? clock.monotonic();
    missing.set(name, since);
    const wait = since + quarantineMs - clock.monotonic();
    if (wait > 0) return { requeueAfterMs: wait };
    for (const pod of orphans) {
      const preconditions = { uid: pod.metadata.uid ?? '' };
      await ignoring(raced, () =>
        client.delete(podsRef, pod.metadata, { gracePeriodSeconds: 0, preconditions }, signal),
      );
    }
    return {};
  }
}
