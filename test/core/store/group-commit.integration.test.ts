import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createStore } from '../../../src/core/store/create-store.ts';
import type { Companion, Mutation, Store, Verdict } from '../../../src/core/store/store.ts';
import type { Running } from '../../../src/std/stop.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { textArray } from '../../../src/std/postgres-array.ts';
import { runSql, startTestPostgres } from '../../support/postgres.ts';
import type { TestPostgres } from '../../support/postgres.ts';

interface Row {
  readonly text: string;
}

/** A companion like audit's: one statement for all rows of the batch. */
const companion: Companion<Row> = {
  insert: (rows) => ({
    name: 'insert_rows',
    text: 'insert into companion_rows select * from unnest($1::text[])',
    values: [textArray(rows.map((row) => row.text))],
  }),
};

let postgres: TestPostgres;
const stores: Running[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.stop()));
});
afterAll(async () => {
  await postgres.stop();
});

async function open(url: string): Promise<Store<Row>> {
  const store = await createStore<Row>({ url, companion, clock: systemClock, log: silentLogger });
  stores.push(store);
  return store;
}

async function database(): Promise<string> {
  const url = await postgres.createDatabase();
  await runSql(url, 'create table companion_rows (text text not null)');
  return url;
}

function pod(name: string, more: object = {}): Extract<Mutation, { kind: 'create' }> {
  return {
    kind: 'create',
    key: { resource: 'pods', namespace: 'shop', name },
    object: { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop' }, ...more },
  };
}

const recorded =
  (text: string) =>
  (revision: bigint): Row[] => [{ text: `${text} ${revision}` }];

test('every write of a batch gets its own verdict, and revisions follow the order of writing', async () => {
  const store = await open(await database());
  const first = await store.write(pod('a'), recorded('a'));
  expect(first.outcome).toBe('committed');
  const verdicts = await Promise.all([
    store.write(pod('b'), recorded('b')),
    store.write(pod('a'), recorded('again')),
    store.write({ ...pod('a'), kind: 'update', expected: 999n }, recorded('stale')),
    store.write({ kind: 'delete', key: pod('gone').key, expected: 2n }, recorded('gone')),
    store.write(pod('c'), recorded('c')),
  ]);
  expect(verdicts.map((verdict) => verdict.outcome)).toEqual([
    'committed',
    'exists',
    'conflict',
    'not-found',
    'committed',
  ]);
  expect(revisionOf(verdicts[4]) - revisionOf(verdicts[0])).toBe(1n);
});

test('the rows of a change are there exactly when the change is', async () => {
  const url = await database();
  const store = await open(url);
  const verdicts = await Promise.all(['a', 'b', 'a', 'c', 'b'].map((name) => store.write(pod(name), recorded(name))));
  const expected = verdicts.flatMap((verdict) =>
    verdict.outcome === 'committed' ? [`${verdict.stored.key.name} ${verdict.stored.revision}`] : [],
  );
  const rows = await runSql<Row>(url, 'select text from companion_rows order by text');
  expect(rows.map((row) => row.text)).toEqual(expected.toSorted());
  expect(expected).toHaveLength(3);
});

test('a write that the database rejects fails alone, and its batch commits', async () => {
  const url = await database();
  const store = await open(url);
  const verdicts = await Promise.all([
    ...Array.from({ length: 20 }, (_, i) => store.write(pod(`good-${i}`), recorded(`good-${i}`))),
    store.write(pod('bad'), () => [{ text: 'a NUL \0 is no text for Postgres' }]),
    store.write(pod('nul\0name'), recorded('nul')),
    store.write(pod('large', { data: 'x'.repeat(2 ** 21) }), recorded('large')),
    ...Array.from({ length: 20 }, (_, i) => store.write(pod(`more-${i}`), recorded(`more-${i}`))),
  ]);
  const outcomes = verdicts.map((verdict) => verdict.outcome);
  expect(outcomes.slice(20, 23)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(outcomes.filter((outcome) => outcome === 'committed')).toHaveLength(40);
  const [row] = await runSql<{ rows: string; objects: string }>(
    url,
    'select (select count(*) from companion_rows) as rows, (select count(*) from store_objects) as objects',
  );
  expect(row).toEqual({ rows: '40', objects: '40' });
  expect((await store.write(pod('bad'), recorded('bad'))).outcome).toBe('committed');
});

test('writes that the database rejects fail alone among many writers', async () => {
  const url = await database();
  const store = await open(url);
  const outcomes = new Map<string, number>();
  await Promise.all(
    Array.from({ length: 64 }, async (_, writer) => {
      const created = await store.write(pod(`w-${writer}`), () => [{ text: `w-${writer} 0` }]);
      let expected = revisionOf(created);
      for (let turn = 1; turn <= 12; turn++) {
        const bad = writer === 7 && turn % 4 === 0;
        const text = bad ? 'a NUL \0 is no text' : `w-${writer} ${turn}`;
        const verdict = await store.write({ ...pod(`w-${writer}`), kind: 'update', expected }, () => [{ text }]);
        outcomes.set(verdict.outcome, (outcomes.get(verdict.outcome) ?? 0) + 1);
        if (verdict.outcome === 'committed') expected = revisionOf(verdict);
      }
    }),
  );
  expect(Object.fromEntries(outcomes)).toEqual({ committed: 64 * 12 - 3, rejected: 3 });
  const [row] = await runSql<{ rows: string; changes: string; chained: string }>(
    url,
    `select (select count(*) from companion_rows) as rows, count(*) as changes,
            count(*) filter (where c.kind = 0 or p.name = c.name and p.revision < c.revision) as chained
     from store_changes c left join store_changes p on p.revision = c.previous`,
  );
  const changes = String(64 * 13 - 3);
  expect(row).toEqual({ rows: changes, changes, chained: changes });
});

test('a record that throws fails its own write and nothing else', async () => {
  const store = await open(await database());
  const [broken, fine] = await Promise.allSettled([
    store.write(pod('broken'), () => {
      throw new Error('no record');
    }),
    store.write(pod('fine'), recorded('fine')),
  ]);
  expect(broken.status).toBe('rejected');
  expect(fine).toMatchObject({ status: 'fulfilled', value: { outcome: 'committed' } });
  expect(await store.get(pod('broken').key, { kind: 'current' })).toBeUndefined();
});

test('observers have seen a change, in order, before its write is answered', async () => {
  const store = await open(await database());
  await store.write(pod('before'), recorded('before'));
  const seen: string[] = [];
  await store.observe('pods', ({ kind, stored }) => seen.push(`${kind} ${stored.key.name}`));
  const created = await store.write(pod('web'), recorded('web'));
  expect(seen).toEqual(['added before', 'added web']);
  const updated = await store.write({ ...pod('web'), kind: 'update', expected: revisionOf(created) }, recorded('web'));
  await store.write({ kind: 'delete', key: pod('web').key, expected: revisionOf(updated) }, recorded('web'));
  expect(seen.slice(2)).toEqual(['modified web', 'deleted web']);
});

test('what was committed is there for the next process', async () => {
  const url = await database();
  const first = await open(url);
  const written = await first.write(pod('web', { spec: { nodeName: 'n1' } }), recorded('web'));
  await stores.pop()?.stop();
  const second = await open(url);
  const found = await second.get(pod('web').key, { kind: 'any' });
  expect(found?.revision).toBe(revisionOf(written));
  expect(found?.object).toMatchObject({
    spec: { nodeName: 'n1' },
    metadata: { resourceVersion: String(found?.revision) },
  });
});

function revisionOf(verdict: Verdict | undefined): bigint {
  if (verdict?.outcome !== 'committed') throw new Error(`not committed but ${verdict?.outcome}`);
  return verdict.stored.revision;
}
