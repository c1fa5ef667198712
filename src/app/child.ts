/**
 * Keeps one process of `gatehouse up` running: started again when it ends, sooner or later by how long it lasted.
 * Its log goes where ours goes; it ends when we end it, and by itself when our end of its standard input closes.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import type { Running } from '../std/stop.ts';

export interface ChildOptions {
  readonly name: string;
  /** Arguments of Node: the script first. Never a secret: other users can read them. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes a line for the person: what the child said on standard error. */
  readonly write: (line: string) => void;
  /** Called with each line `ready …` that the child prints to its standard output. */
  readonly onReady?: (line: string) => void;
  /** Called with the pid of each process that is started, and with undefined when it has ended. */
  readonly onPid?: (pid: number | undefined) => void;
  /**
   * Exit code 2 before the child was ever ready means that a person has to mend something: it is not started again, and
   * this is called with its last line. Later, what is wrong may pass: the child is started again.
   */
  readonly onMisuse?: (line: string) => void;
}

export interface Child extends Running {
  /** The last line on standard error, or ''. */
  said(): string;
}

// How long a child gets to stop by itself: an agent takes its pods away by dozens of programs, on a machine that may be busy.
const stopDeadlineMs = 15_000;
const backoffMs = { first: 250, most: 10_000, forgiveAfter: 30_000 };

/** Starts the child now; `onReady` tells when it serves. */
export function superviseChild(options: ChildOptions): Child {
  const { name, clock, log } = options;
  const stopping = new AbortController();
  let child: ChildProcess | undefined;
  let said = '';
  let wasReady = false;

  /** One life of the child; resolves when it has ended and all that it said was read. */
  const live = (): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> => {
    // A session of its own: Ctrl-C reaches `up` alone, which then stops its children in their order.
    const started = spawn(process.execPath, options.args, {
      env: options.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    child = started;
    let held: string | undefined;
    const release = (): void => {
      if (held !== undefined) options.write(`${name}: ${held}`);
      held = undefined;
    };
    if (started.pid !== undefined) options.onPid?.(started.pid);
    started.stdin.on('error', () => {}); // it ended first
    eachLine(started.stdout, (line) => {
      if (!line.startsWith('ready')) return;
      wasReady = true;
      release();
      options.onReady?.(line);
    });
    eachLine(started.stderr, (line) => {
      release();
      said = line.replace(/^gatehouse: /, '');
      if (line.startsWith('{')) options.write(line);
      else if (wasReady) options.write(`${name}: ${said}`);
      else held = said; // if it ends with code 2, this is told once, by `onMisuse`
    });
    return new Promise((resolve) => {
      started.on('error', (error) => {
        log.error('could not start', { child: name, error });
        if (started.pid === undefined) resolve({ code: null, signal: null });
      });
      started.on('close', (code, signal) => {
        child = undefined;
        options.onPid?.(undefined);
        if (code !== 2 || wasReady) release();
        resolve({ code, signal });
      });
    });
  };

  const ended = (async () => {
    let wait = backoffMs.first;
    while (!stopping.signal.aborted) {
      const began = clock.monotonic();
      const { code, signal } = await live();
      if (stopping.signal.aborted) return;
      if (code === 2 && !wasReady) {
        options.onMisuse?.(said);
        return;
      }
      if (clock.monotonic() - began > backoffMs.forgiveAfter) wait = backoffMs.first;
      log.warn('ended, starting it again', { child: name, code, signal, inMs: wait });
      await clock.sleep(wait, stopping.signal).catch(() => {}); // told to stop
      wait = Math.min(wait * 2, backoffMs.most);
    }
  })();

  return {
    said: () => said,
    stop: async () => {
      stopping.abort();
      const force = clock.after(stopDeadlineMs, () => {
        log.warn('did not stop in time, killing it', { child: name });
        child?.kill('SIGKILL');
      });
      child?.kill('SIGTERM');
      await ended;
      force();
    },
  };
}

function eachLine(stream: NodeJS.ReadableStream, use: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    rest += chunk;
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) use(line);
  });
}
