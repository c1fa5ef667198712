/** What to do next for a pod. Pure: same view, same instant, same plan. */
import type { Container as ContainerSpec, Pod } from '../../api/types/core.ts';
import { parseInstant } from '../../std/clock.ts';
import type { PodView } from './pod-view.ts';
import { exitCodeOf, initProgress, isSidecar, lastAttempt, restarts } from './pod-view.ts';

export interface PodPlan {
  /** The sandbox has to be made before anything else. */
  readonly sandbox: boolean;
  /** Attempts to start now. */
  readonly start: readonly { readonly container: ContainerSpec; readonly attempt: number }[];
  /** Ids of attempts to stop: the pod is over, these only kept it company. */
  readonly stop: readonly string[];
  /** When to look again though nothing happened (milliseconds since the epoch). */
  readonly lookAt: number | undefined;
  /** Nothing will ever run again. */
  readonly over: boolean;
}

const nothing: PodPlan = { sandbox: false, start: [], stop: [], lookAt: undefined, over: false };

/** First wait after a container ended badly, and the longest. Source: upstream's crash loop. */
export const backoffMs = { first: 10_000, most: 300_000, forgivenAfter: 600_000 };

/** The next step for a pod that is wanted. */
export function planPod(view: PodView, now: number): PodPlan {
  const { pod } = view;
  const deadline = deadlineOf(pod);
  if (isOver(view) || isExpired(view, now)) return { ...nothing, over: true, stop: runningContainers(view) };
  if (!view.hasSandbox) return { ...nothing, sandbox: true };
  const progress = initProgress(view);
  if (progress.kind === 'failed') return { ...nothing, over: true, stop: runningContainers(view) };
  const sidecars = startedSidecars(view);
  const wanted = progress.kind === 'at' ? [...sidecars, progress.container] : [...sidecars, ...pod.spec.containers];
  const due = [...new Set(wanted)].flatMap((container) => {
    const isInit = progress.kind === 'at' && container === progress.container;
    return nextAttempt(view, container, isInit, now);
  });
  const times = due.flatMap((each) => (typeof each === 'number' ? [each] : []));
  if (deadline !== undefined) times.push(deadline);
  return {
    ...nothing,
    start: due.flatMap((each) => (typeof each === 'number' ? [] : [each])),
    lookAt: times.length === 0 ? undefined : Math.min(...times),
  };
}

/** The wait after a failure that came `ms` of waiting after the one before. */
export function nextBackoff(before: number | undefined): number {
  return before === undefined || before === 0 ? backoffMs.first : Math.min(before * 2, backoffMs.most);
}

/** Whether every main container has ended for good, or the pod was said to be over: it never comes back from that. */
export function isOver(view: PodView): boolean {
  const { pod } = view;
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return true;
  return pod.spec.containers.every((container) => {
    const attempt = lastAttempt(view, container.name);
    if (attempt === undefined || attempt.state.kind === 'running') return false;
    return !restarts(pod, container, exitCodeOf(attempt), false);
  });
}

/** Whether its activeDeadlineSeconds are over. */
export function isExpired({ pod }: PodView, now: number): boolean {
  const deadline = deadlineOf(pod);
  return deadline !== undefined && now >= deadline;
}

function deadlineOf({ spec, status }: Pod): number | undefined {
  const began = parseInstant(status?.startTime ?? '');
  if (spec.activeDeadlineSeconds === undefined || began === undefined) return undefined;
  return began + spec.activeDeadlineSeconds * 1000;
}

/** An attempt to start now, an instant to wait for, or nothing because it runs or is over. */
function nextAttempt(
  view: PodView,
  container: ContainerSpec,
  isInit: boolean,
  now: number,
): readonly ({ readonly container: ContainerSpec; readonly attempt: number } | number)[] {
  const last = lastAttempt(view, container.name);
  if (last?.state.kind === 'running') return [];
  if (last !== undefined && !restarts(view.pod, container, exitCodeOf(last), isInit)) return [];
  const until = view.memory.get(container.name)?.backoff?.until ?? 0;
  if (until > now) return [until];
  return [{ container, attempt: last === undefined ? firstAttempt(view.pod, container) : last.attempt + 1 }];
}

/** 0, or what follows the attempts that the status tells of when the runtime has forgotten them (a reboot): counts never fall. */
function firstAttempt({ status }: Pod, { name }: ContainerSpec): number {
  const known = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const told = known.find((each) => each.name === name);
  return told?.containerID === undefined || told.containerID === '' ? 0 : told.restartCount + 1;
}

function startedSidecars(view: PodView): readonly ContainerSpec[] {
  return (view.pod.spec.initContainers ?? []).filter(
    (container) => isSidecar(container) && lastAttempt(view, container.name) !== undefined,
  );
}

function runningContainers(view: PodView): readonly string[] {
  return [...view.pod.spec.containers, ...(view.pod.spec.initContainers ?? [])].flatMap((container) => {
    const attempt = lastAttempt(view, container.name);
    return attempt?.state.kind === 'running' ? [attempt.id] : [];
  });
}
