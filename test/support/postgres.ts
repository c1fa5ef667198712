/** A real Postgres for integration tests: one embedded server per test file, one database per `createDatabase`. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/core/store/embedded.ts';
import type { EmbeddedPostgres } from '../../src/core/store/embedded.ts';
import { systemClock } from '../../src/std/clock.ts';
import { silentLogger } from '../../src/std/log.ts';

export interface TestPostgres {
  readonly server: EmbeddedPostgres;
  /** The folder that the server's data is in. */
  readonly home: string;
  /** The URL of a new, empty database. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a server in a folder of its own; `stop` ends it and removes the folder. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-test-'));
  const server = await startEmbeddedPostgres({ home, log: silentLogger, clock: systemClock });
  return {
    server,
    home,
    createDatabase: async () => {
      const name = `test_${randomBytes(6).toString('hex')}`;
      await runSql(server.url, `create database ${name}`);
      const url = new URL(server.url.replace('@/', '@localhost/'));
      url.pathname = `/${name}`;
      return url.href.replace('@localhost/', '@/');
    },
    stop: async () => {
      await server.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Runs `text` on the database at `url` with a connection of its own; the rows. */
export async function runSql<Row extends object>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}
