import { readMigrationFiles } from 'drizzle-orm/migrator';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createStore } from '../../../src/core/store/create-store.ts';
import { migrate } from '../../../src/core/store/migrate.ts';
import type { Mutation, Store, Verdict } from '../../../src/core/store/store.ts';
import { StatusError } from '../../../src/api/status.ts';
import type { Running } from '../../../src/std/stop.ts';
import { systemClock as clock } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { startCutProxy } from '../../support/cut-proxy.ts';
import { runSql, startTestPostgres } from '../../support/postgres.ts';
import type { TestPostgres } from '../../support/postgres.ts';

let postgres: TestPostgres;
const open: Running[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.stop();
});
afterAll(async () => {
  await postgres.stop();
});

async function store(url: string): Promise<Store> {
  const made = await createStore({ url, clock, log: silentLogger });
  open.push(made);
  return made;
}

function pod(name: string): Extract<Mutation, { kind: 'create' }> {
  return {
    kind: 'create',
    key: { resource: 'pods', namespace: 'shop', name },
    object: { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop' } },
  };
}

const noRows = (): [] => [];

test('a connection lost after COMMIT arrived: the write is answered committed, once', async () => {
  const proxy = await startCutProxy(await postgres.createDatabase());
  open.push(proxy);
  const gateway = await store(proxy.url);
  await gateway.write(pod('before'), noRows);
  proxy.cutAt('commit', true);
  const verdict = await gateway.write(pod('web'), noRows);
  expect(proxy.cuts()).toBe(1);
  expect(verdict.outcome).toBe('committed');
  const rows = await runSql(postgresUrl(proxy.url), `select from store_changes where name = 'web'`);
  expect(rows).toHaveLength(1);
  expect((await gateway.write(pod('after'), noRows)).outcome).toBe('committed');
});

test('a connection lost before COMMIT arrived: the write is refused as not written, and is not', async () => {
  const proxy = await startCutProxy(await postgres.createDatabase());
  open.push(proxy);
  const gateway = await store(proxy.url);
  await gateway.write(pod('before'), noRows);
  proxy.cutAt('commit', false);
  await expect(gateway.write(pod('web'), noRows)).rejects.toMatchObject({ reason: 'ServiceUnavailable' });
  expect(await gateway.get(pod('web').key, { kind: 'current' })).toBeUndefined();
  expect((await gateway.write(pod('web'), noRows)).outcome).toBe('committed');
});

test('connections lost under many writers: each answer is true, nothing is there twice', async () => {
  const proxy = await startCutProxy(await postgres.createDatabase());
  open.push(proxy);
  const gateway = await store(proxy.url);
  await gateway.write(pod('before'), noRows);
  const committed: string[] = [];
  const refused = new Set<unknown>();
  const ending = new AbortController();
  const writers = Array.from({ length: 64 }, async (_, writer) => {
    for (let turn = 0; !ending.signal.aborted; turn++) {
      const name = `pod-${writer}-${turn}`;
      try {
        revisionOf(await gateway.write(pod(name), noRows));
        committed.push(name);
      } catch (error) {
        refused.add(error instanceof StatusError ? error.reason : error);
      }
    }
  });
  for (let cut = 0; cut < 12; cut++) {
    proxy.cutAt('store_commit', cut % 2 === 0);
    await eventually(async () => expect(proxy.cuts()).toBe(cut + 1));
    const before = committed.length;
    await eventually(async () => expect(committed.length).toBeGreaterThan(before + 64));
  }
  ending.abort();
  await Promise.all(writers);
  const kept = await runSql<{ name: string }>(
    postgresUrl(proxy.url),
    `select name from store_changes where name <> 'before' order by name collate "C"`,
  );
  expect(kept.map((row) => row.name)).toEqual(committed.toSorted());
  expect([...refused]).toEqual(['ServiceUnavailable']);
  const [row] = await runSql<{ gap: string }>(
    postgresUrl(proxy.url),
    'select count(*) - count(o.revision) as gap from store_changes c left join store_objects o using (revision)',
  );
  expect(row?.gap).toBe('0');
});

/** The same database, not through the relay. */
function postgresUrl(url: string): string {
  const direct = new URL(url.replace('@/', '@localhost/'));
  direct.searchParams.set(
    'host',
    new URL(postgres.server.url.replace('@/', '@localhost/')).searchParams.get('host') ?? '',
  );
  return direct.href.replace('@localhost/', '@/');
}

test('two gateways read each other’s writes as soon as they are answered', async () => {
  const url = await postgres.createDatabase();
  const [a, b] = [await store(url), await store(url)];
  for (let turn = 0; turn < 20; turn++) {
    const [writer, reader] = turn % 2 === 0 ? [a, b] : [b, a];
    const verdict = await writer.write(pod(`pod-${turn}`), noRows);
    expect(verdict.outcome).toBe('committed');
    const found = await reader.get(pod(`pod-${turn}`).key, { kind: 'current' });
    expect(found?.revision).toBe(revisionOf(verdict));
  }
});

test('of concurrent writers on two gateways exactly one wins each revision, and both see all changes in one order', async () => {
  const url = await postgres.createDatabase();
  const gateways = [await store(url), await store(url)];
  const seen: string[][] = [[], []];
  await Promise.all(
    gateways.map((gateway, i) =>
      gateway.observe('pods', ({ kind, stored }) => seen[i]?.push(`${stored.revision} ${kind} ${stored.key.name}`)),
    ),
  );
  await gateways[0]?.write(pod('counter'), noRows);
  let wins = 0;
  await Promise.all(
    gateways.flatMap((gateway) =>
      Array.from({ length: 4 }, async () => {
        for (let turn = 0; turn < 10; turn++) {
          const current = await gateway.get(pod('counter').key, { kind: 'current' });
          const verdict = await gateway.write(
            { ...pod('counter'), kind: 'update', expected: current?.revision ?? 0n },
            noRows,
          );
          if (verdict.outcome === 'committed') wins += 1;
        }
      }),
    ),
  );
  const [row] = await runSql<{ n: string }>(url, 'select count(*) as n from store_changes where kind = 1');
  expect(Number(row?.n)).toBe(wins);
  await Promise.all(
    gateways.map((gateway) =>
      gateway.list({
        resource: 'pods',
        namespace: undefined,
        fresh: { kind: 'current' },
        limit: undefined,
        after: undefined,
        matches: undefined,
      }),
    ),
  );
  expect(seen[0]).toHaveLength(wins + 1);
  expect(seen[1]).toEqual(seen[0]);
});

test('what was answered committed survives kill -9 of Postgres, and the store goes on by itself', async () => {
  const own = await startTestPostgres();
  open.push(own);
  const url = await own.createDatabase();
  const gateway = await store(url);
  const acknowledged: string[] = [];
  const reasons = new Set<string>();
  const killed = new AbortController();
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let turn = 0; !killed.signal.aborted || turn < 30; turn++) {
      const name = `pod-${writer}-${turn}`;
      try {
        const verdict = await gateway.write(pod(name), noRows);
        if (verdict.outcome === 'committed') acknowledged.push(name);
      } catch (error) {
        reasons.add(error instanceof StatusError ? error.reason : String(error));
        await clock.sleep(20);
      }
    }
  });
  await clock.sleep(300);
  process.kill(own.server.pid(), 'SIGKILL');
  killed.abort();
  await Promise.all(writers);
  expect([...reasons].filter((reason) => reason !== 'ServiceUnavailable')).toEqual([]);
  // Backends that were busy outlive the killed server for a moment and still commit: ask the new one.
  const kept = new Set<string>();
  await eventually(async () => {
    for (const { name } of await runSql<{ name: string }>(url, 'select name from store_objects')) kept.add(name);
  });
  expect(acknowledged.filter((name) => !kept.has(name))).toEqual([]);
  const listed = await gateway.list({
    resource: 'pods',
    namespace: 'shop',
    fresh: { kind: 'current' },
    limit: undefined,
    after: undefined,
    matches: undefined,
  });
  expect(listed.items.map((item) => item.key.name)).toEqual([...kept].toSorted());
});

test('a database of a newer program is refused with a message that says so', async () => {
  const url = await postgres.createDatabase();
  await migrate(url);
  await runSql(url, `insert into drizzle.__drizzle_migrations (hash, created_at) values ('later', 4102444800000)`);
  await expect(migrate(url)).rejects.toMatchObject({
    why: 'schema-newer',
    message: expect.stringContaining('newer version'),
  });
});

test('several that come at once find one schema, and each migration noted once', async () => {
  const url = await postgres.createDatabase();
  await Promise.all([migrate(url), migrate(url), migrate(url)]);
  const noted = await runSql(url, 'select created_at from drizzle.__drizzle_migrations');
  expect(noted).toHaveLength(readMigrationFiles({ migrationsFolder: 'migrations' }).length);
});

test('the list of migrations that first databases kept is carried over, and none is applied again', async () => {
  const url = await postgres.createDatabase();
  await migrate(url);
  await runSql(url, 'create table gatehouse_migrations as select id as number from drizzle.__drizzle_migrations');
  await runSql(url, 'drop schema drizzle cascade');
  await migrate(url);
  expect(await runSql(url, 'select from drizzle.__drizzle_migrations')).toHaveLength(3);
  expect(await runSql(url, `select to_regclass('gatehouse_migrations') as old`)).toEqual([{ old: null }]);
});

test('a database that is not there is refused with a message of one line', async () => {
  await expect(migrate('postgresql://x@127.0.0.1:1/none')).rejects.toMatchObject({
    why: 'unreachable',
    message: expect.stringMatching(/^the database cannot be reached: [^\n]+$/),
  });
});

async function eventually(check: () => Promise<void>): Promise<void> {
  const giveUpAt = clock.monotonic() + 20_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (clock.monotonic() > giveUpAt) throw error;
    }
    await clock.sleep(50);
  }
}

function revisionOf(verdict: Verdict): bigint {
  if (verdict.outcome !== 'committed') throw new Error(`not committed but ${verdict.outcome}`);
  return verdict.stored.revision;
}
