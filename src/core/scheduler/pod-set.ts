/** Which pods belong with a pod: those of the Services that select it and of the controller that made it. */
import { matchesLabels, selectorOf } from '../../api/selector.ts';
import type { Requirement, Selector } from '../../api/selector.ts';
import type { Pod, Service } from '../../api/types/core.ts';
import type { LabelSelector } from '../../api/types/meta.ts';

export interface SetSources {
  /** The Services of a namespace. */
  readonly services: (namespace: string) => readonly Service[];
  /** What the controller of this kind and name selects, if it is one that keeps a set of pods. */
  readonly controllerSelector: (kind: string, namespace: string, name: string) => LabelSelector | undefined;
}

/**
 * Selects the pods that `pod` should be kept apart from; the empty selector when it belongs to no set.
 * Source: kube-scheduler's default selector.
 */
export function setSelector(pod: Pod, sources: SetSources): Selector {
  const { namespace = '', labels } = pod.metadata;
  const all: Requirement[] = [];
  for (const service of sources.services(namespace)) {
    const selector = service.spec.selector ?? {};
    if (Object.keys(selector).length === 0) continue;
    const requirements = selectorOf({ matchLabels: selector });
    if (requirements !== 'nothing' && matchesLabels(requirements, labels)) all.push(...requirements);
  }
  const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true);
  const selector = owner && sources.controllerSelector(owner.kind, namespace, owner.name);
  const requirements = selectorOf(selector);
  return requirements === 'nothing' ? all : [...all, ...requirements];
}
