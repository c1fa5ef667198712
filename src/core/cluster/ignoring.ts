import { failedWith } from '../../api/status.ts';
import type { Reason } from '../../api/status.ts';

/**
 * What `run` answers, or undefined when it fails with one of `reasons`: the object is gone, was there already, or was
 * changed by somebody else, and that is as good as done. Throws every other failure.
 */
export async function ignoring<T>(reasons: readonly Reason[], run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (failedWith(error, ...reasons)) return undefined;
    throw error;
  }
}
