/**
 * What a container sees of files: a private upper layer over the pod's few files over the mask over the host's root, and
 * its volumes. Pure: plans the two tables that `mount -a -T` carries out.
 */
import type { Mount } from '../runtime.ts';

/** The three tables, and the mount targets that must exist as files before the second. */
export interface MountPlan {
  /** Before the change of root: paths are the host's. */
  readonly outside: string;
  /** After it: paths are the container's, and no link can lead out. */
  readonly inside: string;
  readonly files: string;
  /** Between the two: parts of volumes. Paths are the container's, and what each shows is looked at before the second. */
  readonly parts: string;
}

export interface MountRequest {
  /** Folder of the attempt; holds root, upper and work. */
  readonly folder: string;
  /** The mounts that make the root itself: `overlayRoot`, or those of a user namespace (shared.ts). */
  readonly base: readonly string[];
  /** Entries of /proc to make read-only, and to hide: folders and files. */
  readonly proc: {
    readonly readOnly: readonly string[];
    readonly folders: readonly string[];
    readonly files: readonly string[];
  };
  readonly mounts: readonly (Mount & { readonly isFile: boolean })[];
  /** Group that owns terminals, an id of the host. Left out: the user's own. */
  readonly ttyGroup?: number;
}

const quiet = 'nosuid,nodev';

/** The mounts of one container. Volumes go through `.gatehouse/src`, so that no link in a volume is followed on the host. */
export function planMounts(request: MountRequest): MountPlan {
  const root = `${request.folder}/root`;
  const ttyGroup = request.ttyGroup === undefined ? '' : `,gid=${request.ttyGroup}`;
  const outside = [
    ...request.base,
    entry('proc', `${root}/proc`, 'proc', `${quiet},noexec`),
    ...request.proc.readOnly.map((path) => entry(root + path, root + path, 'none', `bind,ro,${quiet},noexec`)),
    ...request.proc.folders.map((path) => entry('tmpfs', root + path, 'tmpfs', `ro,${quiet},noexec,size=0,mode=555`)),
    ...request.proc.files.map((path) => entry('/dev/null', root + path, 'none', 'bind,ro,nosuid,noexec')),
    entry('tmpfs', `${root}/dev/shm`, 'tmpfs', `${quiet},noexec,mode=1777,size=64m`),
    entry('devpts', `${root}/dev/pts`, 'devpts', `newinstance,nosuid,noexec,ptmxmode=666,mode=620${ttyGroup}`),
    ...request.mounts.map(({ hostPath }, index) => entry(hostPath, `${root}${source(index)}`, 'none', `bind,${quiet}`)),
  ];
  // Outer before inner, so that a mount inside another is not hidden by it.
  const ordered = request.mounts
    .map((mount, index) => ({ ...mount, index }))
    .toSorted((a, b) => a.path.split('/').length - b.path.split('/').length);
  const inside = ordered.map(({ path, readOnly, isFile, index, subPath }) =>
    entry(
      subPath === undefined ? source(index) : part(index),
      path,
      'none',
      `bind,${quiet}${readOnly ? ',ro' : ''}${isFile ? '' : ',X-mount.mkdir'}`,
    ),
  );
  // As root the folder is closed to the container's user; where that user owns it, it is covered, last of all.
  if (request.ttyGroup === undefined)
    inside.push(entry('tmpfs', '/.gatehouse', 'tmpfs', `ro,${quiet},noexec,size=4k,mode=000`));
  const files = ordered.filter(({ isFile }) => isFile).map(({ path }) => `${path}\n`);
  const parts = request.mounts.map(({ subPath }, index) =>
    subPath === undefined ? '' : entry(`${source(index)}/${subPath}`, part(index), 'none', `bind,${quiet}`),
  );
  return { outside: outside.join(''), inside: inside.join(''), files: files.join(''), parts: parts.join('') };
}

/**
 * The root as a private layer over `layers` (topmost first) over the host's root. `shown`: folders of the host to see at
 * the same path, read-only: other file systems that hold programs.
 */
export function overlayRoot(folder: string, layers: readonly string[], shown: readonly string[]): string[] {
  const lower = [...layers, '/'].join(':');
  const options = `nosuid,lowerdir=${lower},upperdir=${folder}/upper,workdir=${folder}/work`;
  return [
    entry('overlay', `${folder}/root`, 'overlay', options),
    ...shown.map((path) => entry(path, `${folder}/root${path}`, 'none', `bind,ro,${quiet},X-mount.mkdir`)),
  ];
}

/** Where volume `index` waits inside the container until it is mounted at its path. */
export function source(index: number): string {
  return `/.gatehouse/src/${index}`;
}

/** Where the asked part of volume `index` waits. */
export function part(index: number): string {
  return `/.gatehouse/part/${index}`;
}

/** Kept apart from the containers by the caller's choice of folders: overlay's options cannot hold these characters. */
export function fitsOverlay(folder: string): boolean {
  return !/[,:\\\s"]/.test(folder);
}

/** One line of such a table. */
export function entry(what: string, where: string, type: string, options: string): string {
  return `${[what, where, type, options].map(escapeField).join(' ')} 0 0\n`;
}

/** fstab(5): white space, backslash and # in a field are octal. */
function escapeField(text: string): string {
  return text.replaceAll(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
