import type { Readable } from 'node:stream';
import type { StreamAnswer } from '../inbound.ts';

/** `log` as an answer that ends with the log, or with `signal`: a quiet log that is followed must not outlive its reader. */
export function logAnswer(log: Readable, signal: AbortSignal): StreamAnswer {
  return { kind: 'stream', code: 200, contentType: 'text/plain', frames: until(log, signal) };
}

async function* until(log: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const stop = (): void => {
    log.destroy();
  };
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    for await (const chunk of log) if (Buffer.isBuffer(chunk)) yield chunk;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}
