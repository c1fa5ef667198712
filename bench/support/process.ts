/** Processes of a bench: started from what `npm run build` made, watched for their readiness, ended by their pid. */
import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock as clock } from '../../src/std/clock.ts';
import type { Running } from '../../src/std/stop.ts';

const stopMs = 20_000;

/** A process that talks by messages. */
export interface Helper extends Running {
  readonly pid: number;
  /** Sends `order`; the next message that comes back. Throws when the process ends or `ms` pass first. */
  ask(order: object, ms: number): Promise<unknown>;
}

/** Starts `bench/support/NAME` with `flags` for Node. */
export function startHelper(name: string, flags: readonly string[] = []): Helper {
  const file = join(import.meta.dirname, name + extname(import.meta.filename));
  const child = fork(file, { execArgv: [...process.execArgv, ...flags] });
  return {
    pid: child.pid ?? 0,
    ask: (order, ms) =>
      new Promise((resolve, reject) => {
        const settle = (end: () => void): void => {
          cancel();
          child.off('message', onMessage).off('exit', onExit);
          end();
        };
        const onMessage = (message: unknown): void => settle(() => resolve(message));
        const onExit = (code: number | null): void => settle(() => reject(new Error(`${name} ended (${code})`)));
        const cancel = clock.after(ms, () => settle(() => reject(new Error(`${name} said nothing for ${ms} ms`))));
        child.on('message', onMessage).on('exit', onExit);
        child.send(order);
      }),
    stop: () => end(child),
  };
}

/** A program of ours that has printed the line by which it says that it is ready. */
export interface Program extends Running {
  readonly pid: number;
  readonly readyLine: string;
}

/** Runs `command` until it prints a line that begins with `ready`. Throws when it ends, or `ms` pass, before that. */
export async function startProgram(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly ms: number },
): Promise<Program> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...options.env } });
  const readyLine = await new Promise<string>((resolve, reject) => {
    const cancel = clock.after(options.ms, () => reject(new Error(`not ready within ${options.ms} ms`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('ready')) return;
      cancel();
      resolve(line);
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`ended (${code}) before it was ready`)));
  }).catch(async (error: unknown) => {
    await end(child);
    throw error;
  });
  return { pid: child.pid ?? 0, readyLine, stop: () => end(child) };
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      resolve();
      return;
    }
    const force = clock.after(stopMs, () => child.kill('SIGKILL'));
    child.once('exit', () => {
      force();
      resolve();
    });
    child.kill('SIGTERM');
  });
}

/** Processor time that `pid` has used so far, its own and of children it has waited for, ms; undefined where there is no /proc. */
export function processorMs(pid: number): number | undefined {
  const stat = readProc(pid, 'stat');
  if (stat === undefined) return undefined;
  // After the name in parentheses: utime, stime, cutime, cstime are the 12th to 15th, in ticks of 10 ms.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

/** The content of /proc/PID/FILE; undefined where that cannot be read. */
export function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}
