import { once } from 'node:events';
import type { Writable } from 'node:stream';

/**
 * Writes all of `source` to `sink`, no faster than `sink` takes it, and leaves `sink` open. Returns early when `signal`
 * aborts. Throws what `source` throws.
 */
export async function pump(source: AsyncIterable<Buffer>, sink: Writable, signal: AbortSignal): Promise<void> {
  for await (const chunk of source) {
    if (signal.aborted) return;
    if (sink.write(chunk)) continue;
    await once(sink, 'drain', { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
