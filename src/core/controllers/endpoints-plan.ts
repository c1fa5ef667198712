/** Which endpoints a Service has, and in which slices they lie. Pure. */
import type { Pod, Service, ServicePort } from '../../api/types/core.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/types/discovery.ts';
import { canonicalJson } from '../../std/json.ts';
import type { Draft } from '../cluster/client.ts';
import { controllerReference } from './ownership.ts';
import { isFinished, isReady, isTerminating } from './pod-state.ts';

export const serviceLabel = 'kubernetes.io/service-name';
const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
const managedBy = 'endpointslice-controller.k8s.io';

// Upstream's default.
const mostPerSlice = 100;

/** What to do so that the slices of a service show its pods. */
export interface SlicePlan {
  readonly create: readonly Draft<EndpointSlice>[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

/** The plan for `service` with the pods that its selector matches and the slices there are. */
export function planSlices(service: Service, pods: readonly Pod[], existing: readonly EndpointSlice[]): SlicePlan {
  const ours = existing.filter(
    (slice) => slice.metadata.labels?.[managedByLabel] === managedBy, // others look after their own
  );
  const families = familiesOf(service);
  const wanted = families.flatMap((family) => slicesOf(service, pods, family));
  const rest = [...ours];
  const create: Draft<EndpointSlice>[] = [];
  const update: EndpointSlice[] = [];
  for (const want of wanted) {
    const shape = canonicalJson([want.addressType, want.ports]);
    const at = rest.findIndex((slice) => canonicalJson([slice.addressType, slice.ports]) === shape);
    const [slice] = at < 0 ? [] : rest.splice(at, 1);
    if (slice === undefined) create.push(want);
    else if (!sameEndpoints(slice, want)) update.push({ ...slice, endpoints: want.endpoints ?? [] });
  }
  return { create, update, remove: rest };
}

function sameEndpoints(slice: EndpointSlice, want: Draft<EndpointSlice>): boolean {
  const ordered = (endpoints: readonly Endpoint[] | undefined): readonly string[] =>
    (endpoints ?? []).map((endpoint) => canonicalJson(endpoint)).toSorted((a, b) => (a < b ? -1 : 1));
  return canonicalJson(ordered(slice.endpoints)) === canonicalJson(ordered(want.endpoints));
}

function familiesOf(service: Service): readonly ('IPv4' | 'IPv6')[] {
  const families = service.spec.ipFamilies ?? [];
  const known = families.filter((family): family is 'IPv4' | 'IPv6' => family === 'IPv4' || family === 'IPv6');
  return known.length === 0 ? ['IPv4'] : known;
}

function slicesOf(service: Service, pods: readonly Pod[], family: 'IPv4' | 'IPv6'): readonly Draft<EndpointSlice>[] {
  // Pods that resolve a named port to different numbers lie in different slices.
  const groups = new Map<string, { readonly ports: readonly EndpointPort[]; readonly endpoints: Endpoint[] }>();
  for (const pod of pods.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const endpoint = endpointOf(service, pod, family);
    if (endpoint === undefined) continue;
    const ports = (service.spec.ports ?? []).flatMap((port) => endpointPort(port, pod));
    const key = canonicalJson(ports);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { ports, endpoints: [endpoint] });
    else group.endpoints.push(endpoint);
  }
  const { name, namespace = '' } = service.metadata;
  return [...groups.values()].flatMap(({ ports, endpoints }) =>
    chunks(endpoints, mostPerSlice).map((chunk) => ({
      metadata: {
        generateName: `${name}-`,
        namespace,
        labels: { ...service.metadata.labels, [managedByLabel]: managedBy, [serviceLabel]: name },
        ownerReferences: [controllerReference(service)],
      },
      addressType: family,
      endpoints: chunk,
      ports,
    })),
  );
}

function endpointOf(service: Service, pod: Pod, family: 'IPv4' | 'IPv6'): Endpoint | undefined {
  if (isFinished(pod)) return undefined;
  const address = (pod.status?.podIPs ?? []).map(({ ip }) => ip).find((ip) => ip.includes(':') === (family === 'IPv6'));
  if (address === undefined) return undefined;
  const ready = isReady(pod);
  const terminating = isTerminating(pod);
  const { name, namespace = '', uid = '' } = pod.metadata;
  return {
    addresses: [address],
    conditions: {
      ready: service.spec.publishNotReadyAddresses === true || (ready && !terminating),
      serving: ready,
      terminating,
    },
    ...(pod.spec.hostname === undefined || pod.spec.subdomain !== service.metadata.name
      ? {}
      : { hostname: pod.spec.hostname }),
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

function endpointPort(port: ServicePort, pod: Pod): readonly EndpointPort[] {
  const number = targetPort(port, pod);
  if (number === undefined) return [];
  return [
    {
      name: port.name ?? '',
      port: number,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    },
  ];
}

function targetPort(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  for (const container of containers) {
    const named = container.ports?.find(
      ({ name, protocol = 'TCP' }) => name === target && protocol === (port.protocol ?? 'TCP'),
    );
    if (named !== undefined) return named.containerPort;
  }
  return undefined;
}

function chunks<T>(items: readonly T[], most: number): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / most);
  return Array.from({ length: count }, (_, index) => items.slice(index * most, (index + 1) * most));
}
