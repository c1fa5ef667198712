/**
 * The roles and bindings that a cluster starts with, as data: the field's own, so that what people know holds here,
 * and Gatehouse's. Written `to(verbs, group, resources)`, several words in one text.
 * Source: Kubernetes RBAC documentation, "Default roles and role bindings", and the default policy of release 1.37.
 */
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../api/types/rbac.ts';
import { fullAuthority, mastersGroup } from './masters.ts';

const apiVersion = 'rbac.authorization.k8s.io/v1';
const apiGroup = 'rbac.authorization.k8s.io';

const read = 'get list watch';
const write = 'create delete deletecollection patch update';
const manage = 'create delete deletecollection get list patch update watch';

function to(verbs: string, groups: string | readonly string[], resources: string, names?: string): PolicyRule {
  return {
    verbs: verbs.split(' '),
    apiGroups: typeof groups === 'string' ? [groups] : groups,
    resources: resources.split(' '),
    ...(names === undefined ? {} : { resourceNames: names.split(' ') }),
  };
}

function paths(urls: string): PolicyRule {
  return { verbs: ['get'], nonResourceURLs: urls.split(' ') };
}

const events = to('create patch update', ['', 'events.k8s.io'], 'events');

function metadata(name: string, labels: Readonly<Record<string, string>> = {}) {
  return {
    name,
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  };
}

function clusterRole(name: string, ...rules: readonly PolicyRule[]): ClusterRole {
  return { apiVersion, kind: 'ClusterRole', metadata: metadata(name), rules };
}

/** A role whose rules become part of `into` (admin, edit, view) as well. */
function partOf(into: string, name: string, ...rules: readonly PolicyRule[]): ClusterRole {
  const labels = { [`rbac.authorization.k8s.io/aggregate-to-${into}`]: 'true' };
  return { apiVersion, kind: 'ClusterRole', metadata: metadata(name, labels), rules };
}

/** `name`, made of the roles labelled for it; part of `into` where given. */
function aggregated(name: string, into?: string): ClusterRole {
  const labels = into === undefined ? {} : { [`rbac.authorization.k8s.io/aggregate-to-${into}`]: 'true' };
  const matchLabels = { [`rbac.authorization.k8s.io/aggregate-to-${name}`]: 'true' };
  return {
    apiVersion,
    kind: 'ClusterRole',
    metadata: metadata(name, labels),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels }] },
    rules: [],
  };
}

/** The roles of people. */
const userFacing: readonly ClusterRole[] = [
  clusterRole('cluster-admin', ...fullAuthority),
  aggregated('admin'),
  aggregated('edit', 'admin'),
  aggregated('view', 'edit'),
  partOf(
    'admin',
    'system:aggregate-to-admin',
    to('create', 'authorization.k8s.io', 'localsubjectaccessreviews'),
    to(manage, apiGroup, 'roles rolebindings'),
  ),
  partOf(
    'edit',
    'system:aggregate-to-edit',
    to(read, '', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy'),
    to('impersonate', '', 'serviceaccounts'),
    to(write, '', 'pods pods/attach pods/exec pods/portforward pods/proxy'),
    to('create', '', 'pods/eviction serviceaccounts/token'),
    to(write, '', 'configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale'),
    to(write, '', 'secrets serviceaccounts services services/proxy'),
    to(write, 'apps', 'daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale'),
    to(write, 'apps', 'statefulsets statefulsets/scale'),
    to(write, 'autoscaling', 'horizontalpodautoscalers'),
    to(write, 'batch', 'cronjobs jobs'),
    to(write, 'policy', 'poddisruptionbudgets'),
    to(write, 'networking.k8s.io', 'ingresses networkpolicies'),
    to(manage, 'coordination.k8s.io', 'leases'),
    to(write, 'resource.k8s.io', 'resourceclaims resourceclaimtemplates'),
  ),
  partOf(
    'view',
    'system:aggregate-to-view',
    to(read, '', 'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods'),
    to(read, '', 'replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status'),
    to(read, '', 'bindings events limitranges namespaces namespaces/status pods/log pods/status'),
    to(read, '', 'replicationcontrollers/status resourcequotas resourcequotas/status'),
    to(read, 'discovery.k8s.io', 'endpointslices'),
    to(read, 'apps', 'controllerrevisions daemonsets daemonsets/status deployments deployments/scale'),
    to(read, 'apps', 'deployments/status replicasets replicasets/scale replicasets/status'),
    to(read, 'apps', 'statefulsets statefulsets/scale statefulsets/status'),
    to(read, 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
    to(read, 'batch', 'cronjobs cronjobs/status jobs jobs/status'),
    to(read, 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
    to(read, 'networking.k8s.io', 'ingresses ingresses/status networkpolicies'),
    to(read, 'resource.k8s.io', 'resourceclaims resourceclaims/status resourceclaimtemplates'),
  ),
];

/** What everybody gets, and what serves the machinery around a cluster. */
const infrastructure: readonly ClusterRole[] = [
  clusterRole(
    'system:discovery',
    paths('/healthz /livez /readyz /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*'),
  ),
  clusterRole(
    'system:basic-user',
    to('create', 'authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews'),
    to('create', 'authentication.k8s.io', 'selfsubjectreviews'),
  ),
  clusterRole('system:public-info-viewer', paths('/healthz /livez /readyz /version /version/')),
  clusterRole(
    'system:monitoring',
    paths('/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*'),
  ),
  clusterRole(
    'system:auth-delegator',
    to('create', 'authentication.k8s.io', 'tokenreviews'),
    to('create', 'authorization.k8s.io', 'subjectaccessreviews'),
  ),
  clusterRole(
    'system:service-account-issuer-discovery',
    paths('/.well-known/openid-configuration /openid/v1/jwks /openid/v1/jwks/'),
  ),
  clusterRole('system:kube-aggregator', to(read, '', 'endpoints services')),
  clusterRole(
    'system:kube-dns',
    to('list watch', '', 'endpoints services'),
    to('list watch', 'discovery.k8s.io', 'endpointslices'),
  ),
  clusterRole(
    'system:node-bootstrapper',
    to('create get list watch', 'certificates.k8s.io', 'certificatesigningrequests'),
  ),
  clusterRole('system:node-problem-detector', to('get', '', 'nodes'), to('patch', '', 'nodes/status'), events),
  clusterRole(
    'system:node-proxier',
    to('list watch', '', 'endpoints services'),
    to(read, '', 'nodes'),
    to('list watch', 'discovery.k8s.io', 'endpointslices'),
    events,
  ),
  clusterRole(
    'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    to('create', 'certificates.k8s.io', 'certificatesigningrequests/nodeclient'),
  ),
  clusterRole(
    'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    to('create', 'certificates.k8s.io', 'certificatesigningrequests/selfnodeclient'),
  ),
  ...['kube-apiserver-client', 'kube-apiserver-client-kubelet', 'kubelet-serving', 'legacy-unknown'].map((signer) =>
    clusterRole(
      `system:certificates.k8s.io:${signer}-approver`,
      to('approve', 'certificates.k8s.io', 'signers', `kubernetes.io/${signer}`),
    ),
  ),
  // Bound to nobody: nodes are authorized by the pods they run (node.ts). Kept because people bind or read it by name.
  clusterRole(
    'system:node',
    to(read, '', 'services nodes'),
    to('create update patch delete', '', 'nodes'),
    to('update patch', '', 'nodes/status'),
    to('create update patch', ['', 'events.k8s.io'], 'events'),
    to(read, '', 'pods'),
    to('delete', '', 'pods'),
    to('update patch', '', 'pods/status'),
    to('create', '', 'pods/eviction'),
    to(read, '', 'configmaps secrets'),
    to('get', '', 'persistentvolumeclaims persistentvolumes'),
    to('create', '', 'serviceaccounts/token'),
    to('create get update patch delete', 'coordination.k8s.io', 'leases'),
    to('create get list watch', 'certificates.k8s.io', 'certificatesigningrequests'),
    to(read, 'node.k8s.io', 'runtimeclasses'),
    to(read, 'discovery.k8s.io', 'endpointslices'),
  ),
  clusterRole(
    'system:kube-scheduler',
    events,
    to('create', 'coordination.k8s.io', 'leases'),
    to('get list watch update patch', 'coordination.k8s.io', 'leases', 'kube-scheduler'),
    to(read, '', 'nodes namespaces replicationcontrollers services persistentvolumeclaims persistentvolumes'),
    to('delete get list watch', '', 'pods'),
    to('create', '', 'bindings pods/binding'),
    to('patch update', '', 'pods/status'),
    to(read, 'apps', 'replicasets statefulsets'),
    to(read, 'policy', 'poddisruptionbudgets'),
    to(read, 'storage.k8s.io', 'csidrivers csinodes csistoragecapacities storageclasses volumeattachments'),
    to(read, 'scheduling.k8s.io', 'priorityclasses'),
    to('create', 'authentication.k8s.io', 'tokenreviews'),
    to('create', 'authorization.k8s.io', 'subjectaccessreviews'),
  ),
  clusterRole(
    'system:volume-scheduler',
    to('get list watch patch update', '', 'persistentvolumes persistentvolumeclaims'),
    to(read, 'storage.k8s.io', 'storageclasses'),
  ),
  clusterRole(
    'system:kube-controller-manager',
    events,
    to('create', 'coordination.k8s.io', 'leases'),
    to('get list watch update patch', 'coordination.k8s.io', 'leases', 'kube-controller-manager'),
    to('create get update', '', 'secrets serviceaccounts'),
    to('delete', '', 'secrets'),
    to('get', '', 'configmaps namespaces'),
    to('create', '', 'serviceaccounts/token'),
    to('create', 'authentication.k8s.io', 'tokenreviews'),
    to('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    to('list watch', '*', '*'),
  ),
];

/** Gatehouse's own. */
const gatehouse: readonly ClusterRole[] = [
  clusterRole('gatehouse:audit-reader', to(read, 'audit.gatehouse.dev', '*')),
  clusterRole(
    'gatehouse:policy-reviewer',
    to(read, 'netpolicy.gatehouse.dev', '*'),
    to(read, 'networking.k8s.io', 'networkpolicies'),
    to(read, 'policy.networking.k8s.io', '*'),
    to(read, apiGroup, '*'),
  ),
];

/** One role and one service account in kube-system for each controller: rules that a controller has beside events. */
const controllers: Readonly<Record<string, readonly PolicyRule[]>> = {
  'certificate-controller': [
    to('delete get list watch', 'certificates.k8s.io', 'certificatesigningrequests'),
    to('update patch', 'certificates.k8s.io', 'certificatesigningrequests/approval certificatesigningrequests/status'),
    to('approve', 'certificates.k8s.io', 'signers', 'kubernetes.io/kube-apiserver-client-kubelet'),
    to(
      'sign',
      'certificates.k8s.io',
      'signers',
      'kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown',
    ),
    to('create', 'authorization.k8s.io', 'subjectaccessreviews'),
  ],
  'clusterrole-aggregation-controller': [to('escalate get list patch update watch', apiGroup, 'clusterroles')],
  'cronjob-controller': [
    to('get list update patch watch', 'batch', 'cronjobs'),
    to('create delete get list patch update watch', 'batch', 'jobs'),
    to('update patch', 'batch', 'cronjobs/status cronjobs/finalizers'),
    to('delete list watch', '', 'pods'),
  ],
  'daemon-set-controller': [
    to(read, 'apps', 'daemonsets'),
    to('update patch', 'apps', 'daemonsets/status daemonsets/finalizers'),
    to(read, '', 'nodes'),
    to('create delete get list patch watch', '', 'pods'),
    to('create', '', 'pods/binding'),
    to('create delete get list patch update watch', 'apps', 'controllerrevisions'),
  ],
  'deployment-controller': [
    to('get list update patch watch', 'apps', 'deployments'),
    to('update patch', 'apps', 'deployments/status deployments/finalizers'),
    to('create delete get list patch update watch', 'apps', 'replicasets'),
    to('get list update watch', '', 'pods'),
  ],
  'disruption-controller': [
    to(read, 'apps', 'deployments replicasets statefulsets'),
    to(read, '', 'pods replicationcontrollers'),
    to(read, 'policy', 'poddisruptionbudgets'),
    to('update patch', 'policy', 'poddisruptionbudgets/status'),
    to('update patch', '', 'pods/status'),
    to('get', '*', '*/scale'),
  ],
  'endpoint-controller': [
    to(read, '', 'pods services'),
    to('create delete get list update patch watch', '', 'endpoints'),
    to('create', '', 'endpoints/restricted'),
  ],
  'endpointslice-controller': [
    to(read, '', 'nodes pods services'),
    to('update', '', 'services/finalizers'),
    to('create delete get list update patch watch', 'discovery.k8s.io', 'endpointslices'),
    // Ours keeps the older Endpoints objects in step as well.
    to('create delete get list update patch watch', '', 'endpoints'),
    to('create', '', 'endpoints/restricted'),
  ],
  'generic-garbage-collector': [to('delete get list patch update watch', '*', '*')],
  'horizontal-pod-autoscaler': [
    to(read, 'autoscaling', 'horizontalpodautoscalers'),
    to('update patch', 'autoscaling', 'horizontalpodautoscalers/status'),
    to('get update patch', '*', '*/scale'),
    to('list watch', '', 'pods'),
    to('list watch', 'metrics.k8s.io', 'pods'),
  ],
  'job-controller': [
    to('get list patch update watch', 'batch', 'jobs'),
    to('update patch', 'batch', 'jobs/status jobs/finalizers'),
    to('create delete get list patch watch', '', 'pods'),
  ],
  'namespace-controller': [
    to('delete get list watch', '', 'namespaces'),
    to('update patch', '', 'namespaces/finalize namespaces/status'),
    to('delete deletecollection get list watch', '*', '*'),
  ],
  'netpolicy-controller': [
    to(read, '', 'namespaces nodes pods'),
    to(read, 'networking.k8s.io', 'networkpolicies'),
    to(read, 'policy.networking.k8s.io', 'clusternetworkpolicies'),
    to(manage, 'netpolicy.gatehouse.dev', 'nodeallowlists peersetslices'),
    to('update patch', 'netpolicy.gatehouse.dev', 'nodeallowlists/status peersetslices/status'),
  ],
  'node-controller': [
    to('delete get list patch update watch', '', 'nodes'),
    to('patch update', '', 'nodes/status pods/status'),
    to('delete get list watch', '', 'pods'),
    to(read, 'coordination.k8s.io', 'leases'),
  ],
  'persistent-volume-binder': [
    to('create delete get list patch update watch', '', 'persistentvolumes'),
    to('patch update', '', 'persistentvolumes/status persistentvolumeclaims/status'),
    to('get list patch update watch', '', 'persistentvolumeclaims'),
    to(read, '', 'nodes pods'),
    to(read, 'storage.k8s.io', 'storageclasses'),
  ],
  'pod-garbage-collector': [
    to('delete list watch', '', 'pods'),
    to('get list watch', '', 'nodes'),
    to('patch update', '', 'pods/status'),
  ],
  'pv-protection-controller': [to('get list patch update watch', '', 'persistentvolumes')],
  'pvc-protection-controller': [to('get list patch update watch', '', 'persistentvolumeclaims'), to(read, '', 'pods')],
  'replicaset-controller': [
    to('get list patch update watch', 'apps', 'replicasets'),
    to('update patch', 'apps', 'replicasets/status replicasets/finalizers'),
    to('create delete get list patch watch', '', 'pods'),
  ],
  'replication-controller': [
    to('get list patch update watch', '', 'replicationcontrollers'),
    to('update patch', '', 'replicationcontrollers/status replicationcontrollers/finalizers'),
    to('create delete get list patch watch', '', 'pods'),
  ],
  'resourcequota-controller': [to('list watch', '*', '*'), to('update patch', '', 'resourcequotas/status')],
  'root-ca-cert-publisher': [to('create get list patch update watch', '', 'configmaps'), to(read, '', 'namespaces')],
  'service-account-controller': [to('create get list watch', '', 'serviceaccounts'), to(read, '', 'namespaces')],
  'statefulset-controller': [
    to(read, 'apps', 'statefulsets'),
    to('update patch', 'apps', 'statefulsets/status statefulsets/finalizers'),
    to('create delete get list patch update watch', '', 'pods'),
    to('create delete get list patch update watch', 'apps', 'controllerrevisions'),
    to('create delete get list patch update watch', '', 'persistentvolumeclaims'),
  ],
  'ttl-after-finished-controller': [to('delete get list watch', 'batch', 'jobs')],
  'ttl-controller': [to('get list patch update watch', '', 'nodes')],
};

/** Every default ClusterRole. */
const clusterRoles: readonly ClusterRole[] = [
  ...userFacing,
  ...infrastructure,
  ...gatehouse,
  ...Object.entries(controllers).map(([name, rules]) => clusterRole(`system:controller:${name}`, ...rules, events)),
];

function group(name: string): Subject {
  return { kind: 'Group', apiGroup, name };
}

function user(name: string): Subject {
  return { kind: 'User', apiGroup, name };
}

function account(name: string): Subject {
  return { kind: 'ServiceAccount', name, namespace: 'kube-system' };
}

function bindCluster(role: string, subjects: readonly Subject[], name = role): ClusterRoleBinding {
  return {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: metadata(name),
    roleRef: { apiGroup, kind: 'ClusterRole', name: role },
    subjects,
  };
}

const authenticated = group('system:authenticated');
const unauthenticated = group('system:unauthenticated');

const clusterRoleBindings: readonly ClusterRoleBinding[] = [
  bindCluster('cluster-admin', [group(mastersGroup)]),
  bindCluster('system:discovery', [authenticated]),
  bindCluster('system:basic-user', [authenticated]),
  bindCluster('system:public-info-viewer', [authenticated, unauthenticated]),
  bindCluster('system:monitoring', [group('system:monitoring')]),
  bindCluster('system:service-account-issuer-discovery', [group('system:serviceaccounts')]),
  bindCluster('system:node-proxier', [user('system:kube-proxy')]),
  bindCluster('system:kube-scheduler', [user('system:kube-scheduler')]),
  bindCluster('system:volume-scheduler', [user('system:kube-scheduler')]),
  bindCluster('system:kube-controller-manager', [user('system:kube-controller-manager')]),
  bindCluster('system:kube-dns', [account('kube-dns')]),
  bindCluster('system:node-bootstrapper', [group('system:bootstrappers')], 'gatehouse:node-bootstrapper'),
  bindCluster(
    'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    [group('system:bootstrappers')],
    'gatehouse:node-client-certificates',
  ),
  // A binding to nobody, as upstream keeps it.
  bindCluster('system:node', []),
  ...Object.keys(controllers).map((name) => bindCluster(`system:controller:${name}`, [account(name)])),
];

function role(namespace: string, name: string, ...rules: readonly PolicyRule[]): Role {
  return { apiVersion, kind: 'Role', metadata: { ...metadata(name), namespace }, rules };
}

function bind(namespace: string, name: string, ...subjects: readonly Subject[]): RoleBinding {
  return {
    apiVersion,
    kind: 'RoleBinding',
    metadata: { ...metadata(name), namespace },
    roleRef: { apiGroup, kind: 'Role', name },
    subjects,
  };
}

const namespaced: readonly (Role | RoleBinding)[] = [
  role(
    'kube-system',
    'extension-apiserver-authentication-reader',
    to(read, '', 'configmaps', 'extension-apiserver-authentication'),
  ),
  bind(
    'kube-system',
    'extension-apiserver-authentication-reader',
    user('system:kube-controller-manager'),
    user('system:kube-scheduler'),
  ),
  role(
    'kube-system',
    'system::leader-locking-kube-controller-manager',
    to('watch', '', 'configmaps'),
    to('get update', '', 'configmaps', 'kube-controller-manager'),
  ),
  bind('kube-system', 'system::leader-locking-kube-controller-manager', user('system:kube-controller-manager')),
  role(
    'kube-system',
    'system::leader-locking-kube-scheduler',
    to('watch', '', 'configmaps'),
    to('get update', '', 'configmaps', 'kube-scheduler'),
  ),
  bind('kube-system', 'system::leader-locking-kube-scheduler', user('system:kube-scheduler')),
];

/** All default objects: ClusterRoles, then their bindings, then what lives in kube-system (which has to exist). */
export const defaultPolicy: readonly (ClusterRole | ClusterRoleBinding | Role | RoleBinding)[] = [
  ...clusterRoles,
  ...clusterRoleBindings,
  ...namespaced,
];
