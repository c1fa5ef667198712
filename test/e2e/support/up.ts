/** The built program as a person runs it: `gatehouse …` as a process of its own, on a free port and a home that is removed. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../../src/app/release.ts';
import { systemClock } from '../../../src/std/clock.ts';

/** What a program that has ended said. `signal` is set when it was killed. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs. */
export interface Program {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** What it has written to standard error so far. */
  stderr(): string;
  /** The first line of standard output that begins with `start`. Throws with its standard error when it ends before, or after `ms`. */
  line(start: string, ms: number): Promise<string>;
  signal(name: NodeJS.Signals): void;
}

/** One `gatehouse up`. */
export interface Up {
  readonly home: string;
  readonly port: number;
  readonly url: string;
  /** Of the cluster's administrator. */
  readonly kubeconfig: string;
  readonly program: Program;
  /** kubectl as administrator (or with another kubeconfig); throws with its standard error unless it exits 0. */
  kubectl(
    args: readonly string[],
    options?: { readonly kubeconfig?: string; readonly input?: string },
  ): Promise<string>;
  /** The pid of a part: `up`, `gateway`, `controllers`, `node-1`, `postgres`; 0 when it has none. */
  pid(part: string): number;
  /** SIGTERM, then by force after 60 s; the home stays, for another `startUp({ home })`. */
  end(): Promise<Ended>;
  /** `end`, and the home is removed. */
  stop(): Promise<void>;
}

const clock = systemClock;
const main = join(packageRoot(), 'dist/src/cli/main.js');
const readyMs = 120_000;
const endMs = 60_000;

/** Runs the built `gatehouse` with `args`. */
export function gatehouse(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  prefix: readonly string[] = [],
): Program {
  const [command = '', ...words] = [...prefix, process.execPath, main, ...args];
  return start(command, words, { env: { ...process.env, NO_COLOR: '1', ...env } });
}

/** Runs `command` to its end, at most `ms`. */
export async function run(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly input?: string; readonly ms?: number } = {},
): Promise<Ended> {
  const program = start(command, args, { env: { ...process.env, ...options.env }, input: options.input ?? '' });
  return orKilled(program, options.ms ?? 120_000);
}

/**
 * `gatehouse up` with `args` (`--nodes 2`, `--runtime hollow`, …), ready. Without `home` in a new folder, without `port`
 * on a free one.
 */
export async function startUp(
  args: readonly string[],
  place: {
    readonly home?: string;
    readonly port?: number;
    readonly env?: NodeJS.ProcessEnv;
    /** The words before the program: to be another user, to have less. */
    readonly prefix?: readonly string[];
  } = {},
): Promise<Up> {
  const home = place.home ?? newHome();
  const port = place.port ?? (await freePort());
  const program = gatehouse(['up', '--home', home, '--port', String(port), ...args], place.env, place.prefix);
  try {
    await program.line('ready ', readyMs);
  } catch (error) {
    await end(program, home);
    throw error;
  }
  const kubeconfig = join(home, 'kubeconfig');
  const up: Up = {
    home,
    port,
    url: `https://127.0.0.1:${port}`,
    kubeconfig,
    program,
    kubectl: async (words, options = {}) => {
      const input = options.input === undefined ? {} : { input: options.input };
      const given = ['--kubeconfig', options.kubeconfig ?? kubeconfig, ...words];
      const { code, stdout, stderr } = await run('kubectl', given, {
        ...input,
        env: { KUBECACHEDIR: join(home, 'kubectl') },
      });
      if (code !== 0) throw new Error(`kubectl ${words.join(' ')} exited ${code}: ${stderr}`);
      return stdout;
    },
    pid: (part) => pidOf(home, part),
    end: () => end(program, home),
    stop: async () => {
      await up.end();
      rmSync(home, { recursive: true, force: true });
    },
  };
  return up;
}

/**
 * What runs a command beside the pods of `home`, in the network that their links are in: the machine's own, or that of the
 * user namespace which an ordinary user's nodes share. Undefined when there is no such namespace (any more).
 */
export function besidePods(home: string): readonly string[] | undefined {
  if (process.getuid?.() === 0) return [];
  const file = join(home, 'run/namespaces/holder');
  const [pid = ''] = existsSync(file) ? readFileSync(file, 'utf8').split(' ') : [];
  return isRunning(Number(pid)) ? ['nsenter', '-t', pid, '-U', '-n', '--preserve-credentials', '--'] : undefined;
}

/** A new folder for a home. */
export function newHome(): string {
  return mkdtempSync(join(tmpdir(), 'gatehouse-e2e-'));
}

/** A TCP port that nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Waits until `check` gives something else than undefined or false. Throws after `ms`, with what `check` threw last. */
export async function eventually<T>(
  what: string,
  ms: number,
  check: () => T | Promise<T>,
): Promise<Exclude<T, undefined | false>> {
  const until = clock.monotonic() + ms;
  let last: unknown;
  while (clock.monotonic() < until) {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    } catch (error) {
      last = error;
    }
    await clock.sleep(100);
  }
  throw new Error(`not within ${ms / 1000} s: ${what}`, { cause: last });
}

/** Whether a process with this pid runs (one that has ended and waits for its parent does not). */
export function isRunning(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return !existsSync('/proc') || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** The pid of a part of the Gatehouse on `home`, 0 when there is none. `postgres` is the server itself. */
export function pidOf(home: string, part: string): number {
  const file = part === 'postgres' ? join(home, 'postgres/data/postmaster.pid') : join(home, 'run', `${part}.pid`);
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0;
}

/** URL of the embedded database of the Gatehouse on `home`, which runs: its pid file names the folder of its socket. */
export function databaseUrl(home: string): string {
  const folder = readFileSync(join(home, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[4] ?? '';
  return `postgresql://gatehouse@/gatehouse?host=${encodeURIComponent(folder)}&port=5432`;
}

/** SIGTERM; whatever of it still runs a minute later is killed, so that a failed test leaves nothing behind. */
async function end(program: Program, home: string): Promise<Ended> {
  const pids = existsSync(join(home, 'run'))
    ? readdirSync(join(home, 'run')).map((file) => pidOf(home, file.replace(/\.pid$/, '')))
    : [];
  program.signal('SIGTERM');
  const ended = await orKilled(program, endMs);
  for (const pid of [...pids, pidOf(home, 'postgres')]) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  return ended;
}

async function orKilled(program: Program, ms: number): Promise<Ended> {
  const cancel = clock.after(ms, () => program.signal('SIGKILL'));
  try {
    return await program.ended;
  } finally {
    cancel();
  }
}

function start(
  command: string,
  args: readonly string[],
  { env, input }: { readonly env: NodeJS.ProcessEnv; readonly input?: string },
): Program {
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  const seen = new Set<() => void>();
  child.stdin.on('error', () => {}); // it ended first
  if (input !== undefined) child.stdin.end(input);
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
      for (const look of seen) look();
    });
  }
  const ended = whenEnded(child, said);
  return {
    pid: child.pid ?? 0,
    ended,
    stderr: () => said.stderr,
    line: async (wanted, ms) => {
      const late = AbortSignal.timeout(ms);
      const line = (): string | undefined =>
        said.stdout
          .split('\n')
          .slice(0, -1)
          .find((each) => each.startsWith(wanted));
      return new Promise<string>((resolve, reject) => {
        const look = (): void => {
          const found = line();
          if (found === undefined) return;
          seen.delete(look);
          resolve(found);
        };
        seen.add(look);
        look();
        late.addEventListener('abort', () => reject(new Error(`no line "${wanted}" within ${ms} ms: ${said.stderr}`)));
        void ended.then(({ code, stderr }) => reject(new Error(`ended with ${code} before "${wanted}": ${stderr}`)));
      });
    },
    signal: (name) => {
      child.kill(name);
    },
  };
}

function whenEnded(child: ChildProcess, said: { readonly stdout: string; readonly stderr: string }): Promise<Ended> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 127, signal: null, stdout: '', stderr: error.message }));
    child.once('close', (code, signal) => resolve({ code, signal, ...said }));
  });
}
