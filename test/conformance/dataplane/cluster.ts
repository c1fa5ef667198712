/** The objects a data plane test compiles: one namespace, pods labelled with their names, and what isolates them. */
import type { NetworkPolicySpec } from '../../../src/api/types/networking.ts';
import type { PolicyInput } from '../../../src/netpolicy/compile.ts';

export interface PlacedPod {
  readonly name: string;
  readonly node: string;
  readonly addresses: readonly string[];
}

/** Every pod calls port 8080 `web`. `nodes` are names with their addresses. */
export function clusterOf(
  nodes: Readonly<Record<string, readonly string[]>>,
  pods: readonly PlacedPod[],
  policies: readonly NetworkPolicySpec[],
): readonly PolicyInput[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x', labels: {} }, spec: {} },
    ...Object.entries(nodes).map(([name, addresses]) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name },
      spec: {},
      status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
    })),
    ...pods.map(({ name, node, addresses }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'x', uid: `uid-${name}`, labels: { name } },
      spec: { nodeName: node, containers: [{ name: 'main', ports: [{ name: 'web', containerPort: 8080 }] }] },
      status: { phase: 'Running', podIPs: addresses.map((ip) => ({ ip })) },
    })),
    ...policies.map((spec, i) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `p${i}`, namespace: 'x' },
      spec,
    })),
  ];
}
