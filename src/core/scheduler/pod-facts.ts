/**
 * What the scheduler has to know about a pod, worked out once when the pod arrives: a cycle then only adds and compares.
 *
 * CPU is counted in thousandths, everything else in whole units. A pod's request is what it can need at one time:
 * init containers run one after the other before the containers, restartable ones (sidecars) keep running, so
 *
 *     init: 2 cpu, sidecar: 1 cpu, init: 1 cpu, containers: 1 cpu   →   max(2, 1, 1 + 1, 1 + 1) = 2 cpu
 *
 * Source: KEP-753 (sidecar containers), KEP-688 (overhead), KEP-2837 (pod-level resources).
 */
import { milliUnits, parseQuantity, wholeUnits } from '../../std/quantity.ts';
import type { Container, ContainerPort, Pod } from '../../api/types/core.ts';

/** Amounts by resource name; `pods` is a resource of which every pod takes one. */
export type Amounts = ReadonlyMap<string, number>;

export interface PodFacts {
  readonly pod: Pod;
  readonly uid: string;
  readonly namespace: string;
  readonly priority: number;
  /** What the pod reserves on its node. Amounts of zero are left out. */
  readonly requests: Amounts;
  /** Requests as ranking sees them: containers that ask for nothing count a little. */
  readonly ranked: Amounts;
  /** Ports of the node that the pod takes. */
  readonly ports: readonly ContainerPort[];
}

/** Source: kube-scheduler's default non-zero requests, 100m and 200Mi. */
const whenMissing: ReadonlyMap<string, number> = new Map([
  ['cpu', 100],
  ['memory', 200 * 1024 * 1024],
]);

const nothing: Amounts = new Map();

export function podFacts(pod: Pod): PodFacts {
  const requests = new Map([...podRequests(pod, nothing)].filter(([, amount]) => amount > 0));
  requests.set('pods', 1);
  return {
    pod,
    uid: pod.metadata.uid ?? `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`,
    namespace: pod.metadata.namespace ?? '',
    priority: pod.spec.priority ?? 0,
    requests,
    ranked: podRequests(pod, whenMissing),
    ports: hostPorts(pod),
  };
}

/** Whether `pod` has run to its end and so uses nothing any more. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** A quantity list of the API as amounts; what does not parse counts as nothing. */
export function amountsOf(list: Readonly<Record<string, string>> | undefined): Amounts {
  const amounts = new Map<string, number>();
  for (const [resource, text] of Object.entries(list ?? {})) {
    const quantity = parseQuantity(text);
    if (quantity !== undefined) amounts.set(resource, resource === 'cpu' ? milliUnits(quantity) : wholeUnits(quantity));
  }
  return amounts;
}

function podRequests(pod: Pod, missing: Amounts): Amounts {
  const total = new Map<string, number>();
  for (const container of pod.spec.containers) add(total, containerRequests(container, missing));
  const sidecars = new Map<string, number>();
  const starting = new Map<string, number>();
  for (const container of pod.spec.initContainers ?? []) {
    const own = containerRequests(container, missing);
    if (container.restartPolicy === 'Always') {
      add(sidecars, own);
      raise(starting, sidecars);
    } else {
      const alongside = new Map(own);
      add(alongside, sidecars);
      raise(starting, alongside);
    }
  }
  add(total, sidecars);
  raise(total, starting);
  for (const [resource, amount] of amountsOf(pod.spec.resources?.requests)) {
    if (resource === 'cpu' || resource === 'memory' || resource.startsWith('hugepages-')) total.set(resource, amount);
  }
  add(total, amountsOf(pod.spec.overhead));
  return total;
}

function containerRequests(container: Container, missing: Amounts): Amounts {
  const own = amountsOf(container.resources?.requests);
  return missing.size === 0 ? own : new Map([...missing, ...own]);
}

function add(to: Map<string, number>, more: Amounts): void {
  for (const [resource, amount] of more) to.set(resource, (to.get(resource) ?? 0) + amount);
}

function raise(to: Map<string, number>, least: Amounts): void {
  for (const [resource, amount] of least) to.set(resource, Math.max(to.get(resource) ?? 0, amount));
}

function hostPorts(pod: Pod): readonly ContainerPort[] {
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  return [...pod.spec.containers, ...sidecars].flatMap((container) =>
    (container.ports ?? []).filter((port) => (port.hostPort ?? 0) > 0),
  );
}
