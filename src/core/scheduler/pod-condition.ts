/** The condition PodScheduled: what users and autoscalers read to learn why a pod waits. */
import { rfc3339 } from '../../std/clock.ts';
import type { Pod, PodCondition } from '../../api/types/core.ts';

/** Why a pod has no node: none fits, something failed, or its scheduling gates hold it. */
export type PendingReason = 'Unschedulable' | 'SchedulerError' | 'SchedulingGated';

/** Source: as kube-apiserver words it. */
export const gatedMessage = 'Scheduling is blocked due to non-empty scheduling gates';

/**
 * The condition that says so as of `now`; undefined when `pod` says it already. The time of transition is kept while the
 * status stays the same.
 */
export function pendingCondition(
  pod: Pod,
  reason: PendingReason,
  message: string,
  now: number,
): PodCondition | undefined {
  const present = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (present?.status === 'False' && present.reason === reason && present.message === message) return undefined;
  const { generation } = pod.metadata;
  return {
    type: 'PodScheduled',
    status: 'False',
    reason,
    message,
    lastTransitionTime: present?.status === 'False' ? (present.lastTransitionTime ?? rfc3339(now)) : rfc3339(now),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}
