/**
 * Brings a database to the schema of this program: numbered SQL files, each applied once, in order, forward only. Whoever
 * comes second waits at an advisory lock and finds everything done.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { answeredError, DatabaseUnusable } from './outage.ts';

/** Oldest server that works, as server_version_num. */
const oldestServer = 150_000;
const connectMs = 5000;
/** Longest time that one migration may take, ms; it rolls back after. Chosen, not measured. */
const migrationMs = 300_000;
/** Any number that others who use the same database would not pick: 'gate' in ASCII. */
const lockId = 0x67617465;

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

/**
 * Makes the database at `url` ready for this program. Safe to run from several processes at once. Throws
 * DatabaseUnusable when it is unreachable, too old, or was migrated by a newer version.
 */
export async function migrate(url: string, folder: string = migrationsFolder()): Promise<void> {
  const migrations = await readMigrations(folder);
  const client = await connect(url);
  try {
    await checkVersion(client);
    await client.query(`select pg_advisory_lock(${lockId})`);
    await client.query(
      `create table if not exists gatehouse_migrations (
         number int primary key, name text not null, applied_at timestamptz not null default now())`,
    );
    const { rows } = await client.query<{ number: number }>('select number from gatehouse_migrations');
    const applied = new Set(rows.map((row) => row.number));
    const newest = Math.max(0, ...applied);
    if (newest > Math.max(0, ...migrations.map((migration) => migration.number))) {
      throw new DatabaseUnusable(
        'schema-newer',
        `the database was set up by a newer version of gatehouse (migration ${newest}): run that version, or another database`,
      );
    }
    for (const migration of migrations) if (!applied.has(migration.number)) await apply(client, migration);
  } catch (error) {
    throw asUnusable(error);
  } finally {
    await client.end();
  }
}

async function apply(client: Client, { number, name, sql }: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query(sql);
    await client.query('insert into gatehouse_migrations (number, name) values ($1, $2)', [number, name]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw new DatabaseUnusable('refused', `migration ${name} failed: ${messageOf(error)}`, error);
  }
}

async function connect(url: string): Promise<Client> {
  const client = new Client({
    connectionString: url,
    application_name: 'gatehouse migrate',
    connectionTimeoutMillis: connectMs,
    query_timeout: migrationMs,
  });
  client.on('error', () => {}); // the statement under way fails with the same error
  try {
    await client.connect();
    return client;
  } catch (error) {
    throw asUnusable(error);
  }
}

async function checkVersion(client: Client): Promise<void> {
  const { rows } = await client.query<{ number: string; text: string }>(
    `select current_setting('server_version_num') as number, current_setting('server_version') as text`,
  );
  const [row] = rows;
  if (row === undefined || Number(row.number) >= oldestServer) return;
  throw new DatabaseUnusable(
    'too-old',
    `the database is PostgreSQL ${row.text}, gatehouse needs 15 or later: upgrade it, or leave out --database-url to use the embedded one`,
  );
}

function asUnusable(error: unknown): DatabaseUnusable {
  if (error instanceof DatabaseUnusable) return error;
  const answer = answeredError(error);
  if (answer !== undefined) {
    return new DatabaseUnusable(
      'refused',
      `the database refuses to work for us: ${answer.message}; check --database-url and the user's rights`,
      error,
    );
  }
  return new DatabaseUnusable(
    'unreachable',
    `the database cannot be reached: ${messageOf(error)}; check --database-url and that it runs`,
    error,
  );
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

async function readMigrations(folder: string): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).toSorted();
  return Promise.all(
    names.map(async (name) => ({
      number: Number(name.slice(0, 4)),
      name,
      sql: await readFile(join(folder, name), 'utf8'),
    })),
  );
}

/** The package's `migrations` folder: beside src when run from source, one further up when run from dist. */
function migrationsFolder(): string {
  for (let at = import.meta.dirname; at !== dirname(at); at = dirname(at)) {
    const folder = join(at, 'migrations');
    if (existsSync(join(folder, '0001_store.sql'))) return folder;
  }
  throw new DatabaseUnusable(
    'refused',
    'the migrations folder is missing from this installation: install gatehouse again',
  );
}
