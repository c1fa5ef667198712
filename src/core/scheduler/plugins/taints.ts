/**
 * Taints keep pods away unless they tolerate them: NoSchedule and NoExecute for certain, PreferNoSchedule where there is
 * a better node. A cordoned node is one with a taint that is written as a flag.
 * Source: Kubernetes concepts, "Taints and Tolerations"; messages as kube-scheduler words them.
 */
import type { Pod, Taint, Toleration } from '../../../api/types/core.ts';
import { normalized } from '../framework.ts';
import type { Plugin } from '../framework.ts';

/** Whether `toleration` covers `taint`. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = '', operator = '', value = '', effect = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  // Operators that compare numbers are an alpha feature upstream: nothing is tolerated by them.
  return (operator === '' || operator === 'Equal') && key !== '' && value === (taint.value ?? '');
}

/** The first taint that keeps `pod` off, if any. */
export function untoleratedTaint(pod: Pod, taints: readonly Taint[] | undefined): Taint | undefined {
  return taints?.find(
    (taint) =>
      (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') &&
      !(pod.spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint)),
  );
}

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  filter:
    ({ pod }) =>
    ({ node }) => {
      const taint = untoleratedTaint(pod, node.spec.taints);
      if (taint === undefined) return undefined;
      return {
        reasons: [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`],
        evictionHelps: false,
      };
    },
  score: ({ pod }) => {
    const tolerations = (pod.spec.tolerations ?? []).filter(
      ({ effect = '' }) => effect === '' || effect === 'PreferNoSchedule',
    );
    return (nodes) =>
      normalized(
        nodes.map(
          ({ node }) =>
            (node.spec.taints ?? []).filter(
              (taint) =>
                taint.effect === 'PreferNoSchedule' && !tolerations.some((toleration) => tolerates(toleration, taint)),
            ).length,
        ),
        true,
      );
  },
  wakes: (event) => event.kind === 'node' && event.taints,
};

const cordon: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
const cordoned = { reasons: ['node(s) were unschedulable'], evictionHelps: false };

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  filter: ({ pod }) => {
    if ((pod.spec.tolerations ?? []).some((toleration) => tolerates(toleration, cordon))) return undefined;
    return ({ node }) => (node.spec.unschedulable === true ? cordoned : undefined);
  },
  wakes: (event) => event.kind === 'node' && event.unschedulable,
};
