import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startOldPostgres } from '../support/old-postgres.ts';
import type { OldPostgres } from '../support/old-postgres.ts';
import { runSql } from '../support/postgres.ts';
import { databaseUrl, freePort, gatehouse, startUp } from './support/up.ts';
import type { Up } from './support/up.ts';

let folder: string;
let busy: Server;
let busyPort: number;
let up: Up;
let old: OldPostgres;
let newer: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-usage-'));
  writeFileSync(join(folder, 'file'), '');
  busyPort = await freePort();
  busy = createServer().listen(busyPort, '127.0.0.1');
  old = await startOldPostgres('14.13');
  up = await startUp(['--nodes', '0']);
  newer = databaseUrl(up.home).replace('/gatehouse?', '/newer?');
  await runSql(databaseUrl(up.home), 'create database newer');
  await runSql(newer, 'create schema drizzle');
  await runSql(newer, 'create table drizzle.__drizzle_migrations (id serial, hash text, created_at bigint)');
  await runSql(
    newer,
    `insert into drizzle.__drizzle_migrations (hash, created_at) values ('of tomorrow', 4102444800000)`,
  );
});

afterAll(async () => {
  busy.close();
  await old.stop();
  await up.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('what a person has to mend is one line that says what to do, and exit code 2', () => {
  test.for<{ wrong: string; args: () => readonly string[]; says: RegExp }>([
    { wrong: 'the port is in use', args: () => at('a', '--port', `${busyPort}`), says: /port \d+ is in use: .*--port/ },
    {
      wrong: 'the home lies below a file',
      args: () => at('file/home'),
      says: /cannot use .*file\/home as home .*--home DIR/,
    },
    { wrong: 'the home is a file', args: () => at('file'), says: /cannot use .*file as home .*--home DIR/ },
    {
      wrong: 'the home cannot be written',
      args: () => ['up', '--home', '/proc/gatehouse'],
      says: /cannot use \/proc\/gatehouse as home .*--home DIR/,
    },
    {
      wrong: 'the database is unreachable',
      args: () => at('b', '--port', '0', '--database-url', 'postgresql://nobody@127.0.0.1:1/none'),
      says: /the database cannot be reached: .*; check --database-url/,
    },
    ...['up', 'gateway'].flatMap((command) => [
      {
        wrong: `${command}: the database is too old`,
        args: () => [command, '--home', join(folder, command), '--port', '0', '--database-url', old.url],
        says: /the database is PostgreSQL 14\.13, gatehouse needs 15 or later: upgrade it, or leave out --database-url/,
      },
      {
        wrong: `${command}: the database's schema is newer than the program`,
        args: () => [command, '--home', join(folder, command), '--port', '0', '--database-url', newer],
        says: /set up by a newer version of gatehouse: run that version, or another database/,
      },
    ]),
    {
      wrong: 'another up has the home',
      args: () => ['up', '--home', up.home, '--port', '0'],
      says: /already runs on .* \(pid \d+\): stop it, or .*--home/,
    },
    {
      wrong: 'pods with networks of their own get loopback addresses',
      args: () => at('c', '--service-cidr', '127.9.0.0/16'),
      says: /127\.9\.0\.0\/16 is loopback, .*only --isolation none uses it/,
    },
    {
      wrong: 'pods without isolation get other addresses than loopback',
      args: () => at('c', '--isolation', 'none', '--cluster-cidr', '10.9.0.0/16'),
      says: /with --isolation none give --cluster-cidr a block inside 127\.0\.0\.0\/8/,
    },
    {
      wrong: 'a machine whose addresses all nodes share has two of them',
      args: () => at('c', '--dataplane', 'userspace', '--nodes', '2'),
      says: /a machine is one node/,
    },
    { wrong: 'the runtime is unknown', args: () => at('c', '--runtime', 'magic'), says: /Allowed choices are auto/ },
    { wrong: 'the option is unknown', args: () => at('c', '--wings'), says: /unknown option '--wings'/ },
    { wrong: 'the number is none', args: () => at('c', '--nodes', 'many'), says: /give a number from 0 to 100/ },
    { wrong: 'the port is none', args: () => at('c', '--port', '70000'), says: /a number from 0 to 65535/ },
    {
      wrong: 'a gateway has no database',
      args: () => ['gateway', '--home', join(folder, 'd')],
      says: /which database\? give --database-url/,
    },
    {
      wrong: 'audit has no kubeconfig',
      args: () => ['audit', 'list', '--kubeconfig', join(folder, 'none')],
      says: /cannot read the kubeconfig .*none: .* --kubeconfig/,
    },
  ])('$wrong', async ({ args, says }) => {
    const { code, stderr } = await gatehouse(args()).ended;
    const lines = stderr
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith('gatehouse: starting '));
    expect(lines.join('\n')).toMatch(says);
    expect(lines.filter((line) => !line.includes('see gatehouse')).length).toBe(1);
    expect(code).toBe(2);
  });
});

function at(home: string, ...more: readonly string[]): readonly string[] {
  return ['up', '--home', join(folder, home), '--nodes', '0', ...more];
}
