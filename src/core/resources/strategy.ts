/**
 * What differs from kind to kind in how an object is begun and changed: which part a client of the main resource owns,
 * when generation grows, whether an update may create. Pure. Source: kube-apiserver's registry strategies.
 */
import type { KubeObject } from '../../api/meta.ts';
import type { ResourceType } from '../../api/schema/kinds.ts';
import { findSubresource } from '../../api/schema/kinds.ts';
import { equal, fieldsOf, isFields, listOf, textOf, without } from '../../std/value.ts';
import { storageName } from './address.ts';
import { qosClassOf } from './kinds/qos.ts';

/** Kinds whose update creates what is not there. */
const createOnUpdate: ReadonlySet<string> = new Set([
  'endpoints',
  'events',
  'leases.coordination.k8s.io',
  'limitranges',
  'podtemplates',
  'roles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
  'clusterroles.rbac.authorization.k8s.io',
  'clusterrolebindings.rbac.authorization.k8s.io',
  'services',
]);

/** Kinds whose update has to name the resourceVersion it changes. */
const lockedUpdate: ReadonlySet<string> = new Set([
  'leases.coordination.k8s.io',
  'poddisruptionbudgets.policy',
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'runtimeclasses.node.k8s.io',
  'ipaddresses.networking.k8s.io',
  'servicecidrs.networking.k8s.io',
]);

/** Kinds that count the changes of their spec. */
const counted: ReadonlySet<string> = new Set([
  'pods',
  'replicationcontrollers',
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'jobs.batch',
  'cronjobs.batch',
  'networkpolicies.networking.k8s.io',
  'clusternetworkpolicies.policy.networking.k8s.io',
  'ingresses.networking.k8s.io',
  'ingressclasses.networking.k8s.io',
  'poddisruptionbudgets.policy',
  'nodeallowlists.netpolicy.gatehouse.dev',
  'customresourcedefinitions.apiextensions.k8s.io',
  'flowschemas.flowcontrol.apiserver.k8s.io',
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
]);

/** Kinds whose status a client may set at creation (a node registers with one). */
const statusAtCreation: ReadonlySet<string> = new Set(['nodes']);

/** Kinds whose status write may also change labels and annotations. */
const metadataWithStatus: ReadonlySet<string> = new Set([
  'pods',
  'nodes',
  'services',
  'namespaces',
  'persistentvolumes',
]);

/** Whether an update of `type` creates what is not there. */
export function allowsCreateOnUpdate(type: ResourceType): boolean {
  return createOnUpdate.has(storageName(type));
}

/** Whether an update of `type` may leave out resourceVersion: the last writer wins. */
export function allowsUnconditionalUpdate(type: ResourceType): boolean {
  return type.custom === undefined && !lockedUpdate.has(storageName(type));
}

/** Whether `type` keeps metadata.generation. */
export function isCounted(type: ResourceType): boolean {
  return type.custom !== undefined || counted.has(storageName(type));
}

function hasStatus(type: ResourceType): boolean {
  return findSubresource(type, 'status') !== undefined;
}

/** Kinds whose status write may also change annotations, so that a Deployment's revision is set without a new generation. */
const annotationsWithStatus: ReadonlySet<string> = new Set(['deployments.apps']);

/** What of an object's metadata a write of /status may change. */
export function metadataOnStatus(type: ResourceType): 'all' | 'annotations' | 'none' {
  if (metadataWithStatus.has(storageName(type))) return 'all';
  return annotationsWithStatus.has(storageName(type)) ? 'annotations' : 'none';
}

/** `object` as a client may begin it: status as the kind begins, fields that fill themselves. */
export function begun(type: ResourceType, object: KubeObject): KubeObject {
  if (type.custom !== undefined) return hasStatus(type) ? withoutField(object, 'status') : object;
  const name = storageName(type);
  const folded = foldStringData(object);
  const status = statusAtBirth(name, folded);
  const reset = hasStatus(type) && !statusAtCreation.has(name) ? { ...folded, status } : folded;
  if (name === 'namespaces') {
    const spec = fieldsOf(reset['spec']);
    const finalizers = listOf(spec['finalizers']);
    return {
      ...labelled(reset),
      spec: { ...spec, finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'] },
    };
  }
  return name === 'jobs.batch' ? withJobSelector(reset) : reset;
}

/** `object` after admission: what its status says of a spec that admission may have changed (a pod's requests). */
export function settled(type: ResourceType, object: KubeObject): KubeObject {
  if (storageName(type) !== 'pods') return object;
  return { ...object, status: { ...fieldsOf(object['status']), qosClass: qosClassOf(object) } };
}

function statusAtBirth(name: string, object: KubeObject): Readonly<Record<string, unknown>> {
  switch (name) {
    case 'pods':
      return { phase: 'Pending', qosClass: qosClassOf(object) };
    case 'namespaces':
      return { phase: 'Active' };
    case 'persistentvolumes':
    case 'persistentvolumeclaims':
      return { phase: 'Pending' };
    case 'services':
      return { loadBalancer: {} };
    default:
      return {};
  }
}

/** A job's pods are found by its uid, unless it says by what. Source: batch/v1 JobSpec.manualSelector. */
function withJobSelector(job: KubeObject): KubeObject {
  const spec = fieldsOf(job['spec']);
  if (spec['manualSelector'] === true) return job;
  const { uid = '', name } = job.metadata;
  const own = {
    'batch.kubernetes.io/controller-uid': uid,
    'controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'job-name': name,
  };
  const template = fieldsOf(spec['template']);
  const metadata = fieldsOf(template['metadata']);
  return {
    ...job,
    spec: {
      ...spec,
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
      template: { ...template, metadata: { ...metadata, labels: { ...fieldsOf(metadata['labels']), ...own } } },
    },
  };
}

/** Every namespace can be selected by its name. */
function labelled(object: KubeObject): KubeObject {
  const labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name ?? '' };
  return { ...object, metadata: { ...object.metadata, labels } };
}

/** stringData of a Secret is a way to write data; it is never read. */
function foldStringData(object: KubeObject): KubeObject {
  if (object.kind !== 'Secret' || !isFields(object['stringData'])) return object;
  const encoded = Object.entries(object['stringData']).map(([key, value]) => [
    key,
    Buffer.from(textOf(value)).toString('base64'),
  ]);
  const { stringData: _folded, ...rest } = object;
  return { ...rest, data: { ...fieldsOf(object['data']), ...Object.fromEntries(encoded) } };
}

/** What an update of the main resource changes: everything but the status, whose owner writes /status. */
export function changed(type: ResourceType, next: KubeObject, old: KubeObject): KubeObject {
  const name = storageName(type);
  let object = type.custom === undefined ? foldStringData(next) : next;
  if (hasStatus(type)) {
    object = old['status'] === undefined ? withoutField(object, 'status') : { ...object, status: old['status'] };
  }
  if (name === 'namespaces') {
    const finalizers = fieldsOf(old['spec'])['finalizers'];
    const spec = without(fieldsOf(object['spec']), 'finalizers');
    object = labelled({ ...object, spec: finalizers === undefined ? spec : { ...spec, finalizers } });
  }
  if (name === 'certificatesigningrequests.certificates.k8s.io') object = { ...object, spec: old['spec'] };
  return counting(type, object, old);
}

/** What a write of /status changes: the status alone, and for some kinds labels and annotations. */
export function statusChanged(type: ResourceType, next: KubeObject, old: KubeObject): KubeObject {
  const name = storageName(type);
  const metadata = metadataWithStatus.has(name)
    ? { ...next.metadata, ...pick(old.metadata, 'ownerReferences', 'deletionTimestamp', 'deletionGracePeriodSeconds') }
    : {
        ...(annotationsWithStatus.has(name)
          ? { ...without(old.metadata, 'annotations'), ...pick(next.metadata, 'annotations') }
          : old.metadata),
        ...pick(next.metadata, 'uid'), // a precondition
        resourceVersion: next.metadata.resourceVersion ?? '',
      };
  return {
    ...old,
    metadata: { ...metadata, generation: old.metadata.generation },
    status: next['status'],
  } as KubeObject; // generation may be absent in both
}

/** Sets generation: one more when the spec is another. */
export function counting(type: ResourceType, next: KubeObject, old: KubeObject): KubeObject {
  if (!isCounted(type)) return next;
  const before = old.metadata.generation ?? 1;
  const isSame =
    type.custom !== undefined
      ? equal(counts(type, next), counts(type, old))
      : equal(next['spec'], old['spec']) &&
        (type.kind !== 'Deployment' || equal(next.metadata.annotations ?? {}, old.metadata.annotations ?? {}));
  return { ...next, metadata: { ...next.metadata, generation: isSame ? before : before + 1 } };
}

/** What a change of makes a new generation of a custom kind: all but the metadata, and the status where that is apart. */
function counts(type: ResourceType, object: KubeObject): unknown {
  return without(object, 'metadata', ...(hasStatus(type) ? ['status'] : []));
}

function pick(fields: object, ...names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));
}

function withoutField(object: KubeObject, name: string): KubeObject {
  const { apiVersion, kind, metadata } = object;
  return { ...without(object, name), apiVersion, kind, metadata };
}
