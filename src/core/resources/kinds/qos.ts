/** The quality of service a pod gets, from its requests and limits. Source: Kubernetes, "Pod Quality of Service Classes". */
import type { KubeObject } from '../../../api/meta.ts';
import { compareQuantities, parseQuantity } from '../../../std/quantity.ts';
import { at, fieldsOf, listOf, textOf } from '../../../std/value.ts';

/** Guaranteed when every container limits cpu and memory and requests just that; BestEffort when none asks for either. */
export function qosClassOf(pod: KubeObject): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...listOf(at(pod, 'spec', 'containers')), ...listOf(at(pod, 'spec', 'initContainers'))];
  let isGuaranteed = true;
  let asksAny = false;
  for (const container of containers) {
    const limits = fieldsOf(at(container, 'resources', 'limits'));
    const requests = { ...limits, ...fieldsOf(at(container, 'resources', 'requests')) };
    for (const name of ['cpu', 'memory']) {
      const request = parseQuantity(textOf(requests[name]));
      const limit = parseQuantity(textOf(limits[name]));
      if (request !== undefined || limit !== undefined) asksAny = true;
      if (limit === undefined || request === undefined || compareQuantities(limit, request) !== 0) isGuaranteed = false;
    }
  }
  if (!asksAny) return 'BestEffort';
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
}
