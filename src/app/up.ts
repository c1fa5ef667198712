/**
 * `gatehouse up`: all of Gatehouse on one machine. This process starts the database and keeps the others running: one
 * gateway, one process with scheduler and controllers, and the node agents. It holds no state but pid files.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../core/store/embedded.ts';
import { DatabaseUnusable } from '../core/store/outage.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import { deferred } from '../std/deferred.ts';
import type { Running } from '../std/stop.ts';
import { superviseChild } from './child.ts';
import type { Home } from './home.ts';
import { stopAll } from './lifetime.ts';
import { UsageError } from './usage-error.ts';

export interface UpOptions {
  readonly home: Home;
  readonly port: number;
  readonly nodes: number;
  readonly runtime: string;
  readonly dataplane: string;
  /** Range of pod addresses. */
  readonly clusterCidr: string;
  readonly databaseUrl: string | undefined;
  readonly logLevel: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Tells the person what is going on. */
  readonly progress: (text: string) => void;
  /** The program to run children with: `dist/src/cli/main.js`. */
  readonly program: string;
  /** Ends the start early. */
  readonly signal: AbortSignal;
}

const readyMs = 120_000;

/** Everything runs and serves when it resolves. Throws UsageError for what a person has to mend. */
export async function startUp(options: UpOptions): Promise<Running & { readonly url: string }> {
  const { home, clock, log, progress, port } = options;
  const parts: Running[] = [];
  const stop = async (): Promise<void> => {
    for (const error of await stopAll(parts.splice(0))) log.warn('a part did not stop cleanly', { error });
  };
  try {
    parts.push(takePidFile(home));
    await portIsFree(port);
    const databaseUrl = options.databaseUrl ?? (await startDatabase(options, parts));
    const misused = deferred<never>();
    misused.promise.catch(() => {}); // looked at below, while something is being awaited
    const start = (name: string, args: readonly string[]): Promise<string> => {
      const ready = deferred<string>();
      parts.push(
        superviseChild({
          name,
          args: [
            ...nodeFlags(name),
            options.program,
            ...args,
            '--home',
            home.folder,
            '--log-level',
            options.logLevel,
            '--follow-parent',
          ],
          env: { ...process.env, GATEHOUSE_DATABASE_URL: name === 'gateway' ? databaseUrl : '' },
          clock,
          log,
          onReady: (line) => ready.resolve(line),
          onMisuse: (line) => misused.reject(new UsageError(line.replace(/^gatehouse: /, ''))),
          onStart: (pid) => {
            writeFileSync(join(home.run, `${name}.pid`), `${pid}\n`);
          },
        }),
      );
      return within(Promise.race([ready.promise, misused.promise]), name, options.signal);
    };
    progress('gateway');
    const [, url = ''] = (await start('gateway', ['gateway', '--port', String(port)])).split(' ');
    progress('controllers and nodes');
    await Promise.all([
      start('controllers', ['controllers', '--cluster-cidr', options.clusterCidr]),
      ...Array.from({ length: options.nodes }, (_, index) => {
        const name = `node-${index + 1}`;
        mkdirSync(join(home.nodes, name), { recursive: true, mode: 0o700 });
        const kind = ['--runtime', options.runtime, '--dataplane', options.dataplane];
        const network = ['--cluster-cidr', options.clusterCidr, ...(index === 0 ? [] : ['--shares-host'])];
        return start(name, ['node', '--name', name, ...kind, ...network, '--stop-pods']);
      }),
    ]);
    return { url, stop };
  } catch (error) {
    await stop();
    throw error instanceof DatabaseUnusable ? new UsageError(error.message, error) : error;
  }
}

async function startDatabase({ home, clock, log, progress }: UpOptions, parts: Running[]): Promise<string> {
  progress(existsSync(join(home.postgres, 'data')) ? 'database' : 'database (first start)');
  const database = await startEmbeddedPostgres({ home: home.folder, clock, log });
  parts.push(database);
  return database.url;
}

/** Young garbage is cheap to collect; a small nursery keeps the idle footprint small. */
function nodeFlags(name: string): readonly string[] {
  return name === 'gateway' ? ['--max-semi-space-size=16'] : ['--max-semi-space-size=2'];
}

/** One `up` per home: a second one would take the first one's database from under it. */
function takePidFile(home: Home): Running {
  const file = join(home.run, 'up.pid');
  const holder = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (holder > 0 && holder !== process.pid && isGatehouse(holder)) {
    throw new UsageError(
      `Gatehouse already runs on ${home.folder} (pid ${holder}): stop it, or give another folder with --home DIR`,
    );
  }
  writeFileSync(file, `${process.pid}\n`);
  return {
    stop: async () => {
      rmSync(file, { force: true });
    },
  };
}

/** Whether the process is one of ours: a pid is used again after a crash of the machine. */
function isGatehouse(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc') || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('cli/main.');
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

async function within(promise: Promise<string>, name: string, signal: AbortSignal): Promise<string> {
  const limit = AbortSignal.any([AbortSignal.timeout(readyMs), signal]);
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      limit.addEventListener(
        'abort',
        () => {
          reject(
            signal.aborted
              ? new UsageError('stopped before it was ready')
              : new Error(`${name} was not ready within ${readyMs / 1000} s: see its log above`),
          );
        },
        { once: true },
      );
    }),
  ]);
}
