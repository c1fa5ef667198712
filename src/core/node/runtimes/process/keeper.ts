/**
 * The half of the process runtime that does not depend on how containers are kept apart: which attempts there are, which
 * of them run, who waits for their end, their logs, and what an earlier agent left. The other half is a `ProcessHost`.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../../std/clock.ts';
import type { Logger } from '../../../../std/log.ts';
import type { Collector } from '../logs/collector.ts';
import { collectLogs } from '../logs/collector.ts';
import { readLogFolder } from '../logs/reader.ts';
import type {
  Container,
  ContainerSpec,
  ExecRequest,
  ExecSession,
  Isolation,
  Runtime,
  Sandbox,
  SandboxSpec,
  Usage,
} from '../runtime.ts';
import { RuntimeError, checkContainer, checkSandboxId, containerId } from '../runtime.ts';
import { attachTo } from './exec.ts';
import { startDeadlineMs } from './start.ts';
import type { Attempt } from './state.ts';
import { wasStarted } from './unfinished.ts';
import {
  attemptFolder,
  attemptIds,
  isAlive,
  podFolder,
  podIds,
  readAttempt,
  readProcess,
  readSandbox,
  readState,
  toContainer,
  writeJson,
} from './state.ts';

/** How pods and containers come to be and go on this machine. */
export interface ProcessHost {
  readonly isolation: Isolation;
  /** Makes the pod's sandbox, or finds it made. */
  makeSandbox(spec: SandboxSpec): Promise<Sandbox>;
  /** Takes away what the sandbox holds outside of its folder; there may be no sandbox, or half of one. */
  dropSandbox(pod: string, sandbox: Sandbox | undefined): Promise<void>;
  /** Throws Unsupported for what containers cannot be given here. */
  check(spec: ContainerSpec): void;
  /** Runs `spec` in `folder`, which must not exist. Returns the shim, which ends when the container has. */
  start(sandbox: Sandbox, spec: ContainerSpec, folder: string): Promise<ChildProcess>;
  /** TERM goes to the container's program, KILL to all of the container. Does nothing when it has ended. */
  kill(id: string, folder: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Takes away what an attempt that has ended held outside of its folder, stray processes too. */
  free(id: string, folder: string): Promise<void>;
  exec(running: RunningAttempt, request: ExecRequest): Promise<ExecSession>;
  /** A connection to a port of the sandbox. Throws Unreachable. */
  dial(sandbox: Sandbox, port: number): Promise<Duplex>;
  usage(id: string): Promise<Usage | undefined>;
  /** No pod is left on this node, and the agent ends. */
  close(): Promise<void>;
}

export interface RunningAttempt {
  readonly id: string;
  readonly folder: string;
  readonly attempt: Attempt;
  readonly pid: number;
}

interface Live {
  readonly folder: string;
  readonly attempt: Attempt;
  readonly collector: Collector;
  /** Resolves when it has ended and its log is complete. */
  readonly ended: Promise<Container>;
}

/** How often an adopted container, whose shim is not our child, is looked at. */
const adoptedLookMs = 100;

/** A runtime over the folder `state`, with all that an earlier agent left there adopted. */
export async function keepAttempts(
  host: ProcessHost,
  { state, clock, log }: { readonly state: string; readonly clock: Clock; readonly log: Logger },
): Promise<Runtime> {
  const live = new Map<string, Live>();
  const listeners = new Set<(container: Container) => void>();
  const stopping = new AbortController();
  const creating = new Map<string, Promise<Sandbox>>();

  /** Watches one container that runs (or ended while nobody looked) until it has ended. */
  const track = async (id: string, folder: string, attempt: Attempt, shim?: ChildProcess): Promise<Live> => {
    const collector = await collectLogs(folder, clock);
    const ended = (async (): Promise<Container> => {
      await (shim === undefined ? goneByLooking(folder) : shimEnded(shim));
      const container = await settle(folder, attempt);
      await host.free(id, folder).catch((error: unknown) => log.warn('what a container held stays', { id, error }));
      await collector.finish();
      live.delete(id);
      for (const listener of listeners) listener(container);
      return container;
    })();
    ended.catch((error: unknown) => {
      if (!stopping.signal.aborted) log.error('a container is no longer watched', { id, error });
    });
    const entry = { folder, attempt, collector, ended };
    live.set(id, entry);
    return entry;
  };
  const shimEnded = async (shim: ChildProcess): Promise<void> => {
    if (shim.exitCode === null && shim.signalCode === null) await once(shim, 'exit', { signal: stopping.signal });
  };
  const goneByLooking = async (folder: string): Promise<void> => {
    const target = await readProcess(folder);
    if (target === undefined) return; // no shim at work (see adopt) and no process: there is nothing to wait for
    while (await isAlive(target)) await clock.sleep(adoptedLookMs, stopping.signal);
  };
  /** The final state; a shim needs a moment after its container's end to write the code down. */
  const settle = async (folder: string, attempt: Attempt): Promise<Container> => {
    const end = clock.monotonic() + 1000;
    for (;;) {
      const found = await readState(folder, attempt, clock.now());
      if (found.kind === 'exited') return toContainer(folder, attempt, found, undefined);
      if (clock.monotonic() > end) {
        const last =
          found.kind === 'running'
            ? { kind: 'unknown' as const, startedAt: found.startedAt, finishedAt: clock.now() }
            : found;
        await writeJson(`${folder}/unknown`, last);
        return toContainer(folder, attempt, last, undefined);
      }
      await clock.sleep(10);
    }
  };
  const describe = async (id: string): Promise<{ folder: string; attempt: Attempt; container: Container }> => {
    const folder = attemptFolder(state, id);
    const attempt = await readAttempt(folder);
    if (attempt === undefined) throw new RuntimeError('NotFound', `there is no container ${id}`);
    const found = await readState(folder, attempt, clock.now());
    return { folder, attempt, container: toContainer(folder, attempt, found, await readProcess(folder)) };
  };
  const removeAttempt = async (id: string): Promise<void> => {
    const folder = attemptFolder(state, id);
    await host.kill(id, folder, 'SIGKILL');
    await live.get(id)?.ended;
    await host.free(id, folder);
    await rm(folder, { recursive: true, force: true });
  };
  const removeSandbox = async (pod: string): Promise<void> => {
    checkSandboxId(pod);
    const sandbox = await readSandbox(state, pod);
    for (const id of await attemptIds(state, pod)) await removeAttempt(id);
    await host.dropSandbox(pod, sandbox);
    await rm(podFolder(state, pod), { recursive: true, force: true });
  };
  const wait = async (id: string, signal: AbortSignal): Promise<Container> => {
    const running = live.get(id);
    if (running === undefined) return (await describe(id)).container;
    const aborted = once(signal, 'abort').then(() => Promise.reject<Container>(signal.reason));
    aborted.catch(() => {}); // lost the race: nobody waits for it
    signal.throwIfAborted();
    return Promise.race([running.ended, aborted]);
  };

  /** Takes over what an earlier agent has started; an attempt whose program never began is as if it had not been. */
  const adopt = async (id: string): Promise<void> => {
    const folder = attemptFolder(state, id);
    const attempt = await readAttempt(folder);
    if (attempt !== undefined && (await wasStarted(folder, clock, startDeadlineMs))) await track(id, folder, attempt);
    else await removeAttempt(id);
  };
  const ids = await Promise.all((await podIds(state)).map((pod) => attemptIds(state, pod)));
  await Promise.all(ids.flat().map(adopt));

  return {
    name: 'process',
    isolation: host.isolation,
    createSandbox: (spec) => {
      checkSandboxId(spec.uid);
      const pending = creating.get(spec.uid);
      if (pending !== undefined) return pending;
      const made = host.makeSandbox(spec).finally(() => creating.delete(spec.uid));
      creating.set(spec.uid, made);
      return made;
    },
    removeSandbox,
    startContainer: async (spec: ContainerSpec) => {
      checkContainer(spec);
      checkRunnable(spec);
      host.check(spec);
      const sandbox = await readSandbox(state, spec.sandbox);
      if (sandbox === undefined) throw new RuntimeError('NotFound', `there is no sandbox ${spec.sandbox}`);
      const id = containerId(spec.sandbox, spec.name, spec.attempt);
      const folder = attemptFolder(state, id);
      if (existsSync(folder)) throw new RuntimeError('AlreadyExists', `container ${id} exists`);
      try {
        const shim = await host.start(sandbox, spec, folder);
        const attempt = await readAttempt(folder);
        if (attempt === undefined)
          throw new RuntimeError('StartFailed', `container ${id} was removed while it was started`);
        await track(id, folder, attempt, shim);
      } catch (error) {
        await removeAttempt(id).catch((cause: unknown) =>
          log.warn('a failed start leaves files', { id, error: cause }),
        );
        throw error;
      }
      return (await describe(id)).container;
    },
    stopContainer: async (id, graceMs) => {
      const { folder, container } = await describe(id);
      const running = live.get(id);
      if (running === undefined) return container;
      await host.kill(id, folder, 'SIGTERM');
      const grace = new AbortController();
      const timedOut = clock.sleep(graceMs, grace.signal).then(
        () => host.kill(id, folder, 'SIGKILL'),
        () => {}, // it ended in time
      );
      const ended = await running.ended.finally(() => grace.abort());
      await timedOut;
      return ended;
    },
    removeContainer: removeAttempt,
    list: async () => {
      const ids = await podIds(state);
      const sandboxes = await Promise.all(ids.map((pod) => readSandbox(state, pod)));
      const names = (await Promise.all(ids.map((pod) => attemptIds(state, pod)))).flat();
      const containers = await Promise.all(names.map((id) => describe(id).catch(() => undefined)));
      return {
        sandboxes: sandboxes.filter((sandbox) => sandbox !== undefined),
        containers: containers.flatMap((found) => (found === undefined ? [] : [found.container])),
      };
    },
    onExit: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    wait,
    exec: async (id, request) => {
      const { folder, attempt, container } = await describe(id);
      if (container.pid === undefined) throw new RuntimeError('NotRunning', `container ${id} is not running`);
      return host.exec({ id, folder, attempt, pid: container.pid }, request);
    },
    attach: async (id, request) => {
      const running = live.get(id);
      if (running === undefined) throw new RuntimeError('NotRunning', `container ${id} is not running`);
      if (request.stdin && !existsSync(`${running.folder}/stdin`)) {
        throw new RuntimeError('Unsupported', `container ${id} was started without stdin: set stdin: true`);
      }
      const exited = running.ended.then(exitCodeOf);
      return attachTo(running.folder, running.collector, exited, request.stdin);
    },
    readLogs: (id, logOptions, signal) =>
      readLogFolder(attemptFolder(state, id), logOptions, () => !live.has(id), signal),
    dial: async (pod, port) => {
      const sandbox = await readSandbox(state, pod);
      if (sandbox === undefined) throw new RuntimeError('NotFound', `there is no sandbox ${pod}`);
      return host.dial(sandbox, port);
    },
    usage: (id) => host.usage(id),
    prune: async (keep) => {
      for (const pod of await podIds(state)) {
        if (!keep.has(pod) && !creating.has(pod)) await removeSandbox(pod);
      }
    },
    stop: async () => {
      stopping.abort();
      await Promise.all([...live.values()].map((entry) => entry.collector.stop()));
      live.clear();
      if ((await podIds(state)).length === 0) await host.close();
    },
  };
}

/** Throws for what no program of the host can be; says what to do about it. */
function checkRunnable(spec: ContainerSpec): void {
  if (spec.command.length === 0) {
    throw new RuntimeError(
      'ImageWithoutCommand',
      `container ${spec.name}: this node runs programs of the host, not the image ${spec.image}: set command to the program to run, or use a node with containerd`,
    );
  }
  if (spec.tty === true) {
    throw new RuntimeError('Unsupported', `container ${spec.name}: tty is given to exec only on this node: unset tty`);
  }
}

function exitCodeOf(container: Container): number {
  return container.state.kind === 'exited' ? container.state.exitCode : 137;
}
