/**
 * The `process` runtime: a container is a program of the host. As root, each pod has namespaces and ids of its own
 * (shim.ts says how a container comes to be; state.ts what is kept), and who may create a pod has the rights of
 * "others" on the host's files and none on its processes, devices, mounts and networks.
 *
 * Not limited: disk space. Not shown: /sys. The program as process 1 must reap what it orphans, as in any container.
 */
import { closeSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Clock } from '../../../../std/clock.ts';
import type { Logger } from '../../../../std/log.ts';
import type { Collector } from '../logs/collector.ts';
import { collectLogs } from '../logs/collector.ts';
import { readLogFolder } from '../logs/reader.ts';
import type { Container, ContainerSpec, Isolation, Runtime, Sandbox, SandboxSpec } from '../runtime.ts';
import { RuntimeError, checkContainer, checkSandboxId, containerId } from '../runtime.ts';
import { findCgroups, groupUsage, removeGroup, removeParents } from './cgroups.ts';
import { attachTo, execInside } from './exec.ts';
import { ensureMask, podLayer, programMounts, removeLayers, writePodLayer } from './layers.ts';
import { fitsOverlay } from './mounts.ts';
import { createNetwork, hostInterface, removeNetwork } from './network.ts';
import { toolPath } from './run.ts';
import { ensureSharedBase, isInUserNamespace } from './shared.ts';
import type { StartHost } from './start.ts';
import { startAttempt } from './start.ts';
import type { Attempt } from './state.ts';
import {
  attemptFolder,
  attemptIds,
  isAlive,
  podFolder,
  podIds,
  readAttempt,
  readProcess,
  readProcs,
  readSandbox,
  readState,
  toContainer,
  writeJson,
} from './state.ts';

export interface ProcessRuntimeOptions {
  /** Absolute folder for state and containers' files; made for root alone. */
  readonly state: string;
  /** Folders no container may see: Gatehouse's home, keys. The state folder is always one of them. */
  readonly hide: readonly string[];
  /** Name of this node's group in each cgroup tree: one path segment, unique on the machine. */
  readonly cgroup: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Each pod has 65 536 ids of the host's, from here on. Chosen above what distributions hand out. */
const firstId = 2 ** 30;
const idsPerPod = 65_536;
const pods = 16_384;

interface Live {
  readonly folder: string;
  readonly attempt: Attempt;
  readonly collector: Collector;
  /** Resolves when it has ended and its log is complete. */
  readonly ended: Promise<Container>;
}

/** How often an adopted container, whose shim is not our child, is looked at. */
const adoptedLookMs = 100;

/**
 * A runtime over `options.state`, with all that an earlier agent left there adopted. Throws Unsupported, with what to do,
 * where this process is not root or may not mount (found by mounting, as some systems allow namespaces and deny mounts).
 */
export async function createProcessRuntime(options: ProcessRuntimeOptions): Promise<Runtime> {
  const { state, clock, log } = options;
  if (!fitsOverlay(state))
    throw new RuntimeError('Unsupported', 'the state folder has a comma, colon or space in its path');
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new RuntimeError(
      'Unsupported',
      'the process runtime needs root on Linux: run the node as root, or use --runtime hollow',
    );
  }
  closeInherited();
  await mkdir(state, { recursive: true, mode: 0o700 });
  const shared = isInUserNamespace();
  const cgroups = await findCgroups(options.cgroup);
  const host: StartHost = {
    state,
    base: await ensureBase(state, [state, ...options.hide], shared).catch((cause: unknown) => {
      throw new RuntimeError(
        'Unsupported',
        'the process runtime cannot mount here: give the node CAP_SYS_ADMIN, or use --runtime hollow',
        cause,
      );
    }),
    proc: {
      readOnly: ['/proc/sys', '/proc/bus', '/proc/irq', '/proc/fs', '/proc/sysrq-trigger'].filter(existsSync),
      folders: ['/proc/acpi', '/proc/scsi'].filter(existsSync),
      files: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/proc/latency_stats'].filter(
        existsSync,
      ),
    },
    cgroups,
    setpriv: findTool('setpriv'),
    clock,
  };
  const isolation: Isolation = {
    ids: shared ? 'shared' : 'user',
    filesystem: true,
    network: true,
    processes: true,
    limits: cgroups.kind !== 'none',
    missing: [
      ...(shared ? missingWhenShared : []),
      ...(cgroups.kind === 'none' && !shared ? [`limits are not enforced: ${cgroups.why}`] : []),
    ],
  };
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
      await collector.finish();
      await removeGroup(await readProcs(folder), clock).catch((error: unknown) =>
        log.warn('a cgroup stays', { id, error }),
      );
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
    if (target === undefined) return; // its agent died while it was started, and took it along
    while (await isAlive(target)) await clock.sleep(adoptedLookMs, stopping.signal);
  };
  /** The final state; a shim needs a moment after its container's end to write the code down. */
  const settle = async (folder: string, attempt: Attempt): Promise<Container> => {
    const end = clock.monotonic() + 1000;
    for (;;) {
      const found = await readState(folder, attempt, clock.now());
      if (found.kind === 'exited') return toContainer(folder, attempt, found, undefined);
      if (clock.monotonic() > end) {
        const state =
          found.kind === 'running'
            ? { kind: 'unknown' as const, startedAt: found.startedAt, finishedAt: clock.now() }
            : found;
        await writeJson(`${folder}/unknown`, state);
        return toContainer(folder, attempt, state, undefined);
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
  const kill = async (folder: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const target = await readProcess(folder);
    if (target !== undefined && (await isAlive(target))) process.kill(target.pid, signal);
  };
  const removeAttempt = async (id: string): Promise<void> => {
    const folder = attemptFolder(state, id);
    await kill(folder, 'SIGKILL');
    await live.get(id)?.ended;
    await removeGroup(await readProcs(folder), clock);
    await rm(folder, { recursive: true, force: true });
  };
  const makeSandbox = async (spec: SandboxSpec): Promise<Sandbox> => {
    const there = await readSandbox(state, spec.uid);
    if (there !== undefined && existsSync(`${podLayer(state, spec.uid)}/etc/hosts`)) return there;
    const folder = podFolder(state, spec.uid);
    await removeNetwork(`${folder}/ns`, spec.uid);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const sandbox: Sandbox = {
      id: spec.uid,
      spec,
      ...(spec.network.kind === 'routed'
        ? { address: spec.network.address, hostInterface: hostInterface(spec.uid) }
        : {}),
      idOffset: shared ? 0 : (there?.idOffset ?? (await freeIds())),
    };
    // Before the namespaces: whoever prunes after a crash finds the pod by its folder.
    await writePodLayer(state, spec.uid, spec);
    await createNetwork(`${folder}/ns`, spec.uid, spec.hostname, spec.network);
    await writeJson(`${folder}/sandbox.json`, sandbox);
    return sandbox;
  };
  let allocating: Promise<unknown> = Promise.resolve();
  const reserved = new Set<number>();
  const freeIds = (): Promise<number> => {
    const next = allocating.then(async () => {
      const sandboxes = await Promise.all((await podIds(state)).map((pod) => readSandbox(state, pod)));
      const taken = new Set([...reserved, ...sandboxes.map((sandbox) => sandbox?.idOffset)]);
      for (let slot = 0; slot < pods; slot++) {
        const offset = firstId + slot * idsPerPod;
        if (taken.has(offset)) continue;
        reserved.add(offset);
        return offset;
      }
      throw new RuntimeError('Unsupported', `this node has no ids left for a new pod: ${pods} are in use`);
    });
    allocating = next.catch(() => {});
    return next;
  };
  const removeSandbox = async (pod: string): Promise<void> => {
    checkSandboxId(pod);
    const sandbox = await readSandbox(state, pod);
    for (const id of await attemptIds(state, pod)) await removeAttempt(id);
    await removeNetwork(`${podFolder(state, pod)}/ns`, pod);
    await rm(podLayer(state, pod), { recursive: true, force: true });
    await rm(podFolder(state, pod), { recursive: true, force: true });
    if (sandbox !== undefined) reserved.delete(sandbox.idOffset);
  };
  const wait = async (id: string, signal: AbortSignal): Promise<Container> => {
    const running = live.get(id);
    if (running === undefined) return (await describe(id)).container;
    const aborted = once(signal, 'abort').then(() => Promise.reject<Container>(signal.reason));
    aborted.catch(() => {}); // lost the race: nobody waits for it
    signal.throwIfAborted();
    return Promise.race([running.ended, aborted]);
  };

  for (const pod of await podIds(state)) {
    for (const id of await attemptIds(state, pod)) {
      const folder = attemptFolder(state, id);
      const attempt = await readAttempt(folder);
      if (attempt === undefined) await rm(folder, { recursive: true, force: true });
      else await track(id, folder, attempt);
    }
  }

  return {
    name: 'process',
    isolation,
    createSandbox: (spec) => {
      checkSandboxId(spec.uid);
      const pending = creating.get(spec.uid);
      if (pending !== undefined) return pending;
      const made = makeSandbox(spec).finally(() => creating.delete(spec.uid));
      creating.set(spec.uid, made);
      return made;
    },
    removeSandbox,
    startContainer: async (spec: ContainerSpec) => {
      checkContainer(spec);
      checkRunnable(spec);
      const sandbox = await readSandbox(state, spec.sandbox);
      if (sandbox === undefined) throw new RuntimeError('NotFound', `there is no sandbox ${spec.sandbox}`);
      const id = containerId(spec.sandbox, spec.name, spec.attempt);
      const folder = attemptFolder(state, id);
      if (existsSync(folder)) throw new RuntimeError('AlreadyExists', `container ${id} exists`);
      try {
        const shim = await startAttempt(host, sandbox, spec, folder);
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
      await kill(folder, 'SIGTERM');
      const grace = new AbortController();
      const timedOut = clock.sleep(graceMs, grace.signal).then(
        () => kill(folder, 'SIGKILL'),
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
      return execInside(attempt, container.pid, await readProcs(folder), request, clock);
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
    usage: (id) => groupUsage(cgroups, id),
    prune: async (keep) => {
      for (const pod of await podIds(state)) {
        if (!keep.has(pod) && !creating.has(pod)) await removeSandbox(pod);
      }
    },
    stop: async () => {
      stopping.abort();
      await Promise.all([...live.values()].map((entry) => entry.collector.stop()));
      live.clear();
      if ((await podIds(state)).length > 0) return;
      await removeLayers(state);
      await removeParents(cgroups);
    },
  };
}

const missingWhenShared = [
  "all pods run as the agent's own user on the host: supplementalGroups and fsGroup have no effect",
  'limits hold for each process and not for a container: memory counts data alone, processor time is not limited',
  'pods reach each other and the gateway, not other machines; from outside they are reached by kubectl port-forward',
];

async function ensureBase(state: string, hide: readonly string[], shared: boolean): Promise<StartHost['base']> {
  if (shared) return { kind: 'shared', parts: await ensureSharedBase(state, hide) };
  const mask = await ensureMask(state, hide);
  return { kind: 'root', mask, shown: programMounts(readFileSync('/proc/self/mountinfo', 'utf8')) };
}

/** Throws for what this runtime cannot run; says what to do about it. */
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

/**
 * Closes what this process was started with beyond its three standard streams: Node keeps its own files from its
 * children, but not those that it knows nothing of, and a container must not get what the agent's starter held.
 */
function closeInherited(): void {
  const closeOnExec = 0o2000000; // O_CLOEXEC in /proc/PID/fdinfo
  for (const name of readdirSync('/proc/self/fd')) {
    // The folder's own descriptor was listed, too, and is closed by now.
    if (Number(name) <= 2 || !existsSync(`/proc/self/fdinfo/${name}`)) continue;
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1] ?? '0';
    if ((Number.parseInt(flags, 8) & closeOnExec) === 0) closeSync(Number(name));
  }
}

function exitCodeOf(container: Container): number {
  return container.state.kind === 'exited' ? container.state.exitCode : 137;
}

function findTool(name: string): string {
  const found = toolPath.split(':').find((folder) => existsSync(`${folder}/${name}`));
  if (found === undefined) throw new RuntimeError('Unsupported', `${name} is missing: apt-get install util-linux`);
  return `${found}/${name}`;
}
