/**
 * A container's files where this process is root of a user namespace only (an ordinary user's node): no overlay of the
 * host's whole root is possible there, and no device can be made. So a container's root is a folder of its own with
 * the host's program folders laid into it, a copy of /etc that was made once per node, and the host's few devices bound.
 * Nothing else of the host is in sight, so there is nothing to mask but what lies inside those folders.
 */
import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { chmod, mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Mount } from '../runtime.ts';
import { deviceNames, maskedIn } from './layers.ts';
import { entry } from './mounts.ts';
import { run } from './run.ts';

/** What every container of this node is built from. */
export interface SharedBase {
  /** The copy of /etc. */
  readonly etc: string;
  /** Folders of the host that hold programs. `overlay`: a container gets a layer of its own over it. */
  readonly programs: readonly { readonly path: string; readonly overlay: boolean }[];
  /** Links of the host's root to such folders. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
  /** Folders inside program folders that no container may see. */
  readonly hide: readonly string[];
}

/** Whether the ids of this process are those of a user namespace that has not all of the host's. */
export function isInUserNamespace(): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
}

// Arguments: a folder of ours, then a lower layer.
const tryOverlay = `
set -e
mount -i -t overlay -o "userxattr,lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
umount "$1/root"
`;

const tryProc = `
set -e
mount -i -t proc proc "$1/root"
umount "$1/root"
mount -i -t devpts -o newinstance,ptmxmode=666 devpts "$1/root"
`;

/** Makes what is missing below `folder`/layers. Rejects where this system denies one of the mounts that it takes. */
export async function ensureSharedBase(folder: string, hide: readonly string[]): Promise<SharedBase> {
  const layers = `${folder}/layers`;
  const trial = `${layers}/trial`;
  const etc = `${layers}/etc`;
  await mkdir(`${layers}/pods`, { recursive: true, mode: 0o755 });
  await rm(trial, { recursive: true, force: true });
  for (const name of ['upper', 'work', 'root']) await mkdir(`${trial}/${name}`, { recursive: true });
  if (!existsSync(`${etc}.done`)) {
    await rm(etc, { recursive: true, force: true });
    await mkdir(etc);
    // What an ordinary user may not read is not copied, and not missed.
    await run(['sh', '-c', 'cp -dR /etc/. "$1" 2>/dev/null || :', 'copy', etc]);
    for (const path of maskedIn('/etc')) await rm(etc + path.slice('/etc'.length), { recursive: true, force: true });
    for (const path of hide.filter((each) => each.startsWith('/etc/')))
      await rm(etc + path.slice('/etc'.length), { recursive: true, force: true });
    await writeFile(`${etc}.done`, '');
  }
  const isolated = ['unshare', '--mount', '--propagation', 'private'];
  await run([...isolated, '--pid', '--fork', 'sh', '-c', tryProc, 'try', trial]);
  await run([...isolated, 'sh', '-c', tryOverlay, 'try', trial, etc]);
  const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8');
  const names = readdirSync('/').filter((name) => /^(?:usr|opt|nix|gnu|snap|bin|sbin|lib\w*)$/.test(name));
  const programs: SharedBase['programs'][number][] = [];
  const links: SharedBase['links'][number][] = [];
  for (const path of names.map((name) => `/${name}`)) {
    const found = lstatSync(path);
    if (found.isSymbolicLink()) links.push({ path, target: readlinkSync(path) });
    if (!found.isDirectory()) continue;
    const whole = !mountinfo.split('\n').some((line) => line.split(' ')[4]?.startsWith(`${path}/`));
    const overlay =
      whole &&
      (await run([...isolated, 'sh', '-c', tryOverlay, 'try', trial, path]).then(
        () => true,
        () => false, // then it is bound as it is
      ));
    programs.push({ path, overlay });
  }
  await rm(trial, { recursive: true, force: true });
  const inside = hide
    .filter((path) => existsSync(path))
    .map((path) => realpathSync(path))
    .filter((path) => programs.some((program) => path.startsWith(`${program.path}/`)));
  return { etc, programs, links, hide: inside };
}

/** Fills `folder`/upper, the container's root, and returns the mounts that complete it, for `planMounts`. */
export async function sharedRoot(
  base: SharedBase,
  folder: string,
  podFiles: string,
  mounts: readonly Mount[],
): Promise<readonly string[]> {
  const upper = `${folder}/upper`;
  const root = `${folder}/root`;
  for (const [path, mode] of ownFolders) {
    await mkdir(upper + path, { recursive: true });
    await chmod(upper + path, mode);
  }
  const links = [...base.links, ...ownLinks];
  for (const { path, target } of links) await symlink(target, upper + path);
  for (const name of deviceNames) await writeFile(`${upper}/dev/${name}`, '');
  const parts = [
    ...base.programs.map((program) => ({ ...program, lower: program.path })),
    { path: '/etc', overlay: true, lower: `${podFiles}/etc:${base.etc}` },
  ];
  const entries = [entry(upper, root, 'none', 'bind,nosuid,nodev')];
  for (const { path, overlay, lower } of parts) {
    await mkdir(upper + path, { recursive: true, mode: 0o755 });
    if (!overlay) {
      entries.push(entry(path, root + path, 'none', 'rbind,nosuid'));
      continue;
    }
    const part = `${folder}/parts${path}`;
    for (const name of ['upper', 'work']) await mkdir(`${part}/${name}`, { recursive: true, mode: 0o755 });
    for (const mount of mounts) await makeTarget(`${part}/upper`, path, dirname(mount.path));
    const options = `userxattr,nosuid,nodev,lowerdir=${lower},upperdir=${part}/upper,workdir=${part}/work`;
    entries.push(entry('overlay', root + path, 'overlay', options));
  }
  return [
    ...entries,
    ...base.hide.map((path) => entry('tmpfs', root + path, 'tmpfs', 'ro,nosuid,nodev,noexec,size=0,mode=555')),
    ...deviceNames.map((name) => entry(`/dev/${name}`, `${root}/dev/${name}`, 'none', 'bind,nosuid,noexec')),
  ];
}

/** Folders of a container that are its own and empty. */
const ownFolders: readonly (readonly [string, number])[] = [
  ['/dev/pts', 0o755],
  ['/dev/shm', 0o755],
  ['/dev', 0o755],
  ['/home', 0o755],
  ['/mnt', 0o755],
  ['/proc', 0o555],
  ['/root', 0o755],
  ['/run/lock', 0o755],
  ['/run', 0o755],
  ['/srv', 0o755],
  ['/sys', 0o555],
  ['/tmp', 0o1777],
  ['/var/cache', 0o755],
  ['/var/lib', 0o755],
  ['/var/log', 0o755],
  ['/var/tmp', 0o1777],
  ['/var', 0o755],
];

const ownLinks = [
  { path: '/var/run', target: '/run' },
  { path: '/var/lock', target: '/run/lock' },
  { path: '/dev/ptmx', target: 'pts/ptmx' },
  { path: '/dev/fd', target: '/proc/self/fd' },
  { path: '/dev/stdin', target: '/proc/self/fd/0' },
  { path: '/dev/stdout', target: '/proc/self/fd/1' },
  { path: '/dev/stderr', target: '/proc/self/fd/2' },
];

/**
 * The folder that a volume at `path` is to be made in, prepared in the layer over `base`: inside the overlay a folder
 * of the host's root could not be written to. Stops at links: what lies behind them is not in this layer.
 */
async function makeTarget(layer: string, base: string, path: string): Promise<void> {
  if (base === '/etc' || !path.startsWith(`${base}/`)) return;
  let below = '';
  for (const part of path.slice(base.length + 1).split('/')) {
    below += `/${part}`;
    const there = await stat(base + below).catch(() => undefined);
    if (there !== undefined && (!there.isDirectory() || lstatSync(base + below).isSymbolicLink())) return;
    if (existsSync(layer + below)) continue;
    await mkdir(layer + below);
    await chmod(layer + below, (there?.mode ?? 0o755) & 0o755);
  }
}
