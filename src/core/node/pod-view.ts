/** What the agent knows of one pod at one moment: the input of its decisions. Plain data, no clock. */
import type { Container as ContainerSpec, Pod } from '../../api/types/core.ts';
import type { Container } from './runtimes/runtime.ts';

/** What is known of one container of a pod beside what the runtime says. */
export interface ContainerMemory {
  /** It must not be started again before this instant (milliseconds since the epoch), and how long the wait was. */
  readonly backoff?: { readonly until: number; readonly ms: number };
  /** Why the last start failed, until one works. */
  readonly failure?: { readonly reason: string; readonly message: string };
  /** Results of its probes for the attempt that runs; absent means that nothing has been found yet. */
  readonly started?: boolean;
  readonly ready?: boolean;
}

export interface PodView {
  readonly pod: Pod;
  /** The sandbox, once there is one. */
  readonly address: string | undefined;
  readonly hasSandbox: boolean;
  /** Attempts by container name, oldest first, as the runtime lists them. */
  readonly attempts: ReadonlyMap<string, readonly Container[]>;
  readonly memory: ReadonlyMap<string, ContainerMemory>;
  /** What ended attempts left to say, by id. */
  readonly words: ReadonlyMap<string, string>;
  /** Why the pod cannot go on at all just now (a volume, the network), until that passes. */
  readonly trouble: { readonly reason: string; readonly message: string } | undefined;
}

export function lastAttempt(view: PodView, name: string): Container | undefined {
  return view.attempts.get(name)?.at(-1);
}

/** A init container that keeps running beside the others. */
export function isSidecar(container: ContainerSpec): boolean {
  return container.restartPolicy === 'Always';
}

/** Whether a container that ended with `exitCode` is started again. */
export function restarts(pod: Pod, container: ContainerSpec, exitCode: number, isInit: boolean): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  if (isSidecar(container)) return true;
  const policy = pod.spec.restartPolicy ?? 'Always';
  if (policy === 'Never') return false;
  return (policy === 'Always' && !isInit) || exitCode !== 0;
}

/** The code a container ended with; nobody saw it for `unknown`, which counts as a failure. */
export function exitCodeOf(container: Container): number {
  return container.state.kind === 'exited' ? container.state.exitCode : 137;
}

/** Whether it runs and its startup probe, if any, has passed. */
export function isStarted(view: PodView, container: ContainerSpec): boolean {
  const running = lastAttempt(view, container.name)?.state.kind === 'running';
  return running && (container.startupProbe === undefined || view.memory.get(container.name)?.started === true);
}

/** Whether it runs, has started, and its readiness probe, if any, passes. */
export function isContainerReady(view: PodView, container: ContainerSpec): boolean {
  if (!isStarted(view, container)) return false;
  return container.readinessProbe === undefined || view.memory.get(container.name)?.ready === true;
}

/** Where the init containers stand: still at one of them, all through, or failed for good. */
export function initProgress(
  view: PodView,
):
  | { readonly kind: 'at'; readonly container: ContainerSpec }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed' } {
  const { pod } = view;
  for (const container of pod.spec.initContainers ?? []) {
    const attempt = lastAttempt(view, container.name);
    if (isSidecar(container)) {
      // Once it let the others begin, its own restarts hold nobody back.
      if (!isStarted(view, container) && !laterStarted(view, container)) return { kind: 'at', container };
      continue;
    }
    if (attempt === undefined || attempt.state.kind === 'running') {
      // An agent that restarted finds later containers running: what came before them is over, its trace removed.
      if (attempt === undefined && laterStarted(view, container)) continue;
      return { kind: 'at', container };
    }
    const code = exitCodeOf(attempt);
    if (code === 0) continue;
    return restarts(pod, container, code, true) ? { kind: 'at', container } : { kind: 'failed' };
  }
  return { kind: 'done' };
}

function laterStarted(view: PodView, container: ContainerSpec): boolean {
  const { initContainers = [], containers } = view.pod.spec;
  const later = [...initContainers.slice(initContainers.indexOf(container) + 1), ...containers];
  return later.some(({ name }) => lastAttempt(view, name) !== undefined);
}
