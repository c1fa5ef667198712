/** The status that a pod's view adds up to. Pure; what upstream's kubelet would write. */
import type {
  Container as ContainerSpec,
  ContainerState as ApiState,
  ContainerStatus,
  Pod,
  PodCondition,
  PodStatus,
} from '../../api/types/core.ts';
import { rfc3339 } from '../../std/clock.ts';
import { isExpired, isOver } from './pod-plan.ts';
import type { PodView } from './pod-view.ts';
import { exitCodeOf, initProgress, isContainerReady, isSidecar, isStarted, lastAttempt, restarts } from './pod-view.ts';
import type { Container } from './runtimes/runtime.ts';

export interface StatusContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly hostAddress: string;
  /** The runtime's name, which prefixes container ids. */
  readonly runtime: string;
}

/** The status of `view.pod` at `context.now`. */
export function podStatus(view: PodView, context: StatusContext): PodStatus {
  const { pod } = view;
  const phase = phaseOf(view, context.now);
  const expired = phase === 'Failed' && isExpired(view, context.now) && pod.status?.phase !== 'Failed';
  const initial = pod.spec.initContainers ?? [];
  const initialized = initProgress(view).kind === 'done';
  const statuses = pod.spec.containers.map((each) => containerStatus(view, each, initialized, context));
  const qos = pod.status?.qosClass;
  return {
    phase,
    ...(view.trouble === undefined || phase !== 'Failed' ? {} : view.trouble),
    ...(expired
      ? { reason: 'DeadlineExceeded', message: 'The pod ran for longer than its activeDeadlineSeconds.' }
      : {}),
    conditions: conditionsOf(view, phase, context.now),
    hostIP: context.hostAddress,
    hostIPs: [{ ip: context.hostAddress }],
    ...(view.address === undefined ? {} : { podIP: view.address, podIPs: [{ ip: view.address }] }),
    startTime: pod.status?.startTime ?? rfc3339(context.now),
    ...(initial.length === 0
      ? {}
      : { initContainerStatuses: initial.map((each) => containerStatus(view, each, true, context)) }),
    containerStatuses: statuses,
    qosClass: qos === undefined || qos === '' ? qosClassOf(pod) : qos,
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
  };
}

function phaseOf(view: PodView, now: number): NonNullable<PodStatus['phase']> {
  const { pod } = view;
  const said = pod.status?.phase;
  if (said === 'Succeeded' || said === 'Failed') return said; // the end is final
  if (isExpired(view, now)) return 'Failed';
  if (initProgress(view).kind === 'failed') return 'Failed';
  if (isOver(view)) {
    const failed = pod.spec.containers.some((container) => {
      const attempt = lastAttempt(view, container.name);
      return attempt !== undefined && exitCodeOf(attempt) !== 0;
    });
    return failed ? 'Failed' : 'Succeeded';
  }
  const begun = pod.spec.containers.filter(({ name }) => lastAttempt(view, name) !== undefined);
  return begun.length === pod.spec.containers.length ? 'Running' : 'Pending';
}

function conditionsOf(view: PodView, phase: PodStatus['phase'], now: number): readonly PodCondition[] {
  const { pod } = view;
  const over = phase === 'Succeeded' || phase === 'Failed';
  const unready = pod.spec.containers.filter((container) => !isContainerReady(view, container)).map(({ name }) => name);
  const lacking = (pod.spec.initContainers ?? [])
    .filter((container) => !isDone(view, container))
    .map(({ name }) => name);
  const why = over
    ? phase === 'Succeeded'
      ? { reason: 'PodCompleted' }
      : { reason: 'PodFailed' }
    : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  const gates = (pod.spec.readinessGates ?? []).filter(
    ({ conditionType }) => pod.status?.conditions?.find(({ type }) => type === conditionType)?.status !== 'True',
  );
  const ready = unready.length === 0 && !over;
  const initialized = phase === 'Succeeded' || lacking.length === 0;
  const found: readonly Omit<PodCondition, 'lastTransitionTime'>[] = [
    { type: 'PodReadyToStartContainers', status: flag(view.hasSandbox && !over) },
    {
      type: 'Initialized',
      status: flag(initialized),
      ...(initialized
        ? phase === 'Succeeded'
          ? { reason: 'PodCompleted' }
          : {}
        : { reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${lacking.join(' ')}]` }),
    },
    {
      type: 'Ready',
      status: flag(ready && gates.length === 0),
      ...(ready
        ? gates.length === 0
          ? {}
          : {
              reason: 'ReadinessGatesNotReady',
              message: gates
                .map(
                  ({ conditionType }) =>
                    `corresponding condition of pod readiness gate "${conditionType}" does not exist.`,
                )
                .join(', '),
            }
        : why),
    },
    { type: 'ContainersReady', status: flag(ready), ...(ready ? {} : why) },
  ];
  const own = new Set<string>(found.map(({ type }) => type));
  const known = pod.status?.conditions ?? [];
  const others = known.filter(({ type }) => !own.has(type));
  return [
    ...found.map((condition): PodCondition => {
      const before = known.find(({ type }) => type === condition.type);
      const same = before?.status === condition.status;
      return { ...condition, lastTransitionTime: same ? (before?.lastTransitionTime ?? rfc3339(now)) : rfc3339(now) };
    }),
    ...others,
  ];
}

function isDone(view: PodView, container: ContainerSpec): boolean {
  if (isSidecar(container)) return isStarted(view, container);
  const progress = initProgress(view);
  const order = view.pod.spec.initContainers ?? [];
  if (progress.kind === 'done') return true;
  if (progress.kind === 'at') return order.indexOf(container) < order.indexOf(progress.container);
  const attempt = lastAttempt(view, container.name);
  return attempt !== undefined && attempt.state.kind !== 'running' && exitCodeOf(attempt) === 0;
}

function flag(on: boolean): 'True' | 'False' {
  return on ? 'True' : 'False';
}

function containerStatus(
  view: PodView,
  container: ContainerSpec,
  mayRun: boolean,
  context: StatusContext,
): ContainerStatus {
  const attempts = view.attempts.get(container.name) ?? [];
  const last = attempts.at(-1);
  const isInit = (view.pod.spec.initContainers ?? []).includes(container);
  const state = stateOf(view, container, mayRun, context);
  const earlier = state.waiting === undefined || last === undefined ? attempts.at(-2) : last;
  const done = isInit && !isSidecar(container) && last?.state.kind === 'exited' && last.state.exitCode === 0;
  return {
    name: container.name,
    state,
    lastState:
      earlier === undefined || earlier.state.kind === 'running'
        ? {}
        : { terminated: terminated(view, earlier, context) },
    ready: isInit && !isSidecar(container) ? done : isContainerReady(view, container),
    restartCount: last?.attempt ?? 0,
    image: container.image ?? '',
    imageID: '',
    ...(last === undefined ? {} : { containerID: `${context.runtime}://${last.id}` }),
    started: isStarted(view, container),
  };
}

function stateOf(view: PodView, container: ContainerSpec, mayRun: boolean, context: StatusContext): ApiState {
  const last = lastAttempt(view, container.name);
  const { failure, backoff } = view.memory.get(container.name) ?? {};
  if (last?.state.kind === 'running') return { running: { startedAt: rfc3339(last.state.startedAt) } };
  if (failure !== undefined) return { waiting: failure };
  if (last === undefined) {
    const reason =
      mayRun && (view.pod.spec.initContainers ?? []).length === 0 ? 'ContainerCreating' : 'PodInitializing';
    const message = view.trouble === undefined ? {} : { message: view.trouble.message };
    return { waiting: { reason, ...message } };
  }
  const isInit = (view.pod.spec.initContainers ?? []).includes(container);
  const comesBack = restarts(view.pod, container, exitCodeOf(last), isInit);
  if (comesBack && backoff !== undefined && backoff.until > context.now) {
    const { name, namespace = '', uid = '' } = view.pod.metadata;
    const pod = `${name}_${namespace}(${uid})`;
    const message = `back-off ${wait(backoff.ms)} restarting failed container=${container.name} pod=${pod}`;
    return { waiting: { reason: 'CrashLoopBackOff', message } };
  }
  return { terminated: terminated(view, last, context) };
}

/** 10s, 1m20s, 5m0s: as upstream writes durations. */
function wait(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

function terminated(
  { words }: PodView,
  container: Container,
  { runtime }: StatusContext,
): NonNullable<ApiState['terminated']> {
  const { state } = container;
  if (state.kind === 'running') throw new Error('a running container has not terminated');
  const exitCode = exitCodeOf(container);
  const message = state.kind === 'unknown' ? unseenEnd : words.get(container.id);
  return {
    exitCode,
    reason: state.kind === 'unknown' ? 'ContainerStatusUnknown' : exitCode === 0 ? 'Completed' : 'Error',
    ...(message === undefined ? {} : { message }),
    startedAt: rfc3339(state.startedAt),
    finishedAt: rfc3339(state.finishedAt),
    containerID: `${runtime}://${container.id}`,
  };
}

const unseenEnd = 'The container is gone and nobody saw how it ended.';

/** Guaranteed: limits equal to requests everywhere; BestEffort: neither anywhere. */
export function qosClassOf(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const counted = ['cpu', 'memory'];
  const some = all.some(({ resources }) =>
    counted.some((name) => resources?.requests?.[name] !== undefined || resources?.limits?.[name] !== undefined),
  );
  if (!some) return 'BestEffort';
  const guaranteed = all.every(({ resources }) =>
    counted.every((name) => {
      const limit = resources?.limits?.[name];
      return limit !== undefined && (resources?.requests?.[name] ?? limit) === limit;
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
