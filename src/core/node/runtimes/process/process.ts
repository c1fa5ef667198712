/**
 * The `process` runtime: a container is a program of the host. As root, each pod has namespaces and ids of its own
 * (shim.ts says how a container comes to be; state.ts what is kept), and who may create a pod has the rights of
 * "others" on the host's files and none on its processes, devices, mounts and networks.
 *
 * Not limited: disk space. Not shown: /sys. The program as process 1 must reap what it orphans, as in any container.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import type { Clock } from '../../../../std/clock.ts';
import type { Logger } from '../../../../std/log.ts';
import type { Isolation, Runtime, Sandbox, SandboxSpec } from '../runtime.ts';
import { RuntimeError } from '../runtime.ts';
import { findCgroups, groupProcs, groupUsage, removeGroup, removeParents } from './cgroups.ts';
import { createDialer } from './dialer.ts';
import { execInside } from './exec.ts';
import { closeInherited } from './inherited.ts';
import { keepAttempts } from './keeper.ts';
import { ensureMask, podLayer, programMounts, removeLayers, writePodLayer } from './layers.ts';
import { fitsOverlay } from './mounts.ts';
import { createNetwork, hostInterface, netFile, removeNetwork } from './network.ts';
import { findTool } from './run.ts';
import { ensureSharedBase, isInUserNamespace } from './shared.ts';
import type { StartHost } from './start.ts';
import { startAttempt } from './start.ts';
import { isAlive, podFolder, podIds, readProcess, readProcs, readSandbox, writeJson } from './state.ts';

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
      'isolated containers need root or user namespaces on Linux: run as root, or give --isolation none (programs with all that this account may do) or --runtime hollow',
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
    setpriv: neededTool('setpriv'),
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
  const dialer = createDialer(clock);
  const runtime = await keepAttempts(
    {
      isolation,
      makeSandbox,
      dropSandbox: async (pod, sandbox) => {
        dialer.release(pod);
        await removeNetwork(`${podFolder(state, pod)}/ns`, pod);
        await rm(podLayer(state, pod), { recursive: true, force: true });
        if (sandbox !== undefined) reserved.delete(sandbox.idOffset);
      },
      check: () => {},
      start: (sandbox, spec, folder) => startAttempt(host, sandbox, spec, folder),
      // Its process 1 takes all others of its PID namespace along.
      kill: async (_id, folder, signal) => {
        const target = await readProcess(folder);
        if (target !== undefined && (await isAlive(target))) process.kill(target.pid, signal);
      },
      // An agent that was killed may have made the group and not written down where it is.
      free: async (id, folder) => removeGroup([...groupProcs(cgroups, id), ...(await readProcs(folder))], clock),
      exec: async ({ attempt, pid, folder }, request) =>
        execInside(attempt, pid, await readProcs(folder), request, clock),
      dial: ({ id, spec }, port) => dialer.dial(id, netFile(`${podFolder(state, id)}/ns`, spec.network), port),
      usage: (id) => groupUsage(cgroups, id),
      close: async () => {
        await removeLayers(state);
        await removeParents(cgroups);
      },
    },
    { state, clock, log },
  );
  return {
    ...runtime,
    stop: async () => {
      dialer.stop();
      await runtime.stop();
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

function neededTool(name: string): string {
  const found = findTool(name);
  if (found === undefined) throw new RuntimeError('Unsupported', `${name} is missing: apt-get install util-linux`);
  return found;
}
