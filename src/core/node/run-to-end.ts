import type { Readable } from 'node:stream';
import type { Runtime } from './runtimes/runtime.ts';

// As much of a probe's output as upstream keeps.
const keptBytes = 10 * 1024;

/** Runs `command` in the container `id`; its exit code and the first 10 KiB of what it printed. Ends it when `signal` aborts. */
export async function runToEnd(
  runtime: Runtime,
  id: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly code: number; readonly output: string }> {
  signal.throwIfAborted();
  const session = await runtime.exec(id, { command, stdin: false, tty: false });
  let end = (): void => {};
  // A program that does not even end when it is told to costs its caller no more than the deadline.
  const aborted = new Promise<never>((_resolve, reject) => {
    end = () => {
      session.close();
      reject(signal.reason);
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
  try {
    const all = Promise.all([collect(session.stdout), collect(session.stderr), session.exit]);
    const [out, error, code] = await Promise.race([all, aborted]);
    signal.throwIfAborted();
    return { code, output: `${out}${error}` };
  } finally {
    signal.removeEventListener('abort', end);
  }
}

async function collect(stream: Readable): Promise<string> {
  let kept = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) if (kept.length < keptBytes) kept += String(chunk);
  return kept.slice(0, keptBytes);
}
