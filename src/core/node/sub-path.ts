/**
 * The part of a volume that a mount shows. What the containers of a pod wrote into a volume is theirs to turn against
 * the node: a link there must not make it create or show anything of the host. So folders are made from one open folder to the next,
 * never through a link; that what is shown lies in the volume is the runtime's to make sure (Mount.subPath).
 */
import { constants, existsSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { VolumeMount } from '../../api/types/core.ts';
import { expand, referenced } from './environment.ts';
import { RuntimeError } from './runtimes/runtime.ts';
import type { PreparedVolume } from './volumes.ts';

/**
 * The part of its volume that `mount` asks for, '' for all of it; subPathExpr with the values of `env`. Throws
 * CreateContainerConfigError for a value that is not there, and for a path that does not go down.
 */
export function subPathOf(mount: VolumeMount, env: ReadonlyMap<string, string>): string {
  const { subPathExpr, subPath = '' } = mount;
  const unknown = referenced(subPathExpr ?? '').find((name) => !env.has(name));
  if (unknown !== undefined) throw refused(mount, `there is no value for ${unknown}`);
  const path = subPathExpr === undefined || subPathExpr === '' ? subPath : expand(subPathExpr, env);
  if (path.startsWith('/')) throw refused(mount, `${path} is not relative`);
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refused(mount, `${path} contains ..`);
  return parts.join('/');
}

function refused({ mountPath }: VolumeMount, why: string): RuntimeError {
  return new RuntimeError('CreateContainerConfigError', `subPath of volumeMount ${mountPath}: ${why}`);
}

/**
 * Makes the folders of `subPath` that are missing in a volume that can be written to, for everyone like the volume itself.
 * In one that shows objects the part has to be there: throws CreateContainerConfigError.
 */
export async function makeSubPath({ name, hostPath, live, owner }: PreparedVolume, subPath: string): Promise<void> {
  if (live) {
    if (existsSync(join(hostPath, subPath))) return;
    throw new RuntimeError('CreateContainerConfigError', `volume ${name} has no ${subPath} that subPath could show`);
  }
  if (process.platform !== 'linux') return;
  let folder = await open(hostPath, asFolder);
  try {
    for (const part of subPath.split('/')) {
      const path = `/proc/self/fd/${folder.fd}/${part}`;
      const made = await mkdir(path).then(
        () => true,
        () => false, // it is there, or the next line says why not
      );
      const next = await open(path, asFolder).catch(notAFolder);
      if (next === undefined) return; // a file or a link: nothing to make
      await folder.close();
      folder = next;
      if (!made) continue;
      if (owner !== undefined) await folder.chown(owner.uid, owner.gid);
      await folder.chmod(owner?.groupReads === true ? 0o2777 : 0o777);
    }
  } finally {
    await folder.close();
  }
}

const asFolder = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

function notAFolder(error: unknown): FileHandle | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOTDIR' || code === 'ELOOP') return undefined;
  throw error;
}
