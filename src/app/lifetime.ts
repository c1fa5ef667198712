/** How a process of Gatehouse ends: by SIGINT or SIGTERM, or when the `up` that started it is gone. */
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import type { Running } from '../std/stop.ts';

/** For last words to standard error and to peers. Chosen, not measured. */
const graceMs = 500;

/**
 * Resolves when this process should end. With `followParent` also when standard input closes: `gatehouse up` holds the
 * other end, so its children never outlive it.
 */
export async function untilTold(options: { readonly followParent: boolean }): Promise<'signal' | 'orphaned'> {
  const why = await new Promise<'signal' | 'orphaned'>((resolve) => {
    process.once('SIGINT', () => resolve('signal'));
    process.once('SIGTERM', () => resolve('signal'));
    if (!options.followParent) return;
    process.stdin.resume();
    for (const event of ['end', 'error', 'close']) process.stdin.once(event, () => resolve('orphaned'));
  });
  if (options.followParent) process.stdin.destroy(); // open, it would keep this process alive
  return why;
}

/** Ends this process, whose work is done, even if something forgot to close what it had open. */
export function leave(clock: Clock, log: Logger): void {
  clock.after(graceMs, () => {
    log.debug('something was left open');
    process.exit();
  });
}

/** Stops `parts`, the last one first; a part that fails to stop does not keep the others. Answers what failed. */
export async function stopAll(parts: readonly Running[]): Promise<readonly unknown[]> {
  const failures: unknown[] = [];
  for (const part of parts.toReversed()) {
    try {
      await part.stop();
    } catch (error) {
      failures.push(error);
    }
  }
  return failures;
}
