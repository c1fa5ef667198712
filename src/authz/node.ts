/**
 * What a node may do, as candidate rules: some for every node, some for the node's own objects, and some that follow
 * from the pods bound to it. The graph is pods → what they mention; one rule is made for the very object asked about,
 * and only if an edge leads to it. Casbin then decides on these rules as on any other.
 * Source: Kubernetes node authorization.
 */
import type { AccessRequest, ResourceAccess } from '../api/access.ts';
import type { KubeObject } from '../api/meta.ts';
import type { PolicyRule } from '../api/types/rbac.ts';
import type { User } from '../api/user.ts';
import type { Cell } from './cell.ts';
import { createCell } from './cell.ts';
import { compileRule } from './compile.ts';
import type { ReferencedResource, References } from './pod-references.ts';
import { podReferences } from './pod-references.ts';
import { record, text } from './policy-object.ts';
import { judgedName, requiredValue } from './request.ts';
import type { CompiledRule } from './rule.ts';

const read = ['get', 'list', 'watch'];

/** Where nodes keep their leases. */
const leaseNamespace = 'kube-node-lease';

/** What every node may do. Creating its Node and Lease has no name to judge by: admission holds a node to its own. */
const everyNode: readonly PolicyRule[] = [
  { verbs: read, apiGroups: [''], resources: ['services', 'nodes'] },
  { verbs: read, apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'] },
  { verbs: read, apiGroups: ['node.k8s.io'], resources: ['runtimeclasses'] },
  { verbs: read, apiGroups: ['netpolicy.gatehouse.dev'], resources: ['peersetslices'] },
  { verbs: ['create'], apiGroups: [''], resources: ['nodes'] },
  { verbs: ['create', 'update', 'patch'], apiGroups: ['', 'events.k8s.io'], resources: ['events'] },
  { verbs: ['create', 'get'], apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests'] },
  {
    verbs: ['create'],
    apiGroups: ['certificates.k8s.io'],
    resources: ['certificatesigningrequests/selfnodeclient'],
  },
];

/** What node `name` may do with the objects that are itself. */
function ownObjects(name: string): readonly PolicyRule[] {
  const resourceNames = [name];
  return [
    { verbs: ['update', 'patch', 'delete'], apiGroups: [''], resources: ['nodes'], resourceNames },
    { verbs: ['update', 'patch'], apiGroups: [''], resources: ['nodes/status'], resourceNames },
    { verbs: ['get', 'create'], apiGroups: [''], resources: ['nodes/tunnel'], resourceNames },
    { verbs: read, apiGroups: ['netpolicy.gatehouse.dev'], resources: ['nodeallowlists'], resourceNames },
    {
      verbs: ['get', 'update', 'patch'],
      apiGroups: ['netpolicy.gatehouse.dev'],
      resources: ['nodeallowlists/status'],
      resourceNames,
    },
  ];
}

function ownLease(name: string): readonly PolicyRule[] {
  const leases = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] };
  return [
    { verbs: ['create'], ...leases },
    { verbs: ['get', 'update', 'patch', 'delete'], ...leases, resourceNames: [name] },
  ];
}

const compiledForEveryNode = everyNode.map(compileRule);

/** The pods bound to one node, and how many of them mention each object. */
interface NodeView extends Cell {
  readonly pods: Map<string, Map<string, References>>;
  readonly mentions: Map<ReferencedResource, Map<string, Map<string, number>>>;
}

export interface NodeGraph {
  set(object: KubeObject): void;
  delete(object: KubeObject): void;
  /** Whether `user` is a node: `system:node:NAME` in group system:nodes. */
  isNode(user: User): boolean;
  /** Rules of the node that asks which may bear on `request`; none for anybody else. */
  rules(request: AccessRequest): readonly CompiledRule[];
  /** What `rules` for `user` depends on. */
  cells(user: User): readonly Cell[];
}

/** A graph without pods. It takes in Pods and PersistentVolumes and ignores other kinds. */
export function createNodeGraph(): NodeGraph {
  const views = new Map<string, NodeView>();
  const nodeOf = new Map<string, Map<string, string>>(); // namespace → pod → node
  const claimOf = new Map<string, { readonly namespace: string; readonly name: string }>(); // volume → claim
  const newNodes = createCell();
  const volumes = createCell();

  const removePod = (namespace: string, name: string): void => {
    const node = nodeOf.get(namespace)?.get(name);
    const view = node === undefined ? undefined : views.get(node);
    if (node === undefined || view === undefined) return;
    view.generation++;
    const pods = view.pods.get(namespace);
    count(view, namespace, pods?.get(name), -1);
    pods?.delete(name);
    if (pods?.size === 0) view.pods.delete(namespace);
    if (view.pods.size === 0) views.delete(node);
    nodeOf.get(namespace)?.delete(name);
    if (nodeOf.get(namespace)?.size === 0) nodeOf.delete(namespace);
  };

  const setPod = (pod: KubeObject): void => {
    const { name, namespace = '' } = pod.metadata;
    removePod(namespace, name);
    const node = text(record(pod['spec'])?.['nodeName']);
    if (node === '') return;
    let view = views.get(node);
    if (view === undefined) {
      view = { generation: 0, pods: new Map(), mentions: new Map() };
      views.set(node, view);
      newNodes.generation++;
    }
    view.generation++;
    const references = podReferences(pod);
    inner(view.pods, namespace).set(name, references);
    inner(nodeOf, namespace).set(name, node);
    count(view, namespace, references, 1);
  };

  /** The rule that lets `node` reach the one object that `request` is about, if a pod of its own leads there. */
  const byPods = (node: string, request: ResourceAccess): PolicyRule | undefined => {
    if (request.group !== '') return undefined;
    const view = views.get(node);
    const { namespace, resource, subresource } = request;
    const name = judgedName(request);
    const full = subresource === '' ? resource : `${resource}/${subresource}`;
    const rule = (verbs: readonly string[]): PolicyRule => ({
      verbs,
      apiGroups: [''],
      resources: [full],
      resourceNames: [name],
    });
    const mentions = (what: ReferencedResource, home: string, object: string): boolean =>
      view?.mentions.get(what)?.get(home)?.has(object) ?? false;

    switch (full) {
      case 'secrets':
      case 'configmaps':
      case 'persistentvolumeclaims':
        return mentions(full, namespace, name) ? rule(read) : undefined;
      case 'persistentvolumes': {
        const claim = claimOf.get(name);
        return claim !== undefined && mentions('persistentvolumeclaims', claim.namespace, claim.name)
          ? rule(read)
          : undefined;
      }
      case 'serviceaccounts/token':
        return mentions('serviceaccounts', namespace, name) ? rule(['create']) : undefined;
      case 'pods':
        if (requiredValue(request, 'spec.nodeName') === node) {
          return { verbs: ['list', 'watch'], apiGroups: [''], resources: ['pods'] };
        }
        return isOn(view, namespace, name) ? rule([...read, 'delete']) : undefined;
      case 'pods/status':
        return isOn(view, namespace, name) ? rule(['get', 'update', 'patch']) : undefined;
      case 'pods/eviction':
        return isOn(view, namespace, name) ? rule(['create']) : undefined;
      default:
        return undefined;
    }
  };

  return {
    set: (object) => {
      if (object.apiVersion !== 'v1') return;
      if (object.kind === 'Pod') setPod(object);
      if (object.kind === 'PersistentVolume') {
        const claim = record(record(object['spec'])?.['claimRef']);
        claimOf.set(object.metadata.name ?? '', { namespace: text(claim?.['namespace']), name: text(claim?.['name']) });
        volumes.generation++;
      }
    },
    delete: (object) => {
      if (object.apiVersion !== 'v1') return;
      if (object.kind === 'Pod') removePod(object.metadata.namespace ?? '', object.metadata.name ?? '');
      if (object.kind === 'PersistentVolume') {
        claimOf.delete(object.metadata.name ?? '');
        volumes.generation++;
      }
    },
    isNode: (user) => nodeName(user) !== undefined,
    rules: (request) => {
      const node = nodeName(request.user);
      if (node === undefined || request.kind === 'path') return [];
      const own = [...ownObjects(node), ...(request.namespace === leaseNamespace ? ownLease(node) : [])];
      const reached = byPods(node, request);
      return [...compiledForEveryNode, ...[...own, ...(reached === undefined ? [] : [reached])].map(compileRule)];
    },
    cells: (user) => {
      const node = nodeName(user);
      return node === undefined ? [] : [views.get(node) ?? newNodes, volumes];
    },
  };
}

function nodeName(user: User): string | undefined {
  const prefix = 'system:node:';
  const name = user.name.startsWith(prefix) ? user.name.slice(prefix.length) : '';
  return name !== '' && user.groups.includes('system:nodes') ? name : undefined;
}

function isOn(view: NodeView | undefined, namespace: string, pod: string): boolean {
  return view?.pods.get(namespace)?.has(pod) ?? false;
}

function count(view: NodeView, namespace: string, references: References | undefined, by: 1 | -1): void {
  references?.forEach((names, resource) => {
    const counts = inner(inner(view.mentions, resource), namespace);
    for (const name of names) {
      const next = (counts.get(name) ?? 0) + by;
      if (next > 0) counts.set(name, next);
      else counts.delete(name);
    }
    if (counts.size === 0) view.mentions.get(resource)?.delete(namespace);
  });
}

function inner<Outer, Key, Value>(maps: Map<Outer, Map<Key, Value>>, key: Outer): Map<Key, Value> {
  let map = maps.get(key);
  if (map === undefined) {
    map = new Map<Key, Value>();
    maps.set(key, map);
  }
  return map;
}
