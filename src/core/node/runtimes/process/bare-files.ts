/**
 * A container's files where no mount can be made: a folder of its own with a link for each volume, at the mount path
 * below that folder. GATEHOUSE_ROOT names the folder. So that ordinary manifests work, words that begin with a mount path
 * are translated: `node /app/api.mjs` runs `node FOLDER/app/api.mjs` when a volume is mounted at /app. Whole words
 * only, and what follows the `=` of an option: texts that a program reads later (scripts for `sh -c`, configuration
 * files) are its own business. Nothing is made outside of the folder: two pods may ask for the same path.
 */
import { existsSync } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ContainerSpec } from '../runtime.ts';
import { RuntimeError } from '../runtime.ts';

/** `word` with a mount path at its beginning, or after the `=` of an option, moved below `root`. Pure. */
export function placeWord(word: string, root: string, mountPaths: readonly string[]): string {
  const option = /^(?<name>-{0,2}[\w.-]+=)(?<value>\/.*)$/s.exec(word)?.groups;
  if (option !== undefined) return `${option['name']}${placePath(option['value'] ?? '', root, mountPaths)}`;
  return placePath(word, root, mountPaths);
}

/** `path` below `root` if it is a mount path or lies below one. Pure. */
export function placePath(path: string, root: string, mountPaths: readonly string[]): string {
  const isBelow = mountPaths.some((mount) => path === mount || path.startsWith(`${mount}/`));
  return isBelow ? `${root}${path}` : path;
}

/** The mount paths of `spec`, without a slash at their end. Throws Unsupported where one lies inside another. */
export function mountPathsOf({ name, mounts }: ContainerSpec): readonly string[] {
  const paths = mounts.map(({ path }) => path.replace(/\/+$/, ''));
  for (const path of paths) {
    const outer = paths.find((other) => path !== other && path.startsWith(`${other}/`));
    if (outer !== undefined)
      throw new RuntimeError(
        'Unsupported',
        `container ${name}: volume ${path} lies inside volume ${outer}, which takes mounts of its own: give it another mountPath, or use a node with isolation`,
      );
  }
  return paths;
}

/** Makes `root` with a link for each volume. Throws InvalidContainer for a volume that is not there. */
export async function linkVolumes(root: string, { name, mounts }: ContainerSpec): Promise<void> {
  await mkdir(root, { mode: 0o700 });
  for (const { path, hostPath, subPath } of mounts) {
    const link = `${root}${path.replace(/\/+$/, '')}`;
    const shown = subPath === undefined ? hostPath : `${hostPath}/${subPath}`; // a link leads no further than the account may go
    if (!existsSync(shown))
      throw new RuntimeError('InvalidContainer', `container ${name}: the source of mount ${path} is missing`);
    await mkdir(dirname(link), { recursive: true, mode: 0o755 });
    await symlink(shown, link);
  }
}
