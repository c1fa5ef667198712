/**
 * What a node may write: itself, its lease, the pods bound to it. Roles say which resources a node's agent uses; this
 * says which objects of those are its own. Source: kube-apiserver, admission plugin NodeRestriction.
 */
import type { KubeObject } from '../../api/meta.ts';
import { forbidden } from '../../api/status.ts';
import { at, equal, fieldsOf, listOf, textOf } from '../../std/value.ts';
import type { AdmissionDeps, AdmissionRequest, Validator } from './chain.ts';
import { groupResourceOf } from './group-resource.ts';

const nodeGroup = 'system:nodes';
const nodePrefix = 'system:node:';
const mirror = 'kubernetes.io/config.mirror';

/** Labels in the kubernetes.io and k8s.io name spaces that a node may give itself. Source: the plugin, kubelet labels. */
const ownLabels: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'node.kubernetes.io/exclude-from-external-load-balancers',
]);

/** Refuses a node what is not its own. Everybody else passes: their roles say what they may. */
export const restrictNode: Validator = async (deps, request) => {
  if (!request.user.groups.includes(nodeGroup)) return;
  const refuse = (why: string): Error => forbidden(groupResourceOf(request.resource), request.name, why);
  if (!request.user.name.startsWith(nodePrefix))
    throw refuse(`could not determine node from user ${JSON.stringify(request.user.name)}`);
  const node = request.user.name.slice(nodePrefix.length);
  const why = await whyNot(deps, request, node);
  if (why !== undefined) throw refuse(why);
};

/** Why `node` may not do what `request` asks; undefined when it may. */
async function whyNot(deps: AdmissionDeps, request: AdmissionRequest, node: string): Promise<string | undefined> {
  switch (request.resource) {
    case 'nodes':
      return whyNotNode(request, node);
    case 'pods':
      return await whyNotPod(deps, request, node);
    case 'leases.coordination.k8s.io':
      if (request.namespace !== 'kube-node-lease')
        return `can only access leases in the "kube-node-lease" system namespace`;
      return request.name === node ? undefined : 'can only access node lease with the same name as the requesting node';
    case 'csinodes.storage.k8s.io':
      return request.name === node ? undefined : 'can only access CSINode with the same name as the requesting node';
    case 'serviceaccounts':
      return request.subresource === 'token' ? await whyNotToken(deps, request, node) : undefined;
    case 'nodeallowlists.netpolicy.gatehouse.dev':
      return request.name === node && request.subresource === 'status' && request.operation === 'UPDATE'
        ? undefined
        : `node ${JSON.stringify(node)} can only report on its own allow-list`;
    default:
      return undefined;
  }
}

function whyNotNode(request: AdmissionRequest, node: string): string | undefined {
  if (request.name !== node)
    return `node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(request.name)}`;
  if (request.operation === 'DELETE') return `node ${JSON.stringify(node)} is not allowed to delete itself`;
  const [next, old] = [request.object, request.old];
  if (next === undefined) return undefined;
  if (request.operation === 'CREATE' && at(next, 'spec', 'configSource') !== undefined)
    return 'nodes are not allowed to set configSource';
  if (request.operation === 'UPDATE') {
    if (!equal(at(next, 'spec', 'taints') ?? [], at(old, 'spec', 'taints') ?? []))
      return `node ${JSON.stringify(node)} is not allowed to modify taints`;
    if (!equal(next.metadata.ownerReferences ?? [], old?.metadata.ownerReferences ?? []))
      return `node ${JSON.stringify(node)} is not allowed to modify ownerReferences`;
  }
  const strange = changedLabels(next, old).filter((label) => !mayLabel(label));
  if (strange.length === 0) return undefined;
  return `is not allowed to modify labels: ${strange.toSorted().join(', ')}`;
}

function changedLabels(next: KubeObject, old: KubeObject | undefined): readonly string[] {
  const [after, before] = [next.metadata.labels ?? {}, old?.metadata.labels ?? {}];
  return [...new Set([...Object.keys(after), ...Object.keys(before)])].filter(
    (label) => after[label] !== before[label],
  );
}

/** A node may label itself, except in the name spaces that others rely on to say where workloads may go. */
function mayLabel(label: string): boolean {
  const slash = label.indexOf('/');
  if (slash < 0) return true;
  const space = label.slice(0, slash);
  const within = (domain: string): boolean => space === domain || space.endsWith(`.${domain}`);
  if (within('node-restriction.kubernetes.io')) return false;
  if (!within('kubernetes.io') && !within('k8s.io')) return true;
  return ownLabels.has(label) || within('kubelet.kubernetes.io') || within('node.kubernetes.io');
}

async function whyNotPod(
  { store }: AdmissionDeps,
  request: AdmissionRequest,
  node: string,
): Promise<string | undefined> {
  const { operation, subresource, object, old } = request;
  if (subresource === 'eviction') {
    const key = { resource: 'pods', namespace: request.namespace, name: request.name };
    const pod = await store.get(key, { kind: 'current' });
    return at(pod?.object, 'spec', 'nodeName') === node
      ? undefined
      : `node ${JSON.stringify(node)} can only evict pods with spec.nodeName set to itself`;
  }
  if (subresource === 'status') {
    if (operation !== 'UPDATE') return `unexpected operation ${JSON.stringify(operation)}`;
    if (at(old, 'spec', 'nodeName') !== node)
      return `node ${JSON.stringify(node)} can only update pod status for pods with spec.nodeName set to itself`;
    return equal(object?.metadata.labels ?? {}, old?.metadata.labels ?? {})
      ? undefined
      : `node ${JSON.stringify(node)} cannot update labels through pod status`;
  }
  if (subresource !== '') return `unexpected pod subresource ${JSON.stringify(subresource)}`;
  if (operation === 'DELETE') {
    return at(old, 'spec', 'nodeName') === node
      ? undefined
      : `node ${JSON.stringify(node)} can only delete pods with spec.nodeName set to itself`;
  }
  if (operation !== 'CREATE' || object === undefined)
    return `unexpected operation ${JSON.stringify(operation)}, node ${JSON.stringify(node)} can only create and delete mirror pods`;
  return whyNotMirror(object, node);
}

/** A mirror pod shows what a node runs of itself; it may use nothing that would need rights. */
function whyNotMirror(pod: KubeObject, node: string): string | undefined {
  if (pod.metadata.annotations?.[mirror] === undefined)
    return `pod does not have ${JSON.stringify(mirror)} annotation, node ${JSON.stringify(node)} can only create mirror pods`;
  if (at(pod, 'spec', 'nodeName') !== node)
    return `node ${JSON.stringify(node)} can only create pods with spec.nodeName set to itself`;
  if (textOf(at(pod, 'spec', 'serviceAccountName')) !== '')
    return `node ${JSON.stringify(node)} can not create pods that reference a service account`;
  const uses = listOf(at(pod, 'spec', 'volumes')).find((volume) =>
    ['secret', 'configMap', 'persistentVolumeClaim', 'projected'].some((kind) => Object.hasOwn(fieldsOf(volume), kind)),
  );
  return uses === undefined ? undefined : `node ${JSON.stringify(node)} can not create pods that reference API objects`;
}

async function whyNotToken(
  { store }: AdmissionDeps,
  request: AdmissionRequest,
  node: string,
): Promise<string | undefined> {
  const ref = fieldsOf(at(request.object, 'spec', 'boundObjectRef'));
  if (ref['kind'] !== 'Pod' || textOf(ref['name']) === '') return 'node requested token not bound to a pod';
  const pod = await store.get(
    { resource: 'pods', namespace: request.namespace, name: textOf(ref['name']) },
    { kind: 'current' },
  );
  if (pod === undefined || pod.object.metadata.uid !== ref['uid'])
    return 'node requested token with a different pod identity';
  return at(pod.object, 'spec', 'nodeName') === node && at(pod.object, 'spec', 'serviceAccountName') === request.name
    ? undefined
    : 'node requested token bound to a pod scheduled on a different node';
}
