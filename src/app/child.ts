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
  /** Called with each line `ready …` that the child prints to its standard output. */
  readonly onReady?: (line: string) => void;
  /** Called with the pid of each process that is started. */
  readonly onStart?: (pid: number) => void;
  /** Exit code 2 means that a person has to mend something: the child is not started again, and this is called. */
  readonly onMisuse?: (line: string) => void;
}

// How long a child gets to stop by itself; agents stop their pods' workers in that time, never the pods.
const stopDeadlineMs = 15_000;
const backoffMs = { first: 250, most: 10_000, forgiveAfter: 30_000 };

/** Starts the child now; `onReady` tells when it serves. */
export function superviseChild(options: ChildOptions): Running {
  const { name, args, env, clock, log } = options;
  let child: ChildProcess | undefined;
  let stopping = false;
  let wait = backoffMs.first;
  let cancel = (): void => {};

  const start = (): void => {
    const began = clock.monotonic();
    const started = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    child = started;
    if (started.pid !== undefined) options.onStart?.(started.pid);
    started.stdin.on('error', () => {}); // it ended first
    eachLine(started.stdout, (line) => {
      if (line.startsWith('ready')) options.onReady?.(line);
    });
    eachLine(started.stderr, (line) => {
      said = line;
      process.stderr.write(`${line}\n`);
    });
    started.on('error', (error) => log.error('could not start', { child: name, error }));
    started.on('close', (code, signal) => {
      child = undefined;
      if (stopping) return;
      if (code === 2) {
        options.onMisuse?.(said);
        return;
      }
      if (clock.monotonic() - began > backoffMs.forgiveAfter) wait = backoffMs.first;
      log.warn('ended, starting it again', { child: name, code, signal, inMs: wait });
      cancel = clock.after(wait, start);
      wait = Math.min(wait * 2, backoffMs.most);
    });
  };
  start();

  return {
    stop: () =>
      new Promise((resolve) => {
        stopping = true;
        cancel();
        const running = child;
        if (running === undefined) {
          resolve();
          return;
        }
        const force = clock.after(stopDeadlineMs, () => {
          log.warn('did not stop in time, killing it', { child: name });
          running.kill('SIGKILL');
        });
        running.on('close', () => {
          force();
          resolve();
        });
        running.kill('SIGTERM');
      }),
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
