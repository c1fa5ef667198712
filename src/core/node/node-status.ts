/** What a node says of itself. Pure, but for reading the machine's size. */
import { arch, cpus, platform, release, totalmem } from 'node:os';
import type { Node, NodeCondition, NodeStatus } from '../../api/types/core.ts';
import { rfc3339 } from '../../std/clock.ts';

export interface NodeFacts {
  readonly name: string;
  readonly address: string;
  readonly runtime: string;
  /** Sentences about what is not isolated or enforced here; empty when everything is. */
  readonly notEnforced: readonly string[];
  readonly version: string;
  readonly maxPods: number;
}

/** What the machine offers to pods. */
export function nodeCapacity(
  maxPods: number,
): Readonly<Record<'cpu' | 'memory' | 'pods' | 'ephemeral-storage', string>> {
  return {
    cpu: String(cpus().length),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(maxPods),
    'ephemeral-storage': '100Gi',
  };
}

/** The labels every node has. */
export function nodeLabels(name: string): Readonly<Record<string, string>> {
  const architecture = arch() === 'x64' ? 'amd64' : arch();
  return {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': platform(),
    'kubernetes.io/arch': architecture,
    'beta.kubernetes.io/os': platform(),
    'beta.kubernetes.io/arch': architecture,
  };
}

/** The status of a healthy node at `now` (milliseconds since the epoch); keeps transition times of what did not change. */
export function nodeStatus(node: Node, facts: NodeFacts, now: number): NodeStatus {
  const known = node.status?.conditions ?? [];
  const capacity = nodeCapacity(facts.maxPods);
  const condition = (type: string, status: 'True' | 'False', reason: string, message: string): NodeCondition => {
    const before = known.find((each) => each.type === type);
    return {
      type,
      status,
      reason,
      message,
      lastHeartbeatTime: rfc3339(now),
      lastTransitionTime: before?.status === status ? (before.lastTransitionTime ?? rfc3339(now)) : rfc3339(now),
    };
  };
  const partial = facts.notEnforced.length > 0;
  const own = [
    condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
    condition(
      'gatehouse.dev/Isolation',
      partial ? 'False' : 'True',
      partial ? 'NotEverythingIsolated' : 'Isolated',
      partial ? facts.notEnforced.join(' ') : 'pods are isolated and network policy is enforced in the kernel',
    ),
  ];
  const types = new Set<string>(own.map(({ type }) => type));
  return {
    ...node.status,
    capacity,
    allocatable: capacity,
    conditions: [...own, ...known.filter(({ type }) => !types.has(type))],
    addresses: [
      { type: 'InternalIP', address: facts.address },
      { type: 'Hostname', address: facts.name },
    ],
    nodeInfo: {
      architecture: arch() === 'x64' ? 'amd64' : arch(),
      operatingSystem: platform(),
      kernelVersion: release(),
      osImage: platform() === 'linux' ? 'Linux' : platform(),
      containerRuntimeVersion: `${facts.runtime}://${facts.version}`,
      kubeletVersion: facts.version,
      kubeProxyVersion: facts.version,
      machineID: '',
      systemUUID: '',
      bootID: '',
    },
  };
}
