/**
 * One worker per pod: looks at the pod and at what runs, does the next step of the plan, reports, and waits for
 * something to happen. All state that matters is the runtime's and the API's; a new agent picks up where this one was.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container as ContainerSpec, Pod, PodStatus } from '../../api/types/core.ts';
import { deadline } from '../../std/clock.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { EventRecorder } from '../cluster/events.ts';
import { containerSpecOf, sandboxSpecOf } from './container-spec.ts';
import type { NodeIdentity } from './container-spec.ts';
import { createLastWords } from './last-words.ts';
import { lifecycleHook } from './lifecycle.ts';
import { backoffMs, nextBackoff, planPod } from './pod-plan.ts';
import { createProbeSet } from './probe-set.ts';
import { podStatus } from './pod-status.ts';
import type { ContainerMemory, PodView } from './pod-view.ts';
import { exitCodeOf, lastAttempt } from './pod-view.ts';
import { RuntimeError } from './runtimes/runtime.ts';
import type { Container, Runtime, Sandbox } from './runtimes/runtime.ts';
import { volumeOwner } from './volume-owner.ts';
import { prepareVolumes } from './volumes.ts';
import type { PreparedVolume, VolumeSources } from './volumes.ts';
import { waitingReason } from './waiting.ts';

/** What guards a pod's traffic. `allow` returns when the pod is in force as denied-by-default, before its first container. */
export interface PodNetworkGuard {
  podAdded(pod: Pod, sandbox: Sandbox): Promise<void>;
  podRemoved(uid: string): Promise<void>;
}

export interface PodWorkerDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: EventRecorder;
  readonly node: NodeIdentity;
  /** Folder for the volumes of this agent's pods. */
  readonly folder: string;
  readonly guard: PodNetworkGuard;
  /** An address of the node's range that no other pod holds; the same one again for the same pod. */
  readonly addressFor: (uid: string) => string | undefined;
  readonly releaseAddress: (uid: string) => void;
  readonly sourcesFor: (pod: Pod, address: string | undefined) => VolumeSources;
  readonly writeStatus: (pod: Pod, status: PodStatus) => Promise<void>;
  /** Removes the object once nothing of the pod is left here. */
  readonly finish: (pod: Pod) => Promise<void>;
}

export interface PodWorker {
  /** The pod as it is now; undefined when the object is gone, which ends everything that is left of it. */
  update(pod: Pod | undefined): void;
  /** The container's latest or previous attempt. Undefined when there is none. */
  attempt(container: string, previous: boolean): Container | undefined;
  /** Ends the worker; containers go on running. */
  stop(): Promise<void>;
}

// How often contents of config maps, secrets and tokens are looked at again.
const refreshMs = 60_000;
const stopWaitMs = 2_000;
const retryMs = { first: 1_000, most: 30_000 };

/** Starts a worker for `first`. `onGone` is called when the pod has left the machine and the API. */
export function startPodWorker(first: Pod, deps: PodWorkerDeps, onGone: () => void): PodWorker {
  const { runtime, clock, log, recorder, node } = deps;
  const uid = first.metadata.uid ?? '';
  const folder = join(deps.folder, uid);
  const ended = new AbortController();
  const memory = new Map<string, ContainerMemory>();
  const lastWords = createLastWords(uid, join(folder, 'last-words'), runtime);
  const noted = new Map<string, string>(); // by container: the last attempt whose end has been counted
  const stopping = new Set<string>();
  const hurry = new AbortController();
  let pod = first;
  let gone = false;
  let trouble: PodView['trouble'];
  let retry = retryMs.first;
  let refreshedAt = Number.NEGATIVE_INFINITY;
  let volumes: readonly PreparedVolume[] | undefined;
  let sandbox: Sandbox | undefined;
  let guarded = false;
  let reported = '';
  let wake = (): void => {};
  let woken = false;
  const nudge = (): void => {
    woken = true;
    wake();
  };
  const probes = createProbeSet({ runtime, clock, log, recorder, changed: noteProbe, unhealthy: restartUnhealthy });
  const unlisten = runtime.onExit((container) => {
    if (container.sandbox === uid) nudge();
  });
  let attempts = new Map<string, readonly Container[]>();

  const view = (): PodView => ({
    pod,
    address: sandbox?.address ?? (pod.spec.hostNetwork === true ? node.address : undefined),
    hasSandbox: sandbox !== undefined,
    attempts,
    memory,
    words: lastWords.said,
    trouble,
  });

  async function observe(): Promise<void> {
    const listed = await runtime.list();
    sandbox = listed.sandboxes.find(({ id }) => id === uid);
    const found = new Map<string, Container[]>();
    for (const container of listed.containers) {
      if (container.sandbox !== uid) continue;
      const known = found.get(container.name);
      if (known === undefined) found.set(container.name, [container]);
      else known.push(container);
    }
    for (const each of found.values()) each.sort((a, b) => a.attempt - b.attempt);
    noteEnds(found);
    await lastWords.hear(pod, [...found.values()].flat());
    attempts = found;
  }

  /** A container that has ended since the last look gets its back-off. */
  function noteEnds(found: ReadonlyMap<string, readonly Container[]>): void {
    for (const [name, list] of found) {
      const last = list.at(-1);
      if (last === undefined || last.state.kind === 'running') continue;
      if (noted.get(name) === last.id) continue;
      noted.set(name, last.id);
      probes.stop(name);
      const remembered = memory.get(name) ?? {};
      const ran = last.state.finishedAt - last.state.startedAt;
      const forgiven = ran > backoffMs.forgivenAfter;
      const earlier = forgiven ? undefined : remembered.backoff?.ms;
      // The first end costs nothing; from the second on each costs twice the one before.
      const ms = forgiven || (last.attempt === 0 && earlier === undefined) ? 0 : nextBackoff(earlier);
      const { failure: _failure, ...rest } = remembered;
      memory.set(name, { ...rest, started: false, ready: false, backoff: { ms, until: last.state.finishedAt + ms } });
      if (ms > 0 && exitCodeOf(last) !== 0) {
        const text = `Back-off restarting failed container ${name} in pod ${pod.metadata.name}_${pod.metadata.namespace ?? ''}(${uid})`;
        recorder.event(pod, 'Warning', 'BackOff', text, `spec.containers{${name}}`);
      }
    }
  }

  function noteProbe(name: string, change: Pick<ContainerMemory, 'started' | 'ready'>): void {
    memory.set(name, { ...memory.get(name), ...change });
    nudge();
  }

  function restartUnhealthy(container: ContainerSpec, kind: string): void {
    const last = lastAttempt(view(), container.name);
    if (last?.state.kind !== 'running') return;
    const text = `Container ${container.name} failed ${kind} probe, will be restarted`;
    recorder.event(pod, 'Normal', 'Killing', text, `spec.containers{${container.name}}`);
    void runtime.stopContainer(last.id, graceMs(pod)).catch((error: unknown) => {
      log.warn('unhealthy container not stopped', { container: last.id, error });
    });
  }

  async function makeSandbox(): Promise<void> {
    const address = pod.spec.hostNetwork === true ? undefined : deps.addressFor(uid);
    if (pod.spec.hostNetwork !== true && address === undefined && runtime.isolation.network) {
      throw new RuntimeError('StartFailed', 'no pod address is free on this node');
    }
    sandbox = await runtime.createSandbox(sandboxSpecOf(pod, address, node));
  }

  async function makeVolumes(): Promise<void> {
    if (volumes !== undefined && clock.monotonic() - refreshedAt < refreshMs) return;
    refreshedAt = clock.monotonic();
    const root = join(folder, 'volumes');
    await mkdir(root, { recursive: true, mode: 0o700 });
    const owner = sandbox === undefined ? undefined : volumeOwner(pod, sandbox);
    volumes = await prepareVolumes(pod, root, owner, deps.sourcesFor(pod, view().address));
  }

  /** Brings what running containers see up to date. That it fails costs them nothing: they keep what they have. */
  async function refreshVolumes(): Promise<void> {
    try {
      await makeVolumes();
    } catch (error) {
      log.warn('volumes not refreshed', { pod: `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`, error });
      if (error instanceof RuntimeError) recorder.event(pod, 'Warning', 'FailedMount', error.message);
    }
  }

  async function start(container: ContainerSpec, attempt: number): Promise<void> {
    const path = `spec.containers{${container.name}}`;
    try {
      const spec = await containerSpecOf({
        pod,
        container,
        attempt,
        volumes: volumes ?? [],
        messageFile: await lastWords.prepare(container.name, attempt),
        sources: deps.sourcesFor(pod, view().address),
      });
      const started = await runtime.startContainer(spec);
      const { failure: _failure, ...rest } = memory.get(container.name) ?? {};
      memory.set(container.name, { ...rest, started: false, ready: false });
      attempts.set(container.name, [...(attempts.get(container.name) ?? []), started]);
      recorder.event(pod, 'Normal', 'Created', `Created container: ${container.name}`, path);
      recorder.event(pod, 'Normal', 'Started', `Started container ${container.name}`, path);
      if (container.lifecycle?.postStart !== undefined) await postStart(container, started);
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      const known = memory.get(container.name) ?? {};
      // What the pod refers to may come at any time: that is looked for steadily.
      const steady = error.reason === 'CreateContainerConfigError';
      const ms = steady ? backoffMs.first : nextBackoff(known.failure === undefined ? undefined : known.backoff?.ms);
      const failure = { reason: waitingReason(error), message: error.message };
      memory.set(container.name, { ...known, failure, backoff: { ms, until: clock.now() + ms } });
      recorder.event(pod, 'Warning', 'Failed', `Error: ${error.message}`, path);
    }
    await forgetOld(container.name);
  }

  async function postStart(container: ContainerSpec, started: Container): Promise<void> {
    const problem = await lifecycleHook(container, container.lifecycle?.postStart, {
      runtime,
      id: started.id,
      address: view().address,
    });
    if (problem === undefined) return;
    recorder.event(pod, 'Warning', 'FailedPostStartHook', problem, `spec.containers{${container.name}}`);
    await runtime.stopContainer(started.id, graceMs(pod));
  }

  /** Keeps the latest two attempts: `kubectl logs --previous` shows the one before. */
  async function forgetOld(name: string): Promise<void> {
    const list = attempts.get(name) ?? [];
    for (const old of list.slice(0, -2)) {
      await runtime.removeContainer(old.id);
      await lastWords.forget(old);
    }
    attempts.set(name, list.slice(-2));
  }

  /** One step; answers when to look again (milliseconds from now), undefined to wait for something to happen. */
  async function step(): Promise<number | undefined> {
    await observe();
    if (gone || pod.metadata.deletionTimestamp !== undefined) {
      await terminate();
      return undefined;
    }
    if (sandbox !== undefined && !guarded) {
      await deps.guard.podAdded(pod, sandbox);
      guarded = true;
    }
    let plan = planPod(view(), clock.now());
    if (plan.sandbox) {
      await report();
      await makeSandbox();
      if (sandbox !== undefined) await deps.guard.podAdded(pod, sandbox);
      guarded = true;
      plan = planPod(view(), clock.now());
    }
    await Promise.all(plan.stop.map((id) => runtime.stopContainer(id, graceMs(pod))));
    if (plan.stop.length > 0) await observe();
    const runs = [...attempts.values()].some((list) => list.at(-1)?.state.kind === 'running');
    if (plan.start.length > 0 && volumes === undefined) await makeVolumes();
    else if (plan.start.length > 0 || runs) await refreshVolumes();
    trouble = undefined;
    if (plan.start.length > 0) await report();
    for (const { container, attempt } of plan.start) await start(container, attempt);
    probes.follow(view());
    await report();
    if (plan.over) {
      probes.stopAll();
      return undefined;
    }
    const waits = [refreshMs, ...(plan.lookAt === undefined ? [] : [plan.lookAt - clock.now()])];
    // What was just started may let the next container begin, and a failed start is due again.
    if (plan.start.length > 0) waits.push(0);
    return Math.max(Math.min(...waits), plan.start.length > 0 ? 20 : 0);
  }

  async function terminate(): Promise<void> {
    probes.stopAll();
    const grace = gone
      ? 0
      : (pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
    const running = [...attempts.values()].flat().filter(({ state }) => state.kind === 'running');
    if (running.length > 0 && !gone) await report();
    const began = clock.monotonic();
    const left = (): number => grace - (clock.monotonic() - began);
    const sidecars = (pod.spec.initContainers ?? []).toReversed();
    const isSide = (container: Container): boolean => sidecars.some(({ name }) => name === container.name);
    await Promise.all(running.filter((each) => !isSide(each)).map((container) => end(container, grace, left)));
    // Those that kept the others company go when these are gone, the last one first. Source: upstream.
    for (const { name } of sidecars) {
      for (const container of running.filter((each) => each.name === name)) await end(container, grace, left);
    }
    await observe();
    if (!gone) await report();
    await runtime.removeSandbox(uid);
    await deps.guard.podRemoved(uid);
    deps.releaseAddress(uid);
    await rm(folder, { recursive: true, force: true });
    if (!gone) await deps.finish(pod);
    ended.abort();
    onGone();
  }

  /** Ends one container: its hook first, then TERM, then KILL, all within the grace that is left. */
  async function end(container: Container, grace: number, left: () => number): Promise<void> {
    const spec = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find(
      ({ name }) => name === container.name,
    );
    const path = `spec.containers{${container.name}}`;
    if (!gone) recorder.event(pod, 'Normal', 'Killing', `Stopping container ${container.name}`, path);
    if (spec?.lifecycle?.preStop !== undefined && left() > 0) {
      const problem = await lifecycleHook(spec, spec.lifecycle.preStop, {
        runtime,
        id: container.id,
        address: view().address,
        signal: deadline(Math.ceil(left()), hurry.signal),
      });
      if (problem !== undefined) recorder.event(pod, 'Warning', 'FailedPreStopHook', problem);
    }
    // At least two seconds remain for TERM, however long the hook took. Source: upstream.
    stopping.add(container.id);
    try {
      await runtime.stopContainer(container.id, gone ? 0 : Math.max(left(), Math.min(grace, 2_000)));
    } finally {
      stopping.delete(container.id);
    }
  }

  /** The object is gone, or its grace period got shorter, while containers are being stopped. */
  function hasten(toMs: number): void {
    if (toMs === 0) hurry.abort();
    for (const id of stopping) {
      void runtime.stopContainer(id, toMs).catch((error: unknown) => {
        log.warn('container not stopped sooner', { container: id, error });
      });
    }
  }

  async function report(): Promise<void> {
    // A pod that is over and that the runtime has forgotten: its status says more than we know.
    if (attempts.size === 0 && (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed')) return;
    const status = podStatus(view(), { now: clock.now(), hostAddress: node.address, runtime: runtime.name });
    const text = JSON.stringify(status);
    if (text === reported && JSON.stringify(pod.status?.containerStatuses) === JSON.stringify(status.containerStatuses))
      return;
    await deps.writeStatus(pod, status);
    reported = text;
  }

  async function run(): Promise<void> {
    await loop();
    unlisten();
  }

  async function loop(): Promise<void> {
    while (!ended.signal.aborted) {
      woken = false;
      let wait: number | undefined;
      try {
        wait = await step();
        retry = retryMs.first;
      } catch (error) {
        wait = retry;
        retry = Math.min(retry * 2, retryMs.most);
        await explain(error);
      }
      await pause(wait);
    }
  }

  async function explain(error: unknown): Promise<void> {
    log.warn('pod not brought further', { pod: `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`, error });
    if (!(error instanceof RuntimeError)) return;
    const reason =
      error.reason === 'FailedMount' || error.reason === 'Unsupported' ? error.reason : 'FailedCreatePodSandBox';
    trouble = { reason: error.reason === 'FailedMount' ? 'ContainerCreating' : error.reason, message: error.message };
    recorder.event(pod, 'Warning', reason, error.message);
    await report().catch((failure: unknown) => log.warn('status not written', { error: failure }));
  }

  async function pause(ms: number | undefined): Promise<void> {
    if (woken || ended.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const cancel = ms === undefined ? (): void => {} : clock.after(ms, resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });
    wake = () => {};
  }

  const running = run();
  /** A container that takes its grace period does not hold up the agent: the next one goes on with it. */
  const waitForEnd = async (): Promise<void> => {
    let cancel = (): void => {};
    const enough = new Promise<void>((resolve) => {
      cancel = clock.after(stopWaitMs, resolve);
    });
    await Promise.race([running, enough]).finally(() => cancel());
  };
  let stopped: Promise<void> | undefined;
  return {
    update: (next) => {
      const before = pod.metadata.deletionGracePeriodSeconds;
      if (next === undefined) gone = true;
      else pod = next;
      const after = pod.metadata.deletionGracePeriodSeconds;
      if (gone) hasten(0);
      else if (before !== undefined && after !== undefined && after < before) hasten(after * 1000);
      nudge();
    },
    attempt: (name, previous) => attempts.get(name)?.at(previous ? -2 : -1),
    stop: async () => {
      ended.abort();
      wake();
      probes.stopAll();
      stopped ??= waitForEnd(); // told twice, it waits once
      await stopped;
    },
  };
}

function graceMs(pod: Pod): number {
  return (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
}
