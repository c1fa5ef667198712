/** What controllers ask about a pod. Pure; times are milliseconds since the epoch. */
import type { Pod } from '../../api/types/core.ts';
import { parseInstant } from '../../std/clock.ts';

export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** It ran to its end and will not run again. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** It counts towards what its controller wants. */
export function isActive(pod: Pod): boolean {
  return !isTerminating(pod) && !isFinished(pod);
}

export function isReady(pod: Pod): boolean {
  return readySince(pod) !== undefined;
}

/** When the pod last became ready, or undefined when it is not. */
export function readySince(pod: Pod): number | undefined {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  if (ready?.status !== 'True') return undefined;
  return parseInstant(ready.lastTransitionTime ?? '') ?? 0;
}

/** How long until the pod has been ready for `minReadySeconds`: 0 when it has, undefined when it is not ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  const since = readySince(pod);
  if (since === undefined) return undefined;
  return minReadySeconds === 0 ? 0 : Math.max(since + minReadySeconds * 1000 - now, 0);
}

/** Restarts of all containers. */
export function restartsOf(pod: Pod): number {
  return (pod.status?.containerStatuses ?? []).reduce((sum, status) => sum + status.restartCount, 0);
}

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * Which of two pods of a ReplicaSet goes first when there are too many: the one whose loss costs least.
 * Source: upstream's ranking (unassigned, pending, not ready, deletion cost, crowded node, younger ready, restarts, younger).
 */
export function cheaperToLose(crowd: ReadonlyMap<string, number>): (a: Pod, b: Pod) => number {
  const cost = (pod: Pod): number =>
    Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0;
  const created = (pod: Pod): number => parseInstant(pod.metadata.creationTimestamp ?? '') ?? 0;
  const assigned = (pod: Pod): number => (pod.spec.nodeName === undefined || pod.spec.nodeName === '' ? 0 : 1);
  const phase = (pod: Pod): number => phaseRank[pod.status?.phase ?? 'Pending'] ?? 0;
  return (a, b) =>
    assigned(a) - assigned(b) ||
    phase(a) - phase(b) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    cost(a) - cost(b) ||
    (crowd.get(b.spec.nodeName ?? '') ?? 0) - (crowd.get(a.spec.nodeName ?? '') ?? 0) ||
    (readySince(b) ?? 0) - (readySince(a) ?? 0) ||
    restartsOf(b) - restartsOf(a) ||
    created(b) - created(a);
}
