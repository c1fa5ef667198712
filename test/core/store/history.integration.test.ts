import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createStore } from '../../../src/core/store/create-store.ts';
import { compactTo } from '../../../src/core/store/compaction.ts';
import { createSealing, newSealingKey } from '../../../src/core/store/sealing.ts';
import { Link } from '../../../src/core/store/link.ts';
import { WatchCache } from '../../../src/core/store/watch-cache.ts';
import type {
  Freshness,
  ListPage,
  Mutation,
  Store,
  Stored,
  Verdict,
  WatchSignal,
} from '../../../src/core/store/store.ts';
import type { Running } from '../../../src/std/stop.ts';
import { systemClock as clock } from '../../../src/std/clock.ts';
import { silentLogger as log } from '../../../src/std/log.ts';
import { runSql, startTestPostgres } from '../../support/postgres.ts';
import type { TestPostgres } from '../../support/postgres.ts';

let postgres: TestPostgres;
let url: string;
let store: Store & Running;
const key = newSealingKey();

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(async () => {
  await postgres.stop();
});
beforeEach(async () => {
  url = await postgres.createDatabase();
  await restart();
  return () => store.stop();
});

/** A new process on the same database: nothing is in memory any more. */
async function restart(): Promise<void> {
  await store?.stop();
  store = await createStore({ url, clock, log, seal: createSealing([key]) });
}

function pod(name: string, turn = 0, resource = 'pods'): Extract<Mutation, { kind: 'create' }> {
  return {
    kind: 'create',
    key: { resource, namespace: 'shop', name },
    object: { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop' }, turn },
  };
}

async function commit(mutation: Mutation): Promise<Stored> {
  const verdict: Verdict = await store.write(mutation, () => []);
  if (verdict.outcome !== 'committed') throw new Error(verdict.outcome);
  return verdict.stored;
}

async function list(fresh: Freshness, more: { limit?: number; after?: string } = {}): Promise<ListPage> {
  return store.list({
    resource: 'pods',
    namespace: 'shop',
    fresh,
    limit: more.limit,
    after: more.after === undefined ? undefined : { namespace: 'shop', name: more.after },
    matches: undefined,
  });
}

const shown = (page: ListPage): string[] => page.items.map((item) => `${item.key.name}=${String(item.object['turn'])}`);

/** Compacts as another gateway would, so that this one hears of it only by reading. */
async function compactElsewhere(revision: bigint): Promise<void> {
  const link = new Link({ url, name: 'test', log, pipeline: false, answerMs: 5000, settings: '' });
  await compactTo({ link, cache: new WatchCache(log) }, revision);
  await link.stop();
}

test.for([
  { guarantees: 'from memory', again: false },
  { guarantees: 'from the log, after a restart', again: true },
])('a list continues at the revision of its first page, whatever was written since: $guarantees', async ({ again }) => {
  const made = new Map<string, Stored>();
  for (const name of ['a', 'b', 'c', 'd']) made.set(name, await commit(pod(name)));
  const first = await list({ kind: 'current' }, { limit: 2 });
  expect(shown(first)).toEqual(['a=0', 'b=0']);
  expect(first).toMatchObject({ more: true, remaining: 2 });

  const changed = await commit({ ...pod('c', 1), kind: 'update', expected: made.get('c')?.revision ?? 0n });
  await commit({ ...pod('c', 2), kind: 'update', expected: changed.revision });
  await commit({ kind: 'delete', key: pod('d').key, expected: made.get('d')?.revision ?? 0n });
  await commit(pod('bb'));
  if (again) await restart();

  const rest = await list({ kind: 'exact', revision: first.revision }, { after: 'b' });
  expect(shown(rest)).toEqual(['c=0', 'd=0']);
  expect(rest).toMatchObject({ more: false, remaining: 0, revision: first.revision });
  expect(shown(await list({ kind: 'current' }))).toEqual(['a=0', 'b=0', 'bb=0', 'c=2']);
  const was = await store.get(pod('d').key, { kind: 'exact', revision: first.revision });
  expect(was?.json.toString()).toBe(made.get('d')?.json.toString());
});

test.for([
  { guarantees: 'from memory', again: false },
  { guarantees: 'from the log, after a restart', again: true },
])(
  'a watch yields every change after its revision, in order, and goes on with new ones: $guarantees',
  async ({ again }) => {
    const from = (await commit(pod('a'))).revision;
    const b = await commit(pod('b'));
    await commit({ ...pod('b', 1), kind: 'update', expected: b.revision });
    await commit(pod('other', 0, 'services'));
    if (again) await restart();
    const stop = new AbortController();
    const signals = store.watch({ resource: 'pods', namespace: 'shop', from, bookmarkMs: 60_000 }, stop.signal);
    const seen: string[] = [];
    for await (const signal of signals) {
      seen.push(shownSignal(signal));
      if (seen.length === 2) await commit(pod('c'));
      if (seen.length === 3) stop.abort();
    }
    expect(seen).toEqual(['added b=0', 'modified b=1 was 0', 'added c=0']);
  },
);

test('a bookmark says how far a watch has seen, though nothing of its resource changed', async () => {
  const stop = new AbortController();
  const signals = store.watch({ resource: 'pods', namespace: undefined, from: undefined, bookmarkMs: 50 }, stop.signal);
  const { revision } = await commit(pod('other', 0, 'services'));
  for await (const signal of signals) {
    if (signal.kind === 'bookmark' && signal.revision === revision) stop.abort();
  }
  expect(stop.signal.aborted).toBe(true);
});

test('behind a compaction reads and watches expire; the present stays, also for the next process', async () => {
  const a = await commit(pod('a'));
  const b = await commit(pod('b'));
  const changed = await commit({ ...pod('a', 1), kind: 'update', expected: a.revision });
  await commit({ kind: 'delete', key: pod('b').key, expected: b.revision });
  const present = store.revision();
  await compactElsewhere(present);
  await restart();
  expect(shown(await list({ kind: 'current' }))).toEqual(['a=1']);
  expect(shown(await list({ kind: 'exact', revision: present }))).toEqual(['a=1']);
  const expired = expect.objectContaining({ reason: 'Expired', code: 410 });
  await expect(list({ kind: 'exact', revision: a.revision })).rejects.toEqual(expired);
  const watching = store.watch(
    { resource: 'pods', namespace: undefined, from: a.revision, bookmarkMs: 1000 },
    new AbortController().signal,
  );
  await expect(watching[Symbol.asyncIterator]().next()).rejects.toEqual(expired);
  const kept = await runSql<{ revision: string }>(url, 'select revision from store_changes');
  expect(kept.map((row) => row.revision)).toEqual([changed.revision.toString()]);
});

test('a revision that is yet to come times out and says what is there', async () => {
  const asked = store.revision() + 100n;
  const stop = AbortSignal.timeout(200);
  await expect(store.get(pod('a').key, { kind: 'at-least', revision: asked }, stop)).rejects.toMatchObject({
    reason: 'Timeout',
    message: `Too large resource version: ${asked}, current: ${asked - 100n}`,
  });
});

test('a secret is nowhere in the database in the clear, and readable after a restart', async () => {
  const secret = pod('password', 0, 'secrets');
  await commit({ ...secret, object: { ...secret.object, data: { password: 'aHVudGVyMg==' } } });
  const found = await runSql(url, `select from store_changes where position('aHVudGVyMg'::bytea in body) > 0`);
  expect(found).toHaveLength(0);
  await restart();
  expect((await store.get(secret.key, { kind: 'current' }))?.object).toMatchObject({
    data: { password: 'aHVudGVyMg==' },
  });
});

function shownSignal(signal: WatchSignal): string {
  if (signal.kind === 'bookmark') return 'bookmark';
  const { kind, stored, previous } = signal.change;
  const was = previous === undefined ? '' : ` was ${String(previous.object['turn'])}`;
  return `${kind} ${stored.key.name}=${String(stored.object['turn'])}${was}`;
}
