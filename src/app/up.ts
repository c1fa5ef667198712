/**
 * `gatehouse up`: all of Gatehouse on one machine. This process starts the database and keeps the others running: one
 * gateway, one process with scheduler and controllers, and the node agents. It holds no state but pid files.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../core/store/embedded.ts';
import { DatabaseUnusable } from '../core/store/outage.ts';
import { deadline } from '../std/clock.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import { deferred } from '../std/deferred.ts';
import type { Running } from '../std/stop.ts';
import { superviseChild } from './child.ts';
import type { Home } from './home.ts';
import { stopAll } from './lifetime.ts';
import type { IsolationKind, NetworkRanges } from './network-ranges.ts';
import { UsageError } from './usage-error.ts';

export interface UpOptions {
  readonly home: Home;
  readonly port: number;
  readonly nodes: number;
  readonly runtime: string;
  readonly isolation: IsolationKind;
  readonly dataplane: string;
  readonly ranges: NetworkRanges;
  readonly databaseUrl: string | undefined;
  readonly logLevel: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Tells the person what is going on. */
  readonly progress: (text: string) => void;
  /** Takes a line for the person. */
  readonly write: (line: string) => void;
  /** Longest wait for a part to serve, ms; 2 minutes if left out. */
  readonly readyMs?: number;
  /** The program to run children with: `dist/src/cli/main.js`. */
  readonly program: string;
  /** Ends the start early. */
  readonly signal: AbortSignal;
}

/** How long the children of a killed `up` get to end, ms. Chosen: more than they need to let go of pods and leases. */
const orphanMs = 10_000;
/** Longest wait for a part to serve, ms: a first start on a slow, busy machine. Chosen, not measured. */
const patienceMs = 120_000;

/** Everything runs and serves when it resolves. Throws UsageError for what a person has to mend. */
export async function startUp(options: UpOptions): Promise<Running & { readonly url: string }> {
  const { home, log, progress, port } = options;
  refuseWhatCannotBe(options);
  const parts: Running[] = [];
  const stop = async (): Promise<void> => {
    for (const error of await stopAll(parts.splice(0))) log.warn('a part did not stop cleanly', { error });
  };
  try {
    parts.push(takePidFile(home));
    await endOrphans(options);
    await portIsFree(port);
    const databaseUrl = options.databaseUrl ?? (await startDatabase(options, parts));
    progress('gateway');
    const gateway = startPart(
      options,
      'gateway',
      ['gateway', '--port', String(port), ...rangeArgs(options)],
      databaseUrl,
    );
    parts.push(gateway.child);
    const [, url = ''] = (await gateway.ready).split(' ');
    progress('controllers and nodes');
    const clients = [
      startPart(options, 'controllers', ['controllers', ...rangeArgs(options).slice(0, 4)]),
      ...Array.from({ length: options.nodes }, (_, index) => startNodePart(options, index)),
    ];
    parts.push({ stop: async () => void (await Promise.all(clients.map(({ child }) => child.stop()))) });
    await Promise.all(clients.map(({ ready }) => ready));
    return { url, stop };
  } catch (error) {
    await stop();
    throw error instanceof DatabaseUnusable ? new UsageError(error.message, error) : error;
  }
}

function startNodePart(options: UpOptions, index: number): Part {
  const name = `node-${index + 1}`;
  mkdirSync(join(options.home.nodes, name), { recursive: true, mode: 0o700 });
  const kind = ['--runtime', options.runtime, '--dataplane', options.dataplane];
  const network = [...rangeArgs(options), ...(index === 0 ? [] : ['--shares-host'])];
  return startPart(options, name, ['node', '--name', name, ...kind, ...network, '--stop-pods']);
}

function rangeArgs({ isolation, ranges }: UpOptions): readonly string[] {
  return ['--isolation', isolation, '--cluster-cidr', ranges.pods, '--service-cidr', ranges.services];
}

function refuseWhatCannotBe({ nodes, isolation, runtime, dataplane }: UpOptions): void {
  if (isolation === 'none' && runtime === 'hollow')
    throw new UsageError('--isolation none is of --runtime process: with hollow nothing runs that could be isolated');
  if (isolation === 'none' && process.getuid?.() === 0)
    throw new UsageError('--isolation none would make every container root of this machine: run as an ordinary user');
  if (nodes > 1 && (isolation === 'none' || dataplane === 'userspace'))
    throw new UsageError(
      `--nodes ${nodes} needs nodes with networks of their own: with --isolation none or --dataplane userspace a machine is one node`,
    );
}

interface Part {
  readonly child: Running;
  /** Its first line `ready …`. Throws UsageError when there will be none. */
  readonly ready: Promise<string>;
}

/** Starts one of our programs and keeps it running. */
function startPart(options: UpOptions, name: string, args: readonly string[], databaseUrl = ''): Part {
  const { home, clock, log, logLevel } = options;
  const ready = deferred<string>();
  const pidFile = join(home.run, `${name}.pid`);
  const child = superviseChild({
    name,
    args: [
      ...nodeFlags(name),
      options.program,
      ...args,
      '--home',
      home.folder,
      '--log-level',
      logLevel,
      '--follow-parent',
    ],
    env: { ...process.env, GATEHOUSE_DATABASE_URL: databaseUrl },
    clock,
    log,
    write: options.write,
    onReady: (line) => ready.resolve(line),
    onMisuse: (line) => ready.reject(new UsageError(line)),
    onPid: (pid) => {
      if (pid === undefined) rmSync(pidFile, { force: true });
      else writeFileSync(pidFile, `${pid}\n`);
    },
  });
  const inTime = within(ready.promise, options, () => {
    const said = child.said() === '' ? 'it said nothing' : `the last it said: ${child.said()}`;
    return new UsageError(`${name} does not get ready; ${said}. Try again with --log-level debug`);
  });
  inTime.catch(() => {}); // looked at when its turn comes
  return { child, ready: inTime };
}

async function startDatabase({ home, clock, log, progress }: UpOptions, parts: Running[]): Promise<string> {
  progress(existsSync(join(home.postgres, 'data')) ? 'database' : 'database (first start)');
  const database = await startEmbeddedPostgres({ home: home.folder, clock, log });
  parts.push(database);
  return database.url;
}

/** Young garbage is cheap to collect; a small nursery keeps the idle footprint small. */
function nodeFlags(name: string): readonly string[] {
  return name === 'gateway' ? ['--max-semi-space-size=64'] : ['--max-semi-space-size=2'];
}

/** One `up` per home: a second one would take the first one's database from under it. */
function takePidFile(home: Home): Running {
  const file = join(home.run, 'up.pid');
  const holder = readPid(file);
  if (holder > 0 && holder !== process.pid && isGatehouse(holder)) {
    throw new UsageError(
      `Gatehouse already runs on ${home.folder} (pid ${holder}): stop it, or give another folder with --home DIR`,
    );
  }
  rmSync(file, { force: true });
  try {
    writeFileSync(file, `${process.pid}\n`, { flag: 'wx' });
  } catch (error) {
    throw new UsageError(`another Gatehouse starts on ${home.folder} at this moment: stop one of the two`, error);
  }
  return {
    stop: async () => {
      rmSync(file, { force: true });
    },
  };
}

/**
 * Waits for the children of an `up` that was killed: they end by themselves, and hold the port and the nodes until then.
 * Those that do not are killed, which leaves their pods running, for the next agent to take over.
 */
async function endOrphans({ home, clock, log }: UpOptions): Promise<void> {
  const giveUpAt = clock.monotonic() + orphanMs;
  for (const name of readdirSync(home.run)) {
    const file = join(home.run, name);
    if (!name.endsWith('.pid') || name === 'up.pid') continue;
    const pid = readPid(file);
    while (isGatehouse(pid, home.folder)) {
      if (clock.monotonic() > giveUpAt) {
        log.warn('a process of an earlier start does not end, killing it', { pid });
        process.kill(pid, 'SIGKILL');
      }
      await clock.sleep(50);
    }
    rmSync(file, { force: true });
  }
}

function readPid(file: string): number {
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  return Number.isSafeInteger(pid) ? pid : 0;
}

/** Whether the process is one of ours: a pid is used again after a crash of the machine. */
function isGatehouse(pid: number, home?: string): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    if (!existsSync('/proc')) return true;
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.some((word) => word.includes('cli/main.')) && (home === undefined || words.includes(home));
  } catch {
    return false; // no such process, or one of somebody else
  }
}

function portIsFree(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${error.code ?? error.message})`;
      reject(new UsageError(`port ${port} ${why}: give another with --port N`, error));
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  });
}

async function within(promise: Promise<string>, options: UpOptions, late: () => UsageError): Promise<string> {
  const limit = deadline(options.readyMs ?? patienceMs, options.signal);
  const over = new Promise<never>((_, reject) => {
    const end = (): void => reject(options.signal.aborted ? new UsageError('stopped before it was ready') : late());
    if (limit.aborted) end();
    else limit.addEventListener('abort', end, { once: true });
  });
  return Promise.race([promise, over]);
}
