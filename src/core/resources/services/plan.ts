/**
 * What a Service needs: which cluster IP, which node ports, which families. Pure; the allocator gets them.
 * Source: core/v1 ServiceSpec and the behaviour of kube-apiserver's service registry.
 */
import type { KubeObject } from '../../../api/meta.ts';
import { at, fieldsOf, isFields, listOf, textOf, without } from '../../../std/value.ts';

/** 'none': ExternalName or headless; 'any': give it one; else the one it asks for. */
export type AddressNeed =
  | { readonly kind: 'none' }
  | { readonly kind: 'any' }
  | { readonly kind: 'this'; readonly address: string };

export function addressNeed(service: KubeObject): AddressNeed {
  const spec = fieldsOf(service['spec']);
  if (spec['type'] === 'ExternalName') return { kind: 'none' };
  const asked = textOf(spec['clusterIP']) || textOf(listOf(spec['clusterIPs'])[0]);
  if (asked === 'None') return { kind: 'none' };
  return asked === '' ? { kind: 'any' } : { kind: 'this', address: asked };
}

/** Whether `service` is reached on the ports of nodes. */
export function needsNodePorts(service: KubeObject): boolean {
  const spec = fieldsOf(service['spec']);
  return (
    spec['type'] === 'NodePort' || (spec['type'] === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] !== false)
  );
}

/** Whether load balancers ask its nodes which of them serve it. */
export function needsHealthPort(service: KubeObject): boolean {
  const spec = fieldsOf(service['spec']);
  return spec['type'] === 'LoadBalancer' && spec['externalTrafficPolicy'] === 'Local';
}

/** The addresses and node ports that `service` holds. */
export function heldBy(service: KubeObject | undefined): {
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
} {
  if (service === undefined) return { addresses: [], ports: [] };
  const need = addressNeed(service);
  const ports = listOf(at(service, 'spec', 'ports')).map((port) => at(port, 'nodePort'));
  const held = [...ports, at(service, 'spec', 'healthCheckNodePort')];
  return {
    addresses: need.kind === 'this' ? [need.address] : [],
    ports: [...new Set(held.filter((port): port is number => typeof port === 'number' && port > 0))],
  };
}

/** `service` with its address (undefined: it has none) and what follows from that: clusterIPs and families. */
export function withAddress(service: KubeObject, address: string | undefined): KubeObject {
  const spec = fieldsOf(service['spec']);
  if (spec['type'] === 'ExternalName') {
    return {
      ...service,
      spec: without(spec, 'clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'),
    };
  }
  const clusterIP = address ?? 'None';
  return {
    ...service,
    spec: {
      ...spec,
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: textOf(spec['ipFamilyPolicy']) || 'SingleStack',
    },
  };
}

/** `next` with what `old` was given and the client left out: an apply need not know it. */
export function carriedOver(next: KubeObject, old: KubeObject): KubeObject {
  const [spec, before] = [fieldsOf(next['spec']), fieldsOf(old['spec'])];
  let result = spec;
  if (
    spec['type'] !== 'ExternalName' &&
    before['type'] !== 'ExternalName' &&
    textOf(spec['clusterIP']) === '' &&
    listOf(spec['clusterIPs']).length === 0
  ) {
    result = { ...result, clusterIP: before['clusterIP'], clusterIPs: before['clusterIPs'] };
  }
  if (textOf(result['clusterIP']) === '' && listOf(result['clusterIPs']).length > 0) {
    result = { ...result, clusterIP: listOf(result['clusterIPs'])[0] };
  }
  if (result['type'] === 'ExternalName') result = without(result, 'clusterIP', 'clusterIPs');
  const service = { ...next, spec: result };
  const held = new Map(listOf(before['ports']).map((port) => [portKey(port), at(port, 'nodePort')]));
  const ports = listOf(result['ports']).map((port) => {
    if (!isFields(port)) return port;
    if (!needsNodePorts(service)) {
      // A node port that was given with an earlier type goes with it.
      return port['nodePort'] === held.get(portKey(port)) ? without(port, 'nodePort') : port;
    }
    const nodePort = port['nodePort'] ?? held.get(portKey(port));
    return nodePort === undefined ? port : { ...port, nodePort };
  });
  const health = needsHealthPort(service)
    ? (result['healthCheckNodePort'] ?? before['healthCheckNodePort'])
    : undefined;
  return {
    ...next,
    spec: {
      ...without(result, 'healthCheckNodePort'),
      ...(Object.hasOwn(result, 'ports') ? { ports } : {}),
      ...(health === undefined ? {} : { healthCheckNodePort: health }),
    },
  };
}

function portKey(port: unknown): string {
  const { protocol = 'TCP', port: number } = fieldsOf(port);
  return `${textOf(protocol)}/${String(number)}`;
}
