/** Binding a pod to a node: the one way spec.nodeName is set. Source: kube-apiserver, pods/binding. */
import type { KubeObject } from '../../../api/meta.ts';
import { badRequest, conflict } from '../../../api/status.ts';
import { rfc3339 } from '../../../std/clock.ts';
import { at, fieldsOf, listOf, textOf } from '../../../std/value.ts';

const pods = { group: '', resource: 'pods' };

/**
 * `pod` bound as `binding` says: nodeName, PodScheduled true, the binding's annotations. Throws Conflict when it is
 * bound or being deleted, or is another pod than the binding meant.
 */
export function bound(pod: KubeObject, binding: KubeObject, now: number): KubeObject {
  const name = pod.metadata.name ?? '';
  const kind = textOf(at(binding, 'target', 'kind'));
  const node = textOf(at(binding, 'target', 'name'));
  if (kind !== '' && kind !== 'Node')
    throw badRequest(
      `Binding "${name}" is invalid: target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`,
    );
  if (node === '') throw badRequest(`Binding "${name}" is invalid: target.name: Required value`);
  const { uid, resourceVersion } = binding.metadata;
  if (uid !== undefined && uid !== pod.metadata.uid) {
    throw conflict(
      pods,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid ?? ''}`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== pod.metadata.resourceVersion) {
    throw conflict(pods, name);
  }
  if (pod.metadata.deletionTimestamp !== undefined)
    throw conflict(pods, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  const present = textOf(at(pod, 'spec', 'nodeName'));
  if (present !== '') throw conflict(pods, name, `pod ${name} is already assigned to node "${present}"`);
  if (listOf(at(pod, 'spec', 'schedulingGates')).length > 0)
    throw conflict(pods, name, `pod ${name} has non-empty .spec.schedulingGates`);
  const others = listOf(at(pod, 'status', 'conditions')).filter(
    (condition) => at(condition, 'type') !== 'PodScheduled',
  );
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(binding.metadata.annotations === undefined
        ? {}
        : { annotations: { ...pod.metadata.annotations, ...binding.metadata.annotations } }),
    },
    spec: { ...fieldsOf(pod['spec']), nodeName: node },
    status: {
      ...fieldsOf(pod['status']),
      conditions: [...others, { type: 'PodScheduled', status: 'True', lastTransitionTime: rfc3339(now) }],
    },
  };
}
