/**
 * What is served, as data: one row per resource and version, in the order discovery lists them (which is the order in
 * which kubectl resolves an ambiguous name, and within a group the preferred version first).
 */

/** A kind, apart from the version it is asked under. */
export interface KindRow {
  readonly apiVersion: string;
  readonly kind: string;
}

export interface SubresourceRow {
  readonly name: string;
  readonly verbs: readonly string[];
  /** What travels: absent means the resource's own kind. */
  readonly of?: KindRow;
}

export interface ResourceRow {
  readonly apiVersion: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** Absent means every verb. */
  readonly verbs?: readonly string[];
  /** Answered and forgotten, never stored: reviews, bindings. */
  readonly transient?: boolean;
  readonly subresources?: readonly SubresourceRow[];
  /** The apiVersion it is stored in, when that is another. */
  readonly storedAs?: string;
}

const create = ['create'];
const connect = ['create', 'get'];
const proxied = ['create', 'delete', 'get', 'patch', 'update'];

const status: SubresourceRow = { name: 'status', verbs: ['get', 'patch', 'update'] };
const scale: SubresourceRow = {
  name: 'scale',
  verbs: ['get', 'patch', 'update'],
  of: { apiVersion: 'autoscaling/v1', kind: 'Scale' },
};
const core = (name: string, verbs: readonly string[], kind: string): SubresourceRow => ({
  name,
  verbs,
  of: { apiVersion: 'v1', kind },
});

const all = ['all'];
const rbac = 'rbac.authorization.k8s.io/v1';
const networking = 'networking.k8s.io/v1';
const storage = 'storage.k8s.io/v1';
const authorization = 'authorization.k8s.io/v1';

export const resourceRows: readonly ResourceRow[] = [
  { apiVersion: 'v1', resource: 'bindings', kind: 'Binding', namespaced: true, verbs: create, transient: true },
  { apiVersion: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true, shortNames: ['cm'] },
  { apiVersion: 'v1', resource: 'endpoints', kind: 'Endpoints', namespaced: true, shortNames: ['ep'] },
  { apiVersion: 'v1', resource: 'events', kind: 'Event', namespaced: true, shortNames: ['ev'] },
  { apiVersion: 'v1', resource: 'limitranges', kind: 'LimitRange', namespaced: true, shortNames: ['limits'] },
  {
    apiVersion: 'v1',
    resource: 'namespaces',
    kind: 'Namespace',
    namespaced: false,
    shortNames: ['ns'],
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: [{ name: 'finalize', verbs: ['update'] }, status],
  },
  {
    apiVersion: 'v1',
    resource: 'nodes',
    kind: 'Node',
    namespaced: false,
    shortNames: ['no'],
    subresources: [core('proxy', proxied, 'NodeProxyOptions'), status],
  },
  {
    apiVersion: 'v1',
    resource: 'persistentvolumeclaims',
    kind: 'PersistentVolumeClaim',
    namespaced: true,
    shortNames: ['pvc'],
    subresources: [status],
  },
  {
    apiVersion: 'v1',
    resource: 'persistentvolumes',
    kind: 'PersistentVolume',
    namespaced: false,
    shortNames: ['pv'],
    subresources: [status],
  },
  {
    apiVersion: 'v1',
    resource: 'pods',
    kind: 'Pod',
    namespaced: true,
    shortNames: ['po'],
    categories: all,
    subresources: [
      core('attach', connect, 'PodAttachOptions'),
      core('binding', create, 'Binding'),
      { name: 'ephemeralcontainers', verbs: ['get', 'patch', 'update'] },
      { name: 'eviction', verbs: create, of: { apiVersion: 'policy/v1', kind: 'Eviction' } },
      core('exec', connect, 'PodExecOptions'),
      { name: 'log', verbs: ['get'] },
      core('portforward', connect, 'PodPortForwardOptions'),
      core('proxy', proxied, 'PodProxyOptions'),
      { name: 'resize', verbs: ['get', 'patch', 'update'] },
      status,
    ],
  },
  { apiVersion: 'v1', resource: 'podtemplates', kind: 'PodTemplate', namespaced: true },
  {
    apiVersion: 'v1',
    resource: 'replicationcontrollers',
    kind: 'ReplicationController',
    namespaced: true,
    shortNames: ['rc'],
    categories: all,
    subresources: [scale, status],
  },
  {
    apiVersion: 'v1',
    resource: 'resourcequotas',
    kind: 'ResourceQuota',
    namespaced: true,
    shortNames: ['quota'],
    subresources: [status],
  },
  { apiVersion: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true },
  {
    apiVersion: 'v1',
    resource: 'serviceaccounts',
    kind: 'ServiceAccount',
    namespaced: true,
    shortNames: ['sa'],
    subresources: [
      { name: 'token', verbs: create, of: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' } },
    ],
  },
  {
    apiVersion: 'v1',
    resource: 'services',
    kind: 'Service',
    namespaced: true,
    shortNames: ['svc'],
    categories: all,
    subresources: [core('proxy', proxied, 'ServiceProxyOptions'), status],
  },
  { apiVersion: 'apps/v1', resource: 'controllerrevisions', kind: 'ControllerRevision', namespaced: true },
  {
    apiVersion: 'apps/v1',
    resource: 'daemonsets',
    kind: 'DaemonSet',
    namespaced: true,
    shortNames: ['ds'],
    categories: all,
    subresources: [status],
  },
  {
    apiVersion: 'apps/v1',
    resource: 'deployments',
    kind: 'Deployment',
    namespaced: true,
    shortNames: ['deploy'],
    categories: all,
    subresources: [scale, status],
  },
  {
    apiVersion: 'apps/v1',
    resource: 'replicasets',
    kind: 'ReplicaSet',
    namespaced: true,
    shortNames: ['rs'],
    categories: all,
    subresources: [scale, status],
  },
  {
    apiVersion: 'apps/v1',
    resource: 'statefulsets',
    kind: 'StatefulSet',
    namespaced: true,
    shortNames: ['sts'],
    categories: all,
    subresources: [scale, status],
  },
  {
    apiVersion: 'events.k8s.io/v1',
    resource: 'events',
    kind: 'Event',
    namespaced: true,
    shortNames: ['ev'],
    storedAs: 'v1',
  },
  {
    apiVersion: 'authentication.k8s.io/v1',
    resource: 'selfsubjectreviews',
    kind: 'SelfSubjectReview',
    namespaced: false,
    verbs: create,
    transient: true,
  },
  {
    apiVersion: 'authentication.k8s.io/v1',
    resource: 'tokenreviews',
    kind: 'TokenReview',
    namespaced: false,
    verbs: create,
    transient: true,
  },
  {
    apiVersion: authorization,
    resource: 'localsubjectaccessreviews',
    kind: 'LocalSubjectAccessReview',
    namespaced: true,
    verbs: create,
    transient: true,
  },
  {
    apiVersion: authorization,
    resource: 'selfsubjectaccessreviews',
    kind: 'SelfSubjectAccessReview',
    namespaced: false,
    verbs: create,
    transient: true,
  },
  {
    apiVersion: authorization,
    resource: 'selfsubjectrulesreviews',
    kind: 'SelfSubjectRulesReview',
    namespaced: false,
    verbs: create,
    transient: true,
  },
  {
    apiVersion: authorization,
    resource: 'subjectaccessreviews',
    kind: 'SubjectAccessReview',
    namespaced: false,
    verbs: create,
    transient: true,
  },
  {
    apiVersion: 'autoscaling/v2',
    resource: 'horizontalpodautoscalers',
    kind: 'HorizontalPodAutoscaler',
    namespaced: true,
    shortNames: ['hpa'],
    categories: all,
    subresources: [status],
  },
  {
    apiVersion: 'autoscaling/v1',
    resource: 'horizontalpodautoscalers',
    kind: 'HorizontalPodAutoscaler',
    namespaced: true,
    shortNames: ['hpa'],
    categories: all,
    subresources: [status],
    storedAs: 'autoscaling/v2',
  },
  {
    apiVersion: 'batch/v1',
    resource: 'cronjobs',
    kind: 'CronJob',
    namespaced: true,
    shortNames: ['cj'],
    categories: all,
    subresources: [status],
  },
  {
    apiVersion: 'batch/v1',
    resource: 'jobs',
    kind: 'Job',
    namespaced: true,
    categories: all,
    subresources: [status],
  },
  {
    apiVersion: 'certificates.k8s.io/v1',
    resource: 'certificatesigningrequests',
    kind: 'CertificateSigningRequest',
    namespaced: false,
    shortNames: ['csr'],
    subresources: [{ name: 'approval', verbs: ['get', 'patch', 'update'] }, status],
  },
  { apiVersion: networking, resource: 'ingressclasses', kind: 'IngressClass', namespaced: false },
  {
    apiVersion: networking,
    resource: 'ingresses',
    kind: 'Ingress',
    namespaced: true,
    shortNames: ['ing'],
    subresources: [status],
  },
  { apiVersion: networking, resource: 'ipaddresses', kind: 'IPAddress', namespaced: false, shortNames: ['ip'] },
  {
    apiVersion: networking,
    resource: 'networkpolicies',
    kind: 'NetworkPolicy',
    namespaced: true,
    shortNames: ['netpol'],
  },
  { apiVersion: networking, resource: 'servicecidrs', kind: 'ServiceCIDR', namespaced: false, subresources: [status] },
  {
    apiVersion: 'policy/v1',
    resource: 'poddisruptionbudgets',
    kind: 'PodDisruptionBudget',
    namespaced: true,
    shortNames: ['pdb'],
    subresources: [status],
  },
  { apiVersion: rbac, resource: 'clusterrolebindings', kind: 'ClusterRoleBinding', namespaced: false },
  { apiVersion: rbac, resource: 'clusterroles', kind: 'ClusterRole', namespaced: false },
  { apiVersion: rbac, resource: 'rolebindings', kind: 'RoleBinding', namespaced: true },
  { apiVersion: rbac, resource: 'roles', kind: 'Role', namespaced: true },
  { apiVersion: storage, resource: 'csidrivers', kind: 'CSIDriver', namespaced: false },
  { apiVersion: storage, resource: 'csinodes', kind: 'CSINode', namespaced: false },
  { apiVersion: storage, resource: 'csistoragecapacities', kind: 'CSIStorageCapacity', namespaced: true },
  { apiVersion: storage, resource: 'storageclasses', kind: 'StorageClass', namespaced: false, shortNames: ['sc'] },
  {
    apiVersion: storage,
    resource: 'volumeattachments',
    kind: 'VolumeAttachment',
    namespaced: false,
    subresources: [status],
  },
  {
    apiVersion: storage,
    resource: 'volumeattributesclasses',
    kind: 'VolumeAttributesClass',
    namespaced: false,
    shortNames: ['vac'],
  },
  {
    apiVersion: 'scheduling.k8s.io/v1',
    resource: 'priorityclasses',
    kind: 'PriorityClass',
    namespaced: false,
    shortNames: ['pc'],
  },
  {
    apiVersion: 'apiextensions.k8s.io/v1',
    resource: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    namespaced: false,
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    subresources: [status],
  },
  { apiVersion: 'coordination.k8s.io/v1', resource: 'leases', kind: 'Lease', namespaced: true },
  { apiVersion: 'node.k8s.io/v1', resource: 'runtimeclasses', kind: 'RuntimeClass', namespaced: false },
  { apiVersion: 'discovery.k8s.io/v1', resource: 'endpointslices', kind: 'EndpointSlice', namespaced: true },
  {
    apiVersion: 'netpolicy.gatehouse.dev/v1',
    resource: 'nodeallowlists',
    kind: 'NodeAllowList',
    namespaced: false,
    shortNames: ['nal'],
    subresources: [status],
  },
  {
    apiVersion: 'netpolicy.gatehouse.dev/v1',
    resource: 'peersetslices',
    kind: 'PeerSetSlice',
    namespaced: false,
    shortNames: ['pss'],
  },
];
