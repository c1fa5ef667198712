/**
 * The layers between the host's root and a container's own: the mask, made once per node, which hides what is the host's
 * business (homes, keys, state, other pods) and brings a minimal /dev; and each pod's own hosts, resolv.conf and hostname.
 * They live on a tmpfs, because overlay refuses a lower layer that lies inside another one (the host's root).
 */
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { run } from './run.ts';

/** Emptied: a container finds a folder of this mode there, and nothing in it. */
const emptied: Readonly<Record<string, string>> = {
  '/boot': '755',
  '/dev': '755',
  '/home': '755',
  '/media': '755',
  '/mnt': '755',
  '/proc': '555',
  '/root': '755',
  '/run': '755',
  '/srv': '755',
  '/sys': '555',
  '/tmp': '1777',
  '/lost+found': '755',
  '/etc/ssh': '755',
  '/etc/ssl/private': '755',
  '/etc/sudoers.d': '755',
  '/etc/kubernetes': '755',
  '/etc/NetworkManager': '755',
  '/etc/wireguard': '755',
  '/var/backups': '755',
  '/var/cache': '755',
  '/var/crash': '755',
  '/var/lib': '755',
  '/var/log': '755',
  '/var/mail': '755',
  '/var/opt': '755',
  '/var/spool': '755',
  '/var/tmp': '1777',
};

/** Gone: files that hold what lets one in. */
const hidden = ['/etc/shadow', '/etc/shadow-', '/etc/gshadow', '/etc/gshadow-', '/etc/sudoers', '/etc/crypttab'];

/** Character devices as any container has them: name, major, minor. */
const devices = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
] as const;

/** Names in /dev of the devices that any container has. */
export const deviceNames: readonly string[] = devices.map(([name]) => name);

/** What of the host no container may see below `folder`. */
export function maskedIn(folder: string): string[] {
  return [...Object.keys(emptied), ...hidden].filter((path) => path.startsWith(`${folder}/`));
}

// A whiteout over which a folder is made becomes an opaque folder: it hides all that lies below it.
const buildMask = `
set -e
base=$1
mount -t overlay -o "lowerdir=/,upperdir=$base/mask,workdir=$base/work" overlay "$base/merged"
cd "$base/merged"
shift
while [ "$#" -gt 0 ]; do mkdir -p -m "$1" ".$2"; shift 2; done
mkdir -p -m 755 dev/pts dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
cd /
umount "$base/merged"
`;

/** The mask of this node, made where it is not there yet. `hide`: further folders that no container may see. */
export async function ensureMask(folder: string, hide: readonly string[]): Promise<string> {
  const base = `${folder}/layers`;
  const done = `${base}/done`;
  const wanted = [...hide].toSorted().join('\n');
  if (existsSync(done) && (await readFile(done, 'utf8')) === wanted) return `${base}/mask`;
  await removeLayers(folder);
  await mkdir(base, { recursive: true, mode: 0o700 });
  await run(['mount', '-i', '-t', 'tmpfs', '-o', 'mode=700,size=64m,nosuid', 'gatehouse', base]);
  await Promise.all(['mask', 'work', 'merged', 'pods'].map((name) => openFolder(`${base}/${name}`, 0o755)));
  const modes = new Map(Object.entries(emptied).filter(([path]) => existsSync(path)));
  for (const path of ['/tmp', '/proc', '/dev', '/sys', '/run']) modes.set(path, emptied[path] ?? '755');
  for (const path of hide) modes.set(await realpath(path), '755');
  const folders = withoutNested([...modes.keys()]);
  for (const path of [...folders, ...hidden]) await whiteOut(`${base}/mask`, path);
  const pairs = folders.flatMap((path) => [modes.get(path) ?? '755', path]);
  await run(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', buildMask, 'mask', base, ...pairs]);
  for (const [name, major, minor] of devices) {
    await run(['mknod', '-m', '666', `${base}/mask/dev/${name}`, 'c', String(major), String(minor)]);
  }
  await writeFile(done, wanted, { mode: 0o600 });
  return `${base}/mask`;
}

/** Unmounts what `ensureMask` made. Containers that run keep what they have. */
export async function removeLayers(folder: string): Promise<void> {
  const base = `${folder}/layers`;
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  if (table.split('\n').some((line) => line.split(' ')[4] === base)) await run(['umount', '-l', base]);
  await rm(base, { recursive: true, force: true });
}

/** The files of one pod as a layer; returns its folder. */
export async function writePodLayer(
  folder: string,
  pod: string,
  files: { readonly hosts: string; readonly resolvConf: string; readonly hostname: string },
): Promise<string> {
  const layer = podLayer(folder, pod);
  await mkdir(`${layer}/etc`, { recursive: true });
  for (const each of [layer, `${layer}/etc`]) await chmod(each, 0o755);
  const texts = { hosts: files.hosts, 'resolv.conf': files.resolvConf, hostname: `${files.hostname}\n` };
  for (const [name, text] of Object.entries(texts)) {
    await writeFile(`${layer}/etc/${name}`, text);
    await chmod(`${layer}/etc/${name}`, 0o644);
  }
  return layer;
}

/** Where `writePodLayer` puts a pod's files. */
export function podLayer(folder: string, pod: string): string {
  return `${folder}/layers/pods/${pod}`;
}

/**
 * File systems of the host that hold programs and are not its root's: an overlay of / shows only empty folders there.
 * `mountinfo` is the text of /proc/self/mountinfo.
 */
export function programMounts(mountinfo: string): string[] {
  const paths = mountinfo.split('\n').map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '));
  return [...new Set(paths)].filter((path) => /^\/(?:usr|opt|nix|gnu|snap|bin|sbin|lib\w*)(?:\/|$)/.test(path));
}

async function whiteOut(mask: string, path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  await mkdirLikeHost(mask, dirname(path));
  await run(['mknod', mask + path, 'c', '0', '0']);
}

/** A folder that is in two layers has the upper one's mode: it must be the host's. */
async function mkdirLikeHost(mask: string, path: string): Promise<void> {
  if (path === '/' || existsSync(mask + path)) return;
  await mkdirLikeHost(mask, dirname(path));
  await openFolder(mask + path, (await stat(path)).mode & 0o755);
}

/** A new folder with exactly this mode: containers walk through it, so the agent's umask must not close it. */
async function openFolder(path: string, mode: number): Promise<void> {
  await mkdir(path);
  await chmod(path, mode);
}

function withoutNested(paths: readonly string[]): string[] {
  return paths.filter((path) => !paths.some((other) => other !== path && path.startsWith(`${other}/`)));
}
