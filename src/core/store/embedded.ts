/**
 * The embedded database: a real Postgres server as a child process, its data under the home folder, reached through a
 * Unix socket in a folder that only its owner can enter. It runs in a session of its own, so a Ctrl-C meant for us does
 * not end it before us; a server that outlived us is recognised by its pid file and taken over.
 *
 * Idle it should be small, so buffers and helper processes are few. Durability is not for sale: fsync, full_page_writes
 * and synchronous_commit stay on.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, cp, lstat, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { Running } from '../../std/stop.ts';
import { DatabaseUnusable } from './outage.ts';
import { findPostgres } from './postgres-binaries.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { choosePostgresUser } from './postgres-user.ts';
import type { PostgresUser } from './postgres-user.ts';

const execute = promisify(execFile);

const initMs = 60_000;
const startMs = 30_000;
const stopMs = 15_000;
/** How long what is left of a killed server may be in the way of the next one, ms. Chosen, not measured. */
const leftoverMs = 15_000;
/** Above what Linux hands out (PID_MAX_LIMIT, 2^22). */
const impossiblePid = 2_000_000_000;
/** Longest path of a Unix socket on Linux (sun_path) without its final NUL, bytes; macOS has 103. */
const longestSocketPath = 103;
const port = 5432; // part of the socket's file name, no TCP port is opened
const role = 'gatehouse';

const settings: Readonly<Record<string, string>> = {
  listen_addresses: '',
  port: String(port),
  unix_socket_permissions: '0700',
  max_connections: '40',
  superuser_reserved_connections: '3',
  shared_buffers: '48MB',
  work_mem: '8MB',
  maintenance_work_mem: '32MB',
  wal_buffers: '4MB',
  max_wal_size: '512MB',
  min_wal_size: '80MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_replication_slots: '0',
  max_logical_replication_workers: '0',
  max_worker_processes: '2',
  max_parallel_workers: '0',
  autovacuum_max_workers: '1',
  autovacuum_worker_slots: '1',
  io_method: 'sync',
  checkpoint_timeout: '15min',
  jit: 'off',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  log_min_messages: 'warning',
  log_statement: 'none',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_min_error_statement: 'panic', // statements hold objects: they stay out of the log
};

export interface EmbeddedPostgres extends Running {
  /** For pg and for psql alike. */
  readonly url: string;
  /** Of the server as it is now: it changes when the server had to be started again. */
  pid(): number;
}

export interface EmbeddedOptions {
  /** The folder `postgres` is made in here. */
  readonly home: string;
  readonly log: Logger;
  readonly clock: Clock;
}

interface Place {
  readonly data: string;
  readonly socket: string;
  readonly serverLog: string;
  readonly binaries: PostgresBinaries;
  readonly user: PostgresUser;
}

/**
 * The server of `home`, accepting connections: set up on first use, taken over when one still runs, started again when it
 * dies. Throws DatabaseUnusable when it does not come up within 30 s (first time: 90 s).
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { home, log, clock } = options;
  const place = await prepare(home);
  const url = `postgresql://${role}@/gatehouse?host=${encodeURIComponent(place.socket)}&port=${port}`;
  await initialise(place);

  const stopping = new AbortController();
  let server = await ensureServer(place, { log, clock });
  await createDatabase(place);
  const supervised = (async () => {
    for (;;) {
      await server.ended;
      if (stopping.signal.aborted) return;
      log.warn('postgres ended unasked, starting it again', { pid: server.pid });
      for (let waitMs = 100; !stopping.signal.aborted; waitMs = Math.min(waitMs * 2, 5000)) {
        try {
          server = await ensureServer(place, { log, clock });
          if (stopping.signal.aborted) await endServer(server, clock); // nobody else knows of this one yet
          break;
        } catch (error) {
          log.error('postgres does not start', { error });
          await clock.sleep(waitMs);
        }
      }
    }
  })();
  return {
    url,
    pid: () => server.pid,
    stop: async () => {
      stopping.abort();
      await endServer(server, clock);
      await supervised;
    },
  };
}

async function prepare(home: string): Promise<Place> {
  const user = await choosePostgresUser();
  const binaries = await findPostgres();
  if (user.kind !== 'dropped') {
    const base = join(home, 'postgres');
    await mkdir(base, { recursive: true, mode: 0o700 });
    return { ...paths(base), socket: await socketFolder(base, home), binaries, user };
  }
  // The other user can enter neither home nor, perhaps, node_modules: data and binaries go where it can.
  const base = join('/var/lib', `gatehouse-${shortHash(home)}`);
  await mkdir(base, { recursive: true, mode: 0o711 });
  const root = join(base, 'native');
  await cp(binaries.root, root, { recursive: true, verbatimSymlinks: true });
  const own = join(base, 'own');
  await mkdir(own, { recursive: true, mode: 0o700 });
  await chown(own, user.uid, user.gid);
  const socket = join(own, 'run');
  await mkdir(socket, { recursive: true, mode: 0o700 });
  await chown(socket, user.uid, user.gid);
  return {
    ...paths(own),
    socket,
    binaries: { root, postgres: join(root, 'bin/postgres'), initdb: join(root, 'bin/initdb') },
    user,
  };
}

function paths(base: string): { readonly data: string; readonly serverLog: string } {
  return { data: join(base, 'data'), serverLog: join(base, 'server.log') };
}

/** A folder for the socket that nobody else can enter and whose path is short enough. */
async function socketFolder(base: string, home: string): Promise<string> {
  const near = join(base, 'run');
  const short = join(tmpdir(), `gatehouse-${process.getuid?.() ?? 0}-${shortHash(home)}`);
  const folder = Buffer.byteLength(join(near, `.s.PGSQL.${port}`)) <= longestSocketPath ? near : short;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // In a shared folder somebody may have been there before us.
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== (process.getuid?.() ?? found.uid)) {
    throw new DatabaseUnusable(
      'not-startable',
      `${folder} belongs to somebody else: remove it, or use a --home with a shorter path`,
    );
  }
  await chmod(folder, 0o700);
  return folder;
}

async function initialise({ data, binaries, user }: Place): Promise<void> {
  if (await stat(join(data, 'PG_VERSION')).catch(() => undefined)) return;
  // Set up aside and renamed when complete: a half-made folder is never taken for a database.
  const fresh = `${data}.new`;
  await rm(fresh, { recursive: true, force: true });
  const args = ['-D', fresh, '-U', role, '-E', 'UTF8', '--locale=C', '--auth=trust', '--no-instructions'];
  const [command, ...rest] = commandFor(user, [binaries.initdb, ...args]);
  try {
    await execute(command, rest, { timeout: initMs, env: environment(), ...identity(user), cwd: '/' });
  } catch (error) {
    const said = (error as { stderr?: unknown }).stderr;
    const line = typeof said === 'string' ? said.trim().split('\n').at(-1) : undefined;
    throw new DatabaseUnusable(
      'not-startable',
      `the embedded Postgres could not be set up: ${line ?? 'initdb failed'}`,
      error,
    );
  }
  await rename(fresh, data);
}

interface Server {
  readonly pid: number;
  readonly ended: Promise<void>;
}

/** The running server of `place`: the one that is there, or a new one. */
async function ensureServer(place: Place, deps: { readonly log: Logger; readonly clock: Clock }): Promise<Server> {
  const orphan = await findOrphan(place.data);
  if (orphan !== undefined) {
    if (await answers(place, { ...deps, ms: 5000, alive: () => isAlive(orphan) })) {
      deps.log.info('took over a running postgres', { pid: orphan });
      return { pid: orphan, ended: whenGone(orphan, deps.clock) };
    }
    await endServer({ pid: orphan, ended: whenGone(orphan, deps.clock) }, deps.clock);
  }
  for (const giveUpAt = deps.clock.monotonic() + leftoverMs; ;) {
    await disownDead(place.data);
    const started = await startServer(place, deps);
    if ('pid' in started) return started;
    // The sessions of a killed server hold its shared memory a moment longer.
    if (!/another postmaster|still in use/.test(started.said) || deps.clock.monotonic() > giveUpAt) {
      const line = started.said.trim().split('\n').at(-1) ?? '';
      throw new DatabaseUnusable(
        'not-startable',
        `the embedded Postgres does not start (see ${place.serverLog}): ${line}`,
      );
    }
    await deps.clock.sleep(100);
  }
}

/** A new server that accepts connections, or what one said that ended first or took too long. */
async function startServer(
  place: Place,
  deps: { readonly log: Logger; readonly clock: Clock },
): Promise<Server | { readonly said: string }> {
  const child = await spawnServer(place);
  const pid = child.pid;
  if (pid === undefined) throw new DatabaseUnusable('not-startable', 'the embedded Postgres could not be started');
  let exited = false;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      exited = true;
      resolve();
    });
  });
  const ready = await answers(place, { ...deps, ms: startMs, alive: () => !exited });
  if (ready) return { pid, ended };
  child.kill('SIGQUIT');
  return { said: await readFile(place.serverLog, 'utf8').catch(() => '') };
}

async function spawnServer({ data, socket, serverLog, binaries, user }: Place): Promise<ChildProcess> {
  const output = await open(serverLog, 'w', 0o600);
  try {
    const options = Object.entries({ ...settings, unix_socket_directories: socket }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]);
    const [command, ...rest] = commandFor(user, [binaries.postgres, '-D', data, ...options]);
    const child = spawn(command, rest, {
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      env: environment(),
      cwd: '/',
      ...identity(user),
    });
    child.on('error', () => {}); // seen as a server that does not answer
    child.unref();
    return child;
  } finally {
    await output.close();
  }
}

/** Whether the server accepts connections before `ms` are over and before it dies. */
async function answers(
  place: Place,
  { clock, ms, alive }: { readonly clock: Clock; readonly ms: number; readonly alive: () => boolean },
): Promise<boolean> {
  const giveUpAt = clock.monotonic() + ms;
  while (alive() && clock.monotonic() < giveUpAt) {
    const client = maintenanceClient(place);
    try {
      await client.connect();
      return true;
    } catch {
      await clock.sleep(25); // starting, or recovering
    } finally {
      await client.end().catch(() => {}); // it may never have connected
    }
  }
  return false;
}

async function createDatabase(place: Place): Promise<void> {
  const client = maintenanceClient(place);
  await client.connect();
  try {
    const { rowCount } = await client.query(`select from pg_database where datname = 'gatehouse'`);
    if (rowCount === 0) await client.query('create database gatehouse');
  } finally {
    await client.end();
  }
}

function maintenanceClient({ socket }: Place): Client {
  const client = new Client({
    host: socket,
    port,
    user: role,
    database: 'postgres',
    connectionTimeoutMillis: 2000,
    query_timeout: 20_000,
  });
  client.on('error', () => {}); // the statement under way fails with the same error
  return client;
}

/** The pid of a server that runs on `data`, by its pid file and by what the process itself says. */
async function findOrphan(data: string): Promise<number | undefined> {
  const file = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(file.split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return undefined;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (commandLine === undefined) return process.platform === 'linux' ? undefined : pid;
  return commandLine.split('\0').includes(data) ? pid : undefined;
}

/**
 * A killed server whose parent was killed too stays in the process table until init looks after it, which may be never
 * in a container; Postgres takes the entry for a running server. The pid file then gets a pid that nobody can have. It is
 * not removed: it also names the shared memory, by which Postgres sees whether sessions of the dead server still run.
 */
async function disownDead(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  const [pid = '', ...rest] = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  if (!/^\d+$/.test(pid)) return;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  if (/^\d+ \(.*\) [ZX] /.test(stat)) await writeFile(file, [impossiblePid, ...rest].join('\n'));
}

/** Fast shutdown; then immediate, which recovery mends; then by force. */
async function endServer({ pid, ended }: Server, clock: Clock): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return; // gone
    }
    const late = new AbortController();
    const gone = await Promise.race([
      ended.then(() => true),
      clock.sleep(stopMs, late.signal).then(
        () => false,
        () => true,
      ),
    ]);
    late.abort();
    if (gone) return;
  }
}

async function whenGone(pid: number, clock: Clock): Promise<void> {
  while (isAlive(pid)) await clock.sleep(200);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function commandFor(user: PostgresUser, command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  if (user.kind !== 'namespace') return command;
  const [first = 'unshare', ...prefix] = user.prefix;
  return [first, ...prefix, ...command];
}

function identity(user: PostgresUser): { readonly uid?: number; readonly gid?: number } {
  return user.kind === 'dropped' ? { uid: user.uid, gid: user.gid } : {};
}

/** Nothing of our own environment, which may hold a password or a PG… variable that changes what the server does. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
