/**
 * What every cluster has from its first moment, created through the front door like everything else (and so in the
 * audit trail): the system namespaces, priority classes, and the service by which pods find the gateway.
 */
import type { KubeObject } from '../api/meta.ts';
import type { Namespace, Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { PriorityClass } from '../api/types/scheduling.ts';
import { planDefaultRoles } from '../authz/default-roles.ts';
import { createClient } from '../core/cluster/client.ts';
import type { ClusterClient, Draft } from '../core/cluster/client.ts';
import { ignoring } from '../core/cluster/ignoring.ts';
import {
  clusterRoles,
  endpointSlices,
  namespaces,
  priorityClasses,
  resourceRef,
  services,
} from '../core/cluster/resource-ref.ts';
import type { ClusterObject, ResourceRef } from '../core/cluster/resource-ref.ts';
import { createTransport } from '../core/cluster/transport.ts';
import type { Clock } from '../std/clock.ts';
import { readKubeconfig } from './credentials.ts';
import type { Home } from './home.ts';
import { identityFile } from './identities.ts';
import { release } from './release.ts';
import { UsageError } from './usage-error.ts';

const bootstrapMs = 60_000;
const rbac = 'rbac.authorization.k8s.io';
const policyKinds: readonly ResourceRef[] = [
  clusterRoles,
  resourceRef(rbac, 'v1', 'roles', 'Role'),
  resourceRef(rbac, 'v1', 'clusterrolebindings', 'ClusterRoleBinding', 'cluster'),
  resourceRef(rbac, 'v1', 'rolebindings', 'RoleBinding'),
];

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

/** Where pods find the gateway. `address` is undefined when it listens on loopback only, where no pod can reach it. */
export interface GatewayAddress {
  readonly clusterIP: string;
  /** The range that `clusterIP` is of. */
  readonly serviceCidr: string;
  readonly address: string | undefined;
  readonly port: number;
}

/**
 * Brings a cluster, new or not, to where its parts can work: objects and default policy. Speaks as `system:apiserver`.
 * Throws UsageError for a cluster whose services have their addresses in another range.
 */
export async function bootstrapCluster(options: {
  readonly home: Home;
  readonly clock: Clock;
  readonly gateway: GatewayAddress;
}): Promise<void> {
  const { clock } = options;
  const { server, ca, identity } = readKubeconfig(identityFile(options.home, 'gateway'));
  const transport = createTransport({ server, ca, identity: () => identity, clock });
  try {
    const client = createClient({ fetch: transport.fetch, server, userAgent: `gatehouse/${release} bootstrap` });
    const signal = AbortSignal.timeout(bootstrapMs);
    await bootstrapObjects(client, options.gateway, signal);
    await bootstrapRoles(client, signal);
  } finally {
    await transport.stop();
  }
}

/** The default roles and bindings, made or mended; what people added to them stays. */
async function bootstrapRoles(client: ClusterClient, signal: AbortSignal): Promise<void> {
  const lists = await Promise.all(policyKinds.map((of) => client.list(of, {}, signal)));
  const plan = planDefaultRoles(
    lists.flatMap(({ items }) => items) as readonly ClusterObject[] as readonly KubeObject[],
  );
  const refOf = ({ kind }: KubeObject): ResourceRef => policyKinds.find((each) => each.kind === kind) ?? clusterRoles;
  await Promise.all(plan.remove.map((object) => client.delete(refOf(object), object.metadata, {}, signal)));
  await Promise.all(plan.create.map((object) => create(client, refOf(object), object, signal)));
  await Promise.all(plan.update.map((object) => client.update(refOf(object), object, undefined, signal)));
}

/** Creates what is missing; changes nothing that exists. `gateway` is the address at which pods reach the gateway. */
async function bootstrapObjects(client: ClusterClient, gateway: GatewayAddress, signal: AbortSignal): Promise<void> {
  await Promise.all(
    systemNamespaces.map((name) => ensure<Namespace>(client, namespaces, { metadata: { name }, spec: {} }, signal)),
  );
  await Promise.all([
    ...systemPriorities.map((each) => ensure(client, priorityClasses, each, signal)),
    ensure<Service>(client, services, kubernetesService(gateway.clusterIP), signal).then((found) =>
      sameRange(found, gateway),
    ),
    ...(gateway.address === undefined
      ? []
      : [ensure(client, endpointSlices, kubernetesEndpoints(gateway.address, gateway.port), signal)]),
  ]);
}

/** Services keep their addresses for life: under another range none of them would be served. */
function sameRange(found: Service | undefined, { clusterIP, serviceCidr }: GatewayAddress): void {
  const present = found?.spec.clusterIP;
  if (present === undefined || present === clusterIP) return;
  throw new UsageError(
    `the services of this cluster have addresses beside ${present}, outside of ${serviceCidr}: start it with the --isolation and --service-cidr it was made with, or give a new folder with --home DIR`,
  );
}

/**
 * Creates `object` unless it is there already, and returns what was. Asks first: a service's creation would fail on its
 * own address.
 */
async function ensure<T extends ClusterObject>(
  client: ClusterClient,
  of: ResourceRef<T>,
  object: Draft<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { namespace, name = '' } = object.metadata;
  const there = await ignoring(['NotFound'], () => client.get(of, { namespace, name }, signal));
  if (there === undefined) await create(client, of, object, signal);
  return there;
}

async function create<T extends ClusterObject>(
  client: ClusterClient,
  of: ResourceRef<T>,
  object: Draft<T>,
  signal: AbortSignal,
): Promise<void> {
  // Another gateway of the same cluster may have started at the same time.
  await ignoring(['AlreadyExists'], () => client.create(of, object, signal));
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
