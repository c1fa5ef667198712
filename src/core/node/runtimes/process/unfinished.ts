/**
 * Starts that an agent left half done because it was killed. Their shims go on by themselves (shim.ts), so a successor
 * waits for the outcome: whether the program has begun is in the attempt's `pid` file, and nowhere else.
 */
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import type { Clock } from '../../../../std/clock.ts';

/** How often a start under way is looked at. */
const lookMs = 20;

/**
 * Whether the attempt in `folder` was started: true at once for one that is complete. Waits for a shim that is still at
 * it, at most `deadlineMs`; then it is killed. After false nothing of the attempt runs or ever will.
 */
export async function wasStarted(folder: string, clock: Clock, deadlineMs: number): Promise<boolean> {
  const isComplete = (): boolean => existsSync(`${folder}/pid`);
  if (isComplete()) return true;
  const until = clock.monotonic() + deadlineMs;
  for (;;) {
    const working = await shimsOf(folder);
    // Looked at after the shim: one that ended in between has written the file, or never will.
    if (isComplete()) return true;
    if (working.length === 0) return false;
    if (clock.monotonic() > until) for (const pid of working) killGroup(pid);
    await clock.sleep(lookMs);
  }
}

/** The processes that were told to work in `folder`: the shim, in every stage of its becoming, has it as an argument. */
async function shimsOf(folder: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''); // it has ended
      return line.split('\0').includes(folder) ? [pid] : [];
    }),
  );
  return found.flat().filter((pid) => pid !== process.pid);
}

/** Kills the group that a shim leads, with the container's first process in it; what is already gone is fine. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ESRCH') throw error; // a member that leads no group goes with its leader
  }
}
