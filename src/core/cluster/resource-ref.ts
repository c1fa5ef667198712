/** The resources that the core's own clients use, each with the type of its objects. */
import type { Deployment, ReplicaSet } from '../../api/types/apps.ts';
import type { CertificateSigningRequest } from '../../api/types/certificates.ts';
import type { Lease } from '../../api/types/coordination.ts';
import type {
  ConfigMap,
  Endpoints,
  Event,
  Namespace,
  Node,
  Pod,
  Secret,
  Service,
  ServiceAccount,
} from '../../api/types/core.ts';
import type { EndpointSlice } from '../../api/types/discovery.ts';
import type { ObjectMeta } from '../../api/types/meta.ts';
import type { NetworkPolicy } from '../../api/types/networking.ts';
import type { ClusterRole } from '../../api/types/rbac.ts';
import type { PriorityClass } from '../../api/types/scheduling.ts';

/** What every object of a client has; the generated types all fit it. */
export interface ClusterObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** How to address the objects of type `T`. */
export interface ResourceRef<T extends ClusterObject = ClusterObject> {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: carries `T` for the compiler. */
  readonly object?: T;
}

/** Describes a resource; `group` '' is the core group. */
export function resourceRef<T extends ClusterObject>(
  group: string,
  version: string,
  resource: string,
  kind: string,
  scope: 'namespaced' | 'cluster' = 'namespaced',
): ResourceRef<T> {
  return { group, version, resource, kind, namespaced: scope === 'namespaced' };
}

export const pods = resourceRef<Pod>('', 'v1', 'pods', 'Pod');
export const nodes = resourceRef<Node>('', 'v1', 'nodes', 'Node', 'cluster');
export const namespaces = resourceRef<Namespace>('', 'v1', 'namespaces', 'Namespace', 'cluster');
export const services = resourceRef<Service>('', 'v1', 'services', 'Service');
export const endpoints = resourceRef<Endpoints>('', 'v1', 'endpoints', 'Endpoints');
export const secrets = resourceRef<Secret>('', 'v1', 'secrets', 'Secret');
export const configMaps = resourceRef<ConfigMap>('', 'v1', 'configmaps', 'ConfigMap');
export const serviceAccounts = resourceRef<ServiceAccount>('', 'v1', 'serviceaccounts', 'ServiceAccount');
export const events = resourceRef<Event>('', 'v1', 'events', 'Event');
export const replicaSets = resourceRef<ReplicaSet>('apps', 'v1', 'replicasets', 'ReplicaSet');
export const deployments = resourceRef<Deployment>('apps', 'v1', 'deployments', 'Deployment');
export const endpointSlices = resourceRef<EndpointSlice>('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice');
export const networkPolicies = resourceRef<NetworkPolicy>(
  'networking.k8s.io',
  'v1',
  'networkpolicies',
  'NetworkPolicy',
);
export const leases = resourceRef<Lease>('coordination.k8s.io', 'v1', 'leases', 'Lease');
export const clusterRoles = resourceRef<ClusterRole>(
  'rbac.authorization.k8s.io',
  'v1',
  'clusterroles',
  'ClusterRole',
  'cluster',
);
export const priorityClasses = resourceRef<PriorityClass>(
  'scheduling.k8s.io',
  'v1',
  'priorityclasses',
  'PriorityClass',
  'cluster',
);
export const certificateSigningRequests = resourceRef<CertificateSigningRequest>(
  'certificates.k8s.io',
  'v1',
  'certificatesigningrequests',
  'CertificateSigningRequest',
  'cluster',
);
