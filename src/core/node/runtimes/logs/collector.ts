/**
 * Carries what a container writes (plain files, so that it can go on writing when the agent is dead) into its log. How
 * far it got is in the log itself: the bytes its entries stand for. So a successor goes on where a killed agent
 * stopped, with nothing lost and nothing twice. What is carried over is punched out of the plain file, and the log is
 * rotated, so that disk use is bounded.
 */
import { execFile } from 'node:child_process';
import { watch } from 'node:fs';
import { appendFile, open, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import type { Clock } from '../../../../std/clock.ts';
import type { LogStream } from './cri-log.ts';
import { formatEntries, outputBytes, parseEntry, splitLines } from './cri-log.ts';

/** Kubernetes' default for containerLogMaxSize. One older file is kept. */
const rotateAtBytes = 10 * 1024 * 1024;
const punchAtBytes = 1024 * 1024;
const chunkBytes = 256 * 1024;
/** Some file systems tell of no changes: look anyway. */
const lookAnywayMs = 1000;

interface Position {
  /** Bytes in the log. */
  logged: number;
  /** Bytes read from the file; those between are `held`. */
  read: number;
  punched: number;
  held: Buffer;
}

export interface Collector {
  /** Passes on output as it comes, from now on. Returns the way to stop that. */
  onOutput(listener: (stream: LogStream, bytes: Buffer) => void): () => void;
  /** Carries over all there is, also an unfinished line, and ends. */
  finish(): Promise<void>;
  /** Ends, leaving the rest to a successor. */
  stop(): Promise<void>;
}

/** Collects `folder`/stdout and /stderr into `folder`/log until told to end. */
export async function collectLogs(folder: string, clock: Clock): Promise<Collector> {
  const positions: Record<LogStream, Position> = await recover(folder);
  const listeners = new Set<(stream: LogStream, bytes: Buffer) => void>();
  let ended = false;
  let again = false;
  let running: Promise<void> = Promise.resolve();
  let busy = false;

  const pump = async (flush: boolean): Promise<void> => {
    for (const stream of ['stdout', 'stderr'] as const) {
      await carry(folder, stream, positions, clock.now(), flush, (bytes) => {
        for (const listener of listeners) listener(stream, bytes);
      });
    }
  };
  const wake = (): void => {
    again = true;
    if (busy || ended) return;
    busy = true;
    running = (async () => {
      for (; again; again = again && !ended) {
        again = false;
        await pump(false);
      }
    })()
      .catch(() => {
        // Its folder is gone, or the disk is full: the next look tries again from where the log ends.
      })
      .finally(() => {
        busy = false;
      });
  };
  const watcher = watch(folder, (_event, name) => {
    if (name === 'stdout' || name === 'stderr') wake();
  });
  watcher.on('error', () => watcher.close());
  watcher.unref();
  let cancel = (): void => {};
  const look = (): void => {
    wake();
    cancel = clock.after(lookAnywayMs, look);
  };
  look();
  const end = async (): Promise<void> => {
    ended = true;
    cancel();
    watcher.close();
    await running;
  };
  return {
    onOutput: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    finish: async () => {
      await end();
      await pump(true);
    },
    stop: end,
  };
}

async function carry(
  folder: string,
  stream: LogStream,
  positions: Record<LogStream, Position>,
  now: number,
  flush: boolean,
  tell: (bytes: Buffer) => void,
): Promise<void> {
  const position = positions[stream];
  const file = await open(`${folder}/${stream}`, 'r');
  try {
    const { size } = await file.stat();
    if (size < position.read) position.read = position.logged = size; // the container cut its own output
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await file.read(chunk, 0, chunkBytes, position.read);
      if (bytesRead > 0) tell(chunk.subarray(0, bytesRead));
      position.read += bytesRead;
      const all = Buffer.concat([position.held, chunk.subarray(0, bytesRead)]);
      const { lines, rest } = formatEntries(all, stream, now, flush && bytesRead === 0);
      if (lines.length > 0) await appendFile(`${folder}/log`, lines, { mode: 0o600 });
      position.logged += all.length - rest.length;
      position.held = Buffer.from(rest);
      if (bytesRead === 0) break;
      await rotate(folder, positions);
    }
  } finally {
    await file.close();
  }
  if (position.logged - position.punched >= punchAtBytes) {
    position.punched = position.logged;
    // File systems that cannot do it keep the bytes until the container is removed.
    execFile(
      'fallocate',
      ['--punch-hole', '--offset', '0', '--length', String(position.logged), `${folder}/${stream}`],
      () => {},
    );
  }
}

/** Where an earlier agent stopped. Cuts off a line it did not finish writing. */
async function recover(folder: string): Promise<Record<LogStream, Position>> {
  const base = JSON.parse(await readFile(`${folder}/log.base`, 'utf8').catch(() => '{}')) as Record<string, number>; // our own file
  const logged: Record<LogStream, number> = { stdout: base['stdout'] ?? 0, stderr: base['stderr'] ?? 0 };
  const bytes = await readFile(`${folder}/log`).catch(() => Buffer.alloc(0));
  const { lines, rest } = splitLines(bytes);
  if (rest.length > 0) await truncate(`${folder}/log`, bytes.length - rest.length);
  for (const line of lines) {
    const entry = parseEntry(line);
    if (entry !== undefined) logged[entry.stream] += outputBytes(entry);
  }
  const at = (count: number): Position => ({ logged: count, read: count, punched: 0, held: Buffer.alloc(0) });
  return { stdout: at(logged.stdout), stderr: at(logged.stderr) };
}

async function rotate(folder: string, positions: Record<LogStream, Position>): Promise<void> {
  const found = await stat(`${folder}/log`).catch(() => undefined);
  if (found === undefined || found.size < rotateAtBytes) return;
  const base = JSON.stringify({ stdout: positions.stdout.logged, stderr: positions.stderr.logged });
  await writeFile(`${folder}/log.base.new`, base, { mode: 0o600 });
  await rename(`${folder}/log`, `${folder}/log.1`);
  await rename(`${folder}/log.base.new`, `${folder}/log.base`);
}
