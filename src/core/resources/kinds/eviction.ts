/**
 * Whether the disruption budgets let a pod be evicted. Source: policy/v1 Eviction, PodDisruptionBudget; messages as
 * kube-apiserver words them.
 */
import type { KubeObject } from '../../../api/meta.ts';
import { matchesLabels, selectorOf } from '../../../api/selector.ts';
import { StatusError } from '../../../api/status.ts';
import { at, fieldsOf } from '../../../std/value.ts';

export type EvictionVerdict =
  | { readonly kind: 'evict' }
  /** The budget after this eviction, to be written before the pod goes. */
  | { readonly kind: 'spend'; readonly budget: KubeObject };

/**
 * What evicting `pod` takes, given the budgets of its namespace. Throws TooManyRequests when a budget has nothing left,
 * InternalError when the pod has more than one budget.
 */
export function evictionVerdict(pod: KubeObject, budgets: readonly KubeObject[], now: string): EvictionVerdict {
  const phase = at(pod, 'status', 'phase');
  if (
    phase === 'Succeeded' ||
    phase === 'Failed' ||
    phase === 'Pending' ||
    pod.metadata.deletionTimestamp !== undefined
  ) {
    return { kind: 'evict' };
  }
  const mine = budgets.filter((budget) =>
    matchesLabels(selectorOf(fieldsOf(at(budget, 'spec', 'selector'))), pod.metadata.labels),
  );
  const [budget, second] = mine;
  if (budget === undefined) return { kind: 'evict' };
  if (second !== undefined) {
    throw new StatusError(
      'InternalError',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  }
  const status = fieldsOf(budget['status']);
  const allowed = number(status['disruptionsAllowed']);
  const observed = number(status['observedGeneration']);
  if (observed < (budget.metadata.generation ?? 0)) {
    throw refused('The disruption budget is still being processed by the server.', 10);
  }
  const isReady = conditionIsTrue(pod, 'Ready');
  const always = at(budget, 'spec', 'unhealthyPodEvictionPolicy') === 'AlwaysAllow';
  const healthy = number(status['currentHealthy']);
  const desired = number(status['desiredHealthy']);
  if (!isReady && (always || (healthy >= desired && desired > 0))) return { kind: 'evict' };
  if (allowed <= 0) {
    throw refused(
      `The disruption budget ${budget.metadata.name ?? ''} needs ${desired} healthy pods and has ${healthy} currently`,
    );
  }
  const disrupted = { ...fieldsOf(status['disruptedPods']), [pod.metadata.name ?? '']: now };
  return {
    kind: 'spend',
    budget: { ...budget, status: { ...status, disruptionsAllowed: allowed - 1, disruptedPods: disrupted } },
  };
}

function refused(why: string, retryAfterSeconds = 0): StatusError {
  return new StatusError('TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    details: {
      causes: [{ reason: 'DisruptionBudget', message: why }],
      ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }),
    },
  });
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function conditionIsTrue(pod: KubeObject, type: string): boolean {
  const conditions = at(pod, 'status', 'conditions');
  return (
    Array.isArray(conditions) && conditions.some((one) => at(one, 'type') === type && at(one, 'status') === 'True')
  );
}
