/** What every controller is given: an identity of its own to write with, shared copies to read from. */
import type { Deployment, ReplicaSet } from '../../api/types/apps.ts';
import type { CertificateSigningRequest } from '../../api/types/certificates.ts';
import type { Lease } from '../../api/types/coordination.ts';
import type { ConfigMap, Namespace, Node, Pod, Service, ServiceAccount } from '../../api/types/core.ts';
import type { EndpointSlice } from '../../api/types/discovery.ts';
import type { ClusterRole } from '../../api/types/rbac.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { ClusterClient } from '../cluster/client.ts';
import { createEventRecorder } from '../cluster/events.ts';
import type { EventRecorder } from '../cluster/events.ts';
import { byController, startInformer } from '../cluster/informer.ts';
import type { Informer, InformerOptions } from '../cluster/informer.ts';
import * as refs from '../cluster/resource-ref.ts';
import type { ClusterObject, ResourceRef } from '../cluster/resource-ref.ts';

export interface Informers {
  readonly pods: Informer<Pod>;
  readonly replicaSets: Informer<ReplicaSet>;
  readonly deployments: Informer<Deployment>;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly namespaces: Informer<Namespace>;
  readonly nodes: Informer<Node>;
  /** Only the heartbeats of nodes. */
  readonly leases: Informer<Lease>;
  readonly serviceAccounts: Informer<ServiceAccount>;
  /** Only the ones that carry the CA to pods. */
  readonly rootCAs: Informer<ConfigMap>;
  readonly clusterRoles: Informer<ClusterRole>;
  readonly signingRequests: Informer<CertificateSigningRequest>;
}

export interface ControllerContext {
  /** A client with the identity of one controller: `system:serviceaccount:kube-system:NAME`. */
  readonly clientFor: (controller: string) => ClusterClient;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
  /** Everything started with this context ends when it aborts. */
  readonly signal: AbortSignal;
}

/** Names of the config map that carries the CA, and of the namespace that holds heartbeats. Source: upstream's layout. */
export const rootCAName = 'kube-root-ca.crt';
export const nodeLeaseNamespace = 'kube-node-lease';

/** The copies shared by all controllers, read with `client`. */
export function startInformers(options: {
  readonly client: ClusterClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Informers {
  const start = <T extends ClusterObject>(
    of: ResourceRef<T>,
    more: Pick<InformerOptions<T>, 'query' | 'indexes'> = {},
  ): Informer<T> => startInformer({ ...options, of, ...more });
  return {
    pods: start(refs.pods, {
      indexes: { controller: byController, node: (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []) },
    }),
    replicaSets: start(refs.replicaSets, { indexes: { controller: byController } }),
    deployments: start(refs.deployments),
    services: start(refs.services),
    endpointSlices: start(refs.endpointSlices, { indexes: { service: serviceOf } }),
    namespaces: start(refs.namespaces),
    nodes: start(refs.nodes),
    leases: start(refs.leases, { query: { namespace: nodeLeaseNamespace } }),
    serviceAccounts: start(refs.serviceAccounts),
    rootCAs: start(refs.configMaps, { query: { fieldSelector: `metadata.name=${rootCAName}` } }),
    clusterRoles: start(refs.clusterRoles),
    signingRequests: start(refs.certificateSigningRequests),
  };
}

/** Resolves when all of `informers` hold their first list. */
export async function whenAllSynced(
  informers: readonly Pick<Informer<ClusterObject>, 'whenSynced'>[],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(informers.map((informer) => informer.whenSynced(signal)));
}

/** Events in the name of `controller`. */
export function recorderFor(context: ControllerContext, controller: string): EventRecorder {
  return createEventRecorder({
    client: context.clientFor(controller),
    component: controller,
    clock: context.clock,
    log: context.log,
  });
}

function serviceOf(slice: EndpointSlice): readonly string[] {
  const service = slice.metadata.labels?.['kubernetes.io/service-name'];
  return service === undefined ? [] : [`${slice.metadata.namespace ?? ''}/${service}`];
}

/** Keys of the work queues: `namespace/name`, or `name` for what has no namespace. */
export function keyOf(object: ClusterObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The two parts of a key of a namespaced object. */
export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: slash < 0 ? '' : key.slice(0, slash), name: key.slice(slash + 1) };
}
