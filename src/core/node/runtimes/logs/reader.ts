/** Reads a container's log as `kubectl logs` shows it. */
import { watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { deadline, parseInstant } from '../../../../std/clock.ts';
import type { LogOptions } from '../runtime.ts';
import type { LogEntry } from './cri-log.ts';
import { parseEntry, splitLines } from './cri-log.ts';

const chunkBytes = 256 * 1024;
/** How often to look for more when nothing tells of changes. */
const lookAnywayMs = 500;

/**
 * The bytes of `folder`/log (and of log.1 before it) that `options` ask for. With `follow` goes on until `ended()` and
 * all is read, or until `signal` aborts, which ends it without an error.
 */
export async function* readLogFolder(
  folder: string,
  options: LogOptions,
  ended: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  const state = { lineStarts: true };
  const show = (entry: LogEntry): Buffer | undefined => {
    if (options.sinceTime !== undefined && (parseInstant(entry.time) ?? 0) < options.sinceTime) return undefined;
    const bytes = render(entry, options.timestamps === true && state.lineStarts).subarray(0, left);
    state.lineStarts = entry.full;
    left -= bytes.length;
    return bytes;
  };

  const file = new LogFile(folder);
  try {
    const past = options.tailLines === undefined ? file.entries() : lastLines(file.entries(), options.tailLines);
    for await (const entry of past) {
      const bytes = show(entry);
      if (bytes !== undefined && bytes.length > 0) yield bytes;
      if (left <= 0 || signal.aborted) return;
    }
    while (options.follow === true && !signal.aborted) {
      const last = ended();
      for await (const entry of file.entries()) {
        const bytes = show(entry);
        if (bytes !== undefined && bytes.length > 0) yield bytes;
        if (left <= 0 || signal.aborted) return;
      }
      if (last) return;
      await changed(folder, signal);
    }
  } finally {
    await file.close();
  }
}

/** Remembers how far it has read, across a rotation. */
class LogFile {
  readonly #folder: string;
  #file: Awaited<ReturnType<typeof open>> | undefined;
  #position = 0;
  #rest = Buffer.alloc(0);
  #startedWithOld = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Entries not read yet, oldest first. */
  async *entries(): AsyncGenerator<LogEntry, void, void> {
    if (!this.#startedWithOld) {
      this.#startedWithOld = true;
      this.#file = await open(`${this.#folder}/log.1`, 'r').catch(() => undefined);
    }
    for (;;) {
      yield* this.#toEnd();
      const next = await open(`${this.#folder}/log`, 'r').catch(() => undefined);
      if (next === undefined) return;
      const [now, then] = [await next.stat(), await this.#file?.stat()];
      if (then !== undefined && now.ino === then.ino) {
        await next.close();
        return;
      }
      yield* this.#toEnd(); // what came between the last look and the rotation
      await this.#file?.close();
      this.#file = next;
      this.#position = 0;
      this.#rest = Buffer.alloc(0);
    }
  }

  async *#toEnd(): AsyncGenerator<LogEntry, void, void> {
    while (this.#file !== undefined) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await this.#file.read(chunk, 0, chunkBytes, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      const { lines, rest } = splitLines(Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]));
      this.#rest = Buffer.from(rest);
      for (const line of lines) {
        const entry = parseEntry(line);
        if (entry !== undefined) yield entry;
      }
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}

/** The entries of the last `count` lines; parts of a line count once. */
async function* lastLines(entries: AsyncIterable<LogEntry>, count: number): AsyncGenerator<LogEntry, void, void> {
  let lines: LogEntry[][] = [];
  let line: LogEntry[] = [];
  for await (const entry of entries) {
    line.push(entry);
    if (!entry.full) continue;
    lines.push(line);
    line = [];
    if (lines.length > 2 * count + 64) lines = count === 0 ? [] : lines.slice(-count);
  }
  if (line.length > 0) lines.push(line);
  if (count > 0) yield* lines.slice(-count).flat();
}

function render(entry: LogEntry, stamped: boolean): Buffer {
  const stamp = stamped ? `${entry.time} ` : '';
  return Buffer.concat([Buffer.from(stamp), entry.text, Buffer.from(entry.full ? '\n' : '')]);
}

/** Resolves when something in `folder` changed, after a while, or when `signal` aborts. */
function changed(folder: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wait = deadline(lookAnywayMs, signal);
    const done = (): void => {
      wait.removeEventListener('abort', done);
      watcher?.close();
      resolve();
    };
    const watcher = tryWatch(folder, done);
    wait.addEventListener('abort', done);
    if (wait.aborted) done();
  });
}

function tryWatch(folder: string, onChange: () => void): ReturnType<typeof watch> | undefined {
  try {
    const watcher = watch(folder, onChange);
    watcher.on('error', onChange);
    return watcher;
  } catch {
    return undefined; // the folder is gone: the caller looks again and finds the log ended
  }
}
