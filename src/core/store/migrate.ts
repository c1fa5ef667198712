/**
 * Brings a database to the schema of this program: the SQL files that migrations/meta/_journal.json lists, each applied once,
 * in order, forward only, by drizzle's migrator. What that lacks is here: an advisory lock, so that whoever comes second
 * waits and finds everything done, and a refusal of a database that a newer program has set up.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DrizzleQueryError } from 'drizzle-orm';
import { readMigrationFiles, type MigrationMeta } from 'drizzle-orm/migrator';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMissing } from 'drizzle-orm/node-postgres/migrator';
import { Client } from 'pg';
import { answeredError, DatabaseUnusable } from './outage.ts';

/** Oldest server that works, as server_version_num. */
const oldestServer = 150_000;
const connectMs = 5000;
/** Longest time that one migration may take, ms; it rolls back after. Chosen, not measured. */
const migrationMs = 300_000;
/** Any number that others who use the same database would not pick: 'gate' in ASCII. */
const lockId = 0x67617465;

/** Where drizzle notes what has been applied. */
const appliedTable = 'drizzle.__drizzle_migrations';

/**
 * Makes the database at `url` ready for this program. Safe to run from several processes at once. Throws
 * DatabaseUnusable when it is unreachable, too old, or was migrated by a newer version.
 */
export async function migrate(url: string, folder: string = migrationsFolder()): Promise<void> {
  const known = readMigrationFiles({ migrationsFolder: folder });
  const client = await connect(url);
  try {
    await checkVersion(client);
    await client.query(`select pg_advisory_lock(${lockId})`);
    await adoptOlderRecord(client, known);
    await refuseNewer(client, known);
    await applyMissing(drizzle({ client }), { migrationsFolder: folder });
  } catch (error) {
    throw asUnusable(error instanceof DrizzleQueryError ? error.cause : error);
  } finally {
    await client.end();
  }
}

/** Migrations are known by the instant they were written at: one that this program has not comes from a later one. */
async function refuseNewer(client: Client, known: readonly MigrationMeta[]): Promise<void> {
  if (!(await isTable(client, appliedTable))) return;
  const { rows } = await client.query<{ newest: string | null }>(
    `select max(created_at) as newest from ${appliedTable}`,
  );
  if (Number(rows[0]?.newest ?? 0) <= Math.max(...known.map(({ folderMillis }) => folderMillis))) return;
  throw new DatabaseUnusable(
    'schema-newer',
    'the database was set up by a newer version of gatehouse: run that version, or another database',
  );
}

/** The first databases kept their own list, by number. It is carried over, once. */
async function adoptOlderRecord(client: Client, known: readonly MigrationMeta[]): Promise<void> {
  if (!(await isTable(client, 'gatehouse_migrations'))) return;
  const { rows } = await client.query<{ number: number }>('select number from gatehouse_migrations');
  const applied = known.filter((_, index) => rows.some(({ number }) => number === index + 1));
  await client.query('begin');
  await client.query('create schema if not exists drizzle');
  await client.query(
    `create table if not exists ${appliedTable} (id serial primary key, hash text not null, created_at bigint)`,
  );
  await client.query(`insert into ${appliedTable} (hash, created_at) select * from unnest($1::text[], $2::int8[])`, [
    applied.map(({ hash }) => hash),
    applied.map(({ folderMillis }) => folderMillis),
  ]);
  await client.query('drop table gatehouse_migrations');
  await client.query('commit');
}

async function isTable(client: Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ found: string | null }>('select to_regclass($1) as found', [name]);
  return rows[0]?.found !== null;
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

/** The package's `migrations` folder: beside src when run from source, one further up when run from dist. */
function migrationsFolder(): string {
  for (let at = import.meta.dirname; at !== dirname(at); at = dirname(at)) {
    const folder = join(at, 'migrations');
    if (existsSync(join(folder, 'meta', '_journal.json'))) return folder;
  }
  throw new DatabaseUnusable(
    'refused',
    'the migrations folder is missing from this installation: install gatehouse again',
  );
}
