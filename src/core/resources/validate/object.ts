/** Which checks a kind has. A cause for every wrong field; none means the object may be kept. Pure. */
import type { KubeObject } from '../../../api/meta.ts';
import type { ResourceType } from '../../../api/schema/kinds.ts';
import type { FieldCause } from '../../../api/status.ts';
import { storageName } from '../address.ts';
import { fieldsOf } from '../../../std/value.ts';
import { definitionCauses, definitionUpdateCauses } from '../custom/definition-rules.ts';
import { definitionsName } from '../custom/definition-status.ts';
import { customCauses } from '../custom/object.ts';
import type { CheckContext, KindChecks } from './checks.ts';
import {
  autoscalerChecks,
  budgetChecks,
  certificateRequestChecks,
  claimChecks,
  ingressChecks,
  leaseChecks,
  nodeChecks,
  persistentVolumeChecks,
  priorityClassChecks,
  quotaChecks,
  storageClassChecks,
} from './cluster.ts';
import { configMapChecks, secretChecks } from './config.ts';
import { limitRangeChecks } from './limit-range.ts';
import { networkPolicyChecks } from './network-policy.ts';
import { podChecks, templateCauses } from './pod.ts';
import { clusterRoleBindingChecks, clusterRoleChecks, roleBindingChecks, roleChecks } from './rbac.ts';
import { endpointSliceChecks, endpointsChecks, serviceChecks } from './service.ts';
import {
  cronJobChecks,
  daemonSetChecks,
  deploymentChecks,
  jobChecks,
  replicaSetChecks,
  statefulSetChecks,
} from './workloads.ts';
import { metadataCauses, metadataUpdateCauses } from './metadata.ts';

const checks: ReadonlyMap<string, KindChecks> = new Map<string, KindChecks>([
  ['pods', podChecks],
  ['podtemplates', { object: (object) => templateCauses(fieldsOf(object['template']), 'template') }],
  ['configmaps', configMapChecks],
  ['secrets', secretChecks],
  ['services', serviceChecks],
  ['endpoints', endpointsChecks],
  ['nodes', nodeChecks],
  ['persistentvolumes', persistentVolumeChecks],
  ['persistentvolumeclaims', claimChecks],
  ['limitranges', limitRangeChecks],
  ['resourcequotas', quotaChecks],
  ['deployments.apps', deploymentChecks],
  ['replicasets.apps', replicaSetChecks],
  ['statefulsets.apps', statefulSetChecks],
  ['daemonsets.apps', daemonSetChecks],
  ['jobs.batch', jobChecks],
  ['cronjobs.batch', cronJobChecks],
  ['horizontalpodautoscalers.autoscaling', autoscalerChecks],
  ['certificatesigningrequests.certificates.k8s.io', certificateRequestChecks],
  ['leases.coordination.k8s.io', leaseChecks],
  ['endpointslices.discovery.k8s.io', endpointSliceChecks],
  ['ingresses.networking.k8s.io', ingressChecks],
  ['networkpolicies.networking.k8s.io', networkPolicyChecks],
  ['poddisruptionbudgets.policy', budgetChecks],
  ['roles.rbac.authorization.k8s.io', roleChecks],
  ['clusterroles.rbac.authorization.k8s.io', clusterRoleChecks],
  ['rolebindings.rbac.authorization.k8s.io', roleBindingChecks],
  ['clusterrolebindings.rbac.authorization.k8s.io', clusterRoleBindingChecks],
  ['priorityclasses.scheduling.k8s.io', priorityClassChecks],
  ['storageclasses.storage.k8s.io', storageClassChecks],
]);

const ordinary: CheckContext = { loopbackPods: [] };

/** What is wrong with an object that is to be created. */
export function causesOfCreate(
  type: ResourceType,
  object: KubeObject,
  context: CheckContext = ordinary,
): readonly FieldCause[] {
  const name = storageName(type);
  const metadata = metadataCauses(type, object);
  if (type.custom !== undefined) return [...metadata, ...customCauses(type.custom, object, undefined, context.rules)];
  if (name === definitionsName) return [...metadata, ...definitionCauses(object, context.rules)];
  return [...metadata, ...(checks.get(name)?.object?.(object, context) ?? [])];
}

/** What is wrong with changing `old` into `next` through `subresource`. What a status says is its writer's to know. */
export function causesOfUpdate(
  type: ResourceType,
  subresource: string,
  next: KubeObject,
  old: KubeObject,
  context: CheckContext = ordinary,
): readonly FieldCause[] {
  const metadata = metadataUpdateCauses(next, old);
  if (type.custom !== undefined) return [...metadata, ...customCauses(type.custom, next, old, context.rules)];
  if (storageName(type) === definitionsName) {
    const own = subresource === '' ? definitionCauses(next, context.rules) : [];
    return [...metadata, ...own, ...definitionUpdateCauses(next, old)];
  }
  if (subresource === 'status' || subresource === 'finalize' || subresource === 'approval') return metadata;
  const kind = checks.get(storageName(type));
  if (subresource !== '' && subresource !== 'scale') return [...metadata, ...(kind?.object?.(next, context) ?? [])];
  return [...metadata, ...(kind?.object?.(next, context) ?? []), ...(kind?.update?.(next, old) ?? [])];
}
