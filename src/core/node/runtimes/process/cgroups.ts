/**
 * Limits and measurements by cgroup, version 1 (a tree for each controller) or 2 (one tree). Our groups lie below the
 * group this process is in (version 1), or below the root (version 2, where a group that holds processes can have no
 * limited children). One group for each attempt.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../../../std/clock.ts';
import type { ContainerLimits, Usage } from '../runtime.ts';

/** Where groups can be made. `parents` holds the folder to make them in for each controller. */
export type Cgroups =
  | { readonly kind: 'v1'; readonly parents: Readonly<Record<string, string>> }
  | { readonly kind: 'v2'; readonly parents: Readonly<Record<string, string>> }
  | { readonly kind: 'none'; readonly parents: Readonly<Record<string, string>>; readonly why: string };

const wanted = ['memory', 'cpu', 'cpuacct', 'pids'];

/** One file of a group and what to write there. */
export interface LimitWrite {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
}

/** Finds where cgroups can be used, by making one. `name` is the folder below which all of ours are. */
export async function findCgroups(name: string): Promise<Cgroups> {
  try {
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    const own = await readFile('/proc/self/cgroup', 'utf8');
    const found = cgroupParents(mounts, own);
    if (found.kind === 'none') return found;
    const parents: Record<string, string> = {};
    for (const [controller, folder] of Object.entries(found.parents)) {
      if (found.kind === 'v2') await writeFile(`${folder}/cgroup.subtree_control`, '+memory +cpu +pids');
      await mkdir(`${folder}/${name}`, { recursive: true });
      if (found.kind === 'v2') await writeFile(`${folder}/${name}/cgroup.subtree_control`, '+memory +cpu +pids');
      // The folder may be there from before and be somebody else's.
      await mkdir(`${folder}/${name}/trial`, { recursive: true });
      await rmdir(`${folder}/${name}/trial`);
      parents[controller] = `${folder}/${name}`;
    }
    return { kind: found.kind, parents };
  } catch (error) {
    return { kind: 'none', parents: {}, why: `cgroups cannot be used: ${String(error)}` };
  }
}

/** From the texts of /proc/self/mountinfo and /proc/self/cgroup: the folders below which groups go. */
export function cgroupParents(mountinfo: string, own: string): Cgroups {
  const parents: Record<string, string> = {};
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const folder = before.split(' ')[4] ?? '';
    const [type, , options = ''] = after.split(' ');
    if (type === 'cgroup2') unified ??= folder;
    if (type !== 'cgroup') continue;
    for (const controller of options.split(',').filter((option) => wanted.includes(option))) {
      const path = own.split('\n').find((row) => row.split(':')[1]?.split(',').includes(controller));
      const inside = path?.split(':').slice(2).join(':') ?? '/';
      parents[controller] = inside === '/' || !existsSync(folder + inside) ? folder : folder + inside;
    }
  }
  if (parents['memory'] !== undefined) return { kind: 'v1', parents };
  if (unified !== undefined) return { kind: 'v2', parents: { unified } };
  return { kind: 'none', parents: {}, why: 'no cgroup file system is mounted' };
}

/** What to write for `limits`. Pure. */
export function limitWrites(kind: Cgroups['kind'], limits: ContainerLimits): LimitWrite[] {
  const { memoryBytes, cpuMillis, pids } = limits;
  const writes: LimitWrite[] = [];
  const put = (controller: string, file: string, value: number | string): number =>
    writes.push({ controller: kind === 'v2' ? 'unified' : controller, file, value: String(value) });
  const periodUs = 100_000;
  if (kind === 'v1') {
    if (memoryBytes !== undefined) put('memory', 'memory.limit_in_bytes', memoryBytes);
    if (cpuMillis !== undefined) {
      put('cpu', 'cpu.cfs_period_us', periodUs);
      put('cpu', 'cpu.cfs_quota_us', Math.max(1000, Math.round((cpuMillis * periodUs) / 1000)));
    }
    if (pids !== undefined) put('pids', 'pids.max', pids);
  } else if (kind === 'v2') {
    if (memoryBytes !== undefined) {
      put('memory', 'memory.max', memoryBytes);
      put('memory', 'memory.swap.max', 0);
      put('memory', 'memory.oom.group', 1);
    }
    if (cpuMillis !== undefined) {
      put('cpu', 'cpu.max', `${Math.max(1000, Math.round((cpuMillis * periodUs) / 1000))} ${periodUs}`);
    }
    if (pids !== undefined) put('pids', 'pids.max', pids);
  }
  return writes;
}

/** Makes the group of one attempt with its limits; returns the files to write a process id to. */
export async function createGroup(cgroups: Cgroups, id: string, limits: ContainerLimits): Promise<string[]> {
  for (const folder of groupFolders(cgroups, id)) await mkdir(folder, { recursive: true });
  for (const { controller, file, value } of limitWrites(cgroups.kind, limits)) {
    const parent = cgroups.parents[controller];
    // Without swap accounting memory.swap.max does not exist: there is nothing to limit.
    if (parent !== undefined && (file !== 'memory.swap.max' || existsSync(`${parent}/${id}/${file}`))) {
      await writeFile(`${parent}/${id}/${file}`, value);
    }
  }
  return groupProcs(cgroups, id);
}

/** The files to write a process id to so that it is in the group of `id`. */
export function groupProcs(cgroups: Cgroups, id: string): string[] {
  return groupFolders(cgroups, id).map((folder) => `${folder}/cgroup.procs`);
}

/**
 * Removes the group that `procs` (of createGroup) belong to, once its last process is gone; waits at most five seconds
 * for that.
 */
export async function removeGroup(procs: readonly string[], clock: Clock): Promise<void> {
  const end = clock.monotonic() + 5000;
  for (const folder of procs.map((path) => dirname(path))) {
    for (;;) {
      try {
        await rmdir(folder);
        break;
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined;
        if (code === 'ENOENT') break;
        if (code !== 'EBUSY' || clock.monotonic() > end) throw error;
        await clock.sleep(10);
      }
    }
  }
}

/** Removes the folders that `findCgroups` made, where nothing is in them any more. */
export async function removeParents(cgroups: Cgroups): Promise<void> {
  for (const folder of new Set(Object.values(cgroups.parents))) {
    await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EBUSY' && error.code !== 'ENOENT' && error.code !== 'ENOTEMPTY') throw error;
    });
  }
}

/** What the group of `id` uses, or undefined when it is not measured here. */
export async function groupUsage(cgroups: Cgroups, id: string): Promise<Usage | undefined> {
  const number = (text: string, key?: string): number => {
    const row = key === undefined ? text : text.split('\n').find((line) => line.startsWith(`${key} `));
    return Number(row?.split(' ').at(-1) ?? 0);
  };
  const read = (controller: string, file: string): Promise<string> =>
    readFile(`${cgroups.parents[controller] ?? ''}/${id}/${file}`, 'utf8');
  try {
    if (cgroups.kind === 'v1') {
      const used = number(await read('memory', 'memory.usage_in_bytes'));
      const idle = number(await read('memory', 'memory.stat'), 'total_inactive_file');
      const cpu = number(await read('cpuacct', 'cpuacct.usage'));
      return { cpuNanoseconds: cpu, workingSetBytes: Math.max(0, used - idle) };
    }
    if (cgroups.kind === 'v2') {
      const used = number(await read('unified', 'memory.current'));
      const idle = number(await read('unified', 'memory.stat'), 'inactive_file');
      const cpu = number(await read('unified', 'cpu.stat'), 'usage_usec') * 1000;
      return { cpuNanoseconds: cpu, workingSetBytes: Math.max(0, used - idle) };
    }
    return undefined;
  } catch {
    return undefined; // it ended while we read: there is nothing to measure any more
  }
}

function groupFolders(cgroups: Cgroups, id: string): string[] {
  return [...new Set(Object.values(cgroups.parents))].map((parent) => `${parent}/${id}`);
}
