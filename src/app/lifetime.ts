/** How a process of Gatehouse ends: by SIGINT or SIGTERM, or when the `up` that started it is gone. */
import type { Running } from '../std/stop.ts';

/**
 * Resolves when this process should end. With `followParent` also when standard input closes: `gatehouse up` holds the
 * other end, so its children never outlive it.
 */
export function untilTold(options: { readonly followParent: boolean }): Promise<'signal' | 'orphaned'> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve('signal'));
    process.once('SIGTERM', () => resolve('signal'));
    if (!options.followParent) return;
    process.stdin.resume();
    process.stdin.once('end', () => resolve('orphaned'));
    process.stdin.once('error', () => resolve('orphaned'));
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
