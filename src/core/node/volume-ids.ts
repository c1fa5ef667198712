/**
 * What a pod left in its volumes belongs to ids of the range that its sandbox had. A sandbox that is made anew, after the
 * machine or the node was stopped, may have another range: then what is there moves into it.
 */
import { lchown, lstat, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** How many ids a range has. See Sandbox.idOffset. */
const rangeSize = 65_536;

/**
 * Moves all in `folders` that belongs to the range noted in `note` to the range from `offset` on, and notes that. To be called
 * while no container of the pod runs: nobody may change folders meanwhile. Safe to run again after a crash in the middle.
 */
export async function moveToRange(note: string, folders: readonly string[], offset: number): Promise<void> {
  const before = Number.parseInt(await readFile(note, 'utf8').catch(() => ''), 10); // none: the first time
  if (before === offset) return;
  if (Number.isSafeInteger(before)) for (const folder of folders) await shift(folder, before, offset);
  await writeFile(note, `${offset}\n`, { mode: 0o600 });
}

async function shift(path: string, from: number, to: number): Promise<void> {
  const found = await lstat(path);
  const moved = (id: number): number => (id >= from && id < from + rangeSize ? id - from + to : id);
  const [uid, gid] = [moved(found.uid), moved(found.gid)];
  if (uid !== found.uid || gid !== found.gid) await lchown(path, uid, gid);
  if (found.isDirectory()) for (const name of await readdir(path)) await shift(join(path, name), from, to);
}
