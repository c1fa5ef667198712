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
  const session = await runtime.exec(id, { command, stdin: false, tty: false });
  const end = (): void => session.close();
  signal.addEventListener('abort', end, { once: true });
  try {
    const [out, error, code] = await Promise.all([collect(session.stdout), collect(session.stderr), session.exit]);
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
