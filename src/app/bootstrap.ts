/**
 * What every cluster has from its first moment, created through the front door like everything else (and so in the
 * audit trail): the system namespaces, priority classes, and the service by which pods find the gateway.
 */
import { StatusError } from '../api/status.ts';
import type { Namespace, Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { PriorityClass } from '../api/types/scheduling.ts';
import type { ClusterClient, Draft } from '../core/cluster/client.ts';
import { endpointSlices, namespaces, priorityClasses, services } from '../core/cluster/resource-ref.ts';
import type { ClusterObject, ResourceRef } from '../core/cluster/resource-ref.ts';

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** Source: the values of the field's two built-in classes. */
const systemPriorities: readonly Draft<PriorityClass>[] = [
  {
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'For pods without which a node does not work. Never preempted.',
  },
  {
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description: 'For pods without which the cluster does not work. Preempted only by node-critical ones.',
  },
];

/** Creates what is missing; changes nothing that exists. `gateway` is the address at which pods reach the gateway. */
export async function bootstrapObjects(
  client: ClusterClient,
  gateway: { readonly clusterIP: string; readonly address: string; readonly port: number },
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    systemNamespaces.map((name) => ensure<Namespace>(client, namespaces, { metadata: { name }, spec: {} }, signal)),
  );
  await Promise.all([
    ...systemPriorities.map((each) => ensure(client, priorityClasses, each, signal)),
    ensure(client, services, kubernetesService(gateway.clusterIP), signal),
    ensure(client, endpointSlices, kubernetesEndpoints(gateway.address, gateway.port), signal),
  ]);
}

/** Creates `object` unless it is there already. */
export async function ensure<T extends ClusterObject>(
  client: ClusterClient,
  of: ResourceRef<T>,
  object: Draft<T>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.create(of, object, signal);
  } catch (error) {
    if (!(error instanceof StatusError && error.reason === 'AlreadyExists')) throw error;
  }
}

function kubernetesService(clusterIP: string): Draft<Service> {
  return {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: { type: 'ClusterIP', clusterIP, ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 'https' }] },
  };
}

function kubernetesEndpoints(address: string, port: number): Draft<EndpointSlice> {
  return {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'kubernetes' },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  };
}
