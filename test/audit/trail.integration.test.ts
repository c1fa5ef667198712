/** The trail in a real Postgres: both lanes, the store's side, queries, following, and a database that goes away. */
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StatusError } from '../../src/api/status.ts';
import { openChain } from '../../src/audit/chain.ts';
import { auditCompanion, insertStatement } from '../../src/audit/insert.ts';
import { newAuditId } from '../../src/audit/audit-id.ts';
import { createAuditQuery } from '../../src/audit/query.ts';
import type { TailItem } from '../../src/audit/query.ts';
import type { AuditRow, Fact } from '../../src/audit/recorder.ts';
import { createAuditSink } from '../../src/audit/sink.ts';
import { migrate } from '../../src/core/store/migrate.ts';
import { deadline, systemClock } from '../../src/std/clock.ts';
import { silentLogger } from '../../src/std/log.ts';
import { startTestPostgres } from '../support/postgres.ts';
import type { TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let pool: Pool;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const url = await postgres.createDatabase();
  await migrate(url);
  pool = new Pool({ connectionString: url, max: 6 });
  pool.on('error', () => {}); // connections that the tests cut
});

afterAll(async () => {
  await pool.end();
  await postgres.stop();
});

const base = Date.UTC(2026, 0, 31, 12);
let chains = 0;

/** A chain of its own for each test: rows built from one valid fact, numbered from 1. */
function chain(): { readonly gateway: string; row: (fact?: Partial<Fact>, event?: object) => AuditRow } {
  const gateway = `gateway-${++chains}`;
  let sequence = 0n;
  return {
    gateway,
    row: (fact = {}, event) => {
      sequence++;
      const receivedAt = fact.receivedAt ?? base + Number(sequence);
      return {
        gateway,
        epoch: 1n,
        sequence,
        event: event === undefined ? undefined : Buffer.from(JSON.stringify(event)),
        fact: {
          auditID: newAuditId(receivedAt),
          stage: 'ResponseComplete',
          level: event === undefined ? 'None' : 'Metadata',
          receivedAt,
          finishedAt: receivedAt + 3,
          user: `user-of-${gateway}`,
          groups: ['dev', 'with "quotes", commas\\'],
          impersonator: '',
          authenticator: 'certificate',
          verb: 'get',
          requestURI: '/api/v1/namespaces/shop/pods/web',
          isResource: true,
          group: '',
          version: 'v1',
          resource: 'pods',
          subresource: '',
          namespace: 'shop',
          name: 'web',
          sourceIPs: ['10.0.0.9'],
          userAgent: 'kubectl',
          traceId: '',
          allowed: true,
          reason: '',
          binding: '',
          code: 200,
          revision: undefined,
          ...fact,
        },
      };
    },
  };
}

const sinkOver = (over: Pick<Pool, 'query'>, options: { durableDeadlineMs?: number; maxQueueBytes?: number } = {}) =>
  createAuditSink({ pool: over, clock: systemClock, log: silentLogger, ...options });
const query = () => createAuditQuery({ pool, clock: systemClock });
const ofChain = async (gateway: string): Promise<readonly bigint[]> => {
  const { rows } = await pool.query<{ sequence: string }>(
    'SELECT sequence FROM audit_facts WHERE gateway = $1 ORDER BY sequence',
    [gateway],
  );
  return rows.map((row) => BigInt(row.sequence));
};

describe('the sink', () => {
  test('a durable row is committed when its promise resolves, with its event', async () => {
    const { row, gateway } = chain();
    const one = row({ code: 403, allowed: false, revision: 9n }, { kind: 'Event' });
    const sink = sinkOver(pool);
    await sink.durable(one);
    expect(await ofChain(gateway)).toEqual([1n]);
    const detail = await query().get(one.fact.auditID);
    expect(detail.events).toEqual([{ kind: 'Event' }]);
    expect(detail.records).toMatchObject([
      { groups: one.fact.groups, sourceIPs: ['10.0.0.9'], revision: '9', decision: 'forbid' },
    ]);
    await sink.stop();
  });

  test('rows that wait together share statements', async () => {
    const { row, gateway } = chain();
    let statements = 0;
    const counting = { query: (...asked: Parameters<Pool['query']>) => (statements++, pool.query(...asked)) };
    const sink = sinkOver(counting as Pick<Pool, 'query'>);
    await Promise.all(Array.from({ length: 500 }, () => sink.durable(row())));
    expect(await ofChain(gateway)).toHaveLength(500);
    expect(statements).toBeLessThan(5);
    await sink.stop();
  });

  test('lazy rows are all there after drain', async () => {
    const { row, gateway } = chain();
    const sink = sinkOver(pool);
    for (let i = 0; i < 2500; i++) sink.lazy(row());
    await sink.drain();
    expect(await ofChain(gateway)).toHaveLength(2500);
    expect(sink.stats()).toMatchObject({ queuedBytes: 0, queuedRows: 0, writtenRows: 2500, lostRows: 0 });
    await sink.stop();
  });

  test('text that breaks out of literals is kept as it is', async () => {
    const { row } = chain();
    const nasty = `"},{x'; DROP TABLE audit_facts; -- \\ null NULL {}`;
    const one = row({ name: nasty, user: 'NULL', userAgent: 'a\0b', groups: [nasty, ''] });
    const sink = sinkOver(pool);
    await sink.durable(one);
    expect((await query().get(one.fact.auditID)).records).toMatchObject([
      { name: nasty, user: 'NULL', userAgent: 'a\uFFFDb', groups: [nasty, ''] },
    ]);
    await sink.stop();
  });

  test('a row the database refuses is given up alone, and counted', async () => {
    const { row, gateway } = chain();
    const sink = sinkOver(pool);
    const fates = await Promise.allSettled([
      sink.durable(row()),
      sink.durable(row({ auditID: 'no uuid' })),
      sink.durable(row()),
    ]);
    expect(fates.map((fate) => fate.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await ofChain(gateway)).toEqual([1n, 3n]);
    await sink.drain();
    const { rows } = await pool.query('SELECT lost::int, first_sequence::int FROM audit_gaps WHERE gateway = $1', [
      gateway,
    ]);
    expect(rows).toEqual([{ lost: 1, first_sequence: 2 }]);
    await sink.stop();
  });

  test('a batch sent again after an unknown outcome is inserted once', async () => {
    const { row, gateway } = chain();
    const batch = [row({}, { kind: 'Event' }), row()];
    await pool.query(insertStatement(batch, false));
    await pool.query(insertStatement(batch, true));
    expect(await ofChain(gateway)).toEqual([1n, 2n]);
  });
});

/** A pool whose database can go away. */
function failing(): { away: boolean; readonly pool: Pick<Pool, 'query'> } {
  const state = { away: true };
  const query = (...asked: Parameters<Pool['query']>): unknown => {
    if (state.away) return Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }));
    return pool.query(...asked);
  };
  return Object.assign(state, { pool: { query } as Pick<Pool, 'query'> });
}

describe('while the database is away', () => {
  test('durable rows are refused after the deadline, and nothing that was taken is lost or doubled', async () => {
    const { row, gateway } = chain();
    const database = failing();
    const sink = sinkOver(database.pool, { durableDeadlineMs: 100 });
    sink.lazy(row());
    await expect(sink.durable(row())).rejects.toThrow(StatusError);
    database.away = false;
    await sink.drain(deadline(10_000));
    expect(await ofChain(gateway)).toEqual([1n, 2n]);
    await sink.stop();
  });

  test('rows beyond the bound are counted in a gap record once it is back', async () => {
    const { row, gateway } = chain();
    const database = failing();
    const sink = sinkOver(database.pool, { maxQueueBytes: 3000 });
    for (let i = 0; i < 10; i++) sink.lazy(row());
    await expect(sink.durable(row())).rejects.toMatchObject({ reason: 'ServiceUnavailable' });
    database.away = false;
    await sink.drain(deadline(10_000));
    const kept = await ofChain(gateway);
    const { rows } = await pool.query<{ lost: number; first: number; last: number }>(
      'SELECT lost::int, first_sequence::int AS first, last_sequence::int AS last FROM audit_gaps WHERE gateway = $1',
      [gateway],
    );
    expect(rows).toEqual([{ lost: 11 - kept.length, first: kept.length + 1, last: 11 }]);
    await sink.stop();
  });
});

test("a change's rows commit or vanish with the transaction they ride in", async () => {
  const { row, gateway } = chain();
  const companion = auditCompanion();
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query(companion.insert([row()]));
  await client.query('ROLLBACK');
  await client.query('BEGIN');
  await client.query(companion.insert([row(), row()]));
  await client.query('COMMIT');
  client.release();
  expect(await ofChain(gateway)).toEqual([2n, 3n]);
});

test('each start of a gateway opens a new epoch', async () => {
  expect([await openChain(pool, 'e1'), await openChain(pool, 'e1'), await openChain(pool, 'e2')]).toEqual([1n, 2n, 1n]);
});

test('today and the days ahead have partitions of their own', async () => {
  const { rows } = await pool.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent = 'audit_facts'::regclass`,
  );
  expect(rows[0]?.n).toBeGreaterThanOrEqual(5);
});

describe('listing', () => {
  const { row, gateway } = chain();
  const user = `user-of-${gateway}`;

  beforeAll(async () => {
    const rows = [
      row({ resource: 'secrets', code: 403, allowed: false }),
      row({ resource: 'deployments', group: 'apps', verb: 'create', namespace: 'prod' }),
      row({ verb: 'list', name: '' }),
      row({ subresource: 'exec', verb: 'create' }),
      row({ code: 400, allowed: false }),
      row({ stage: 'RequestReceived', code: 0 }),
    ];
    await pool.query(insertStatement(rows, false));
  });

  test.for([
    ['everything of the user, newest first', {}, [5, 4, 3, 2, 1]],
    ['by verb', { verb: 'create' }, [4, 2]],
    ['by resource', { resource: 'pods' }, [5, 4, 3]],
    ['by subresource', { resource: 'pods', subresource: 'exec' }, [4]],
    ['by group', { group: 'apps' }, [2]],
    ['by namespace', { namespace: 'prod' }, [2]],
    ['by name', { name: 'web' }, [5, 4, 2, 1]],
    ['only what was refused, not what was malformed', { denied: true }, [1]],
    ['from a time on', { since: base + 4 }, [5, 4]],
    ['before a time', { until: base + 2 }, [1]],
  ] as const)('%s', async ([, filter, expected]) => {
    const { items } = await query().list({ user, ...filter }, { limit: 10, continue: '' });
    expect(items.map((item) => Number(item.sequence))).toEqual(expected);
  });

  test('pages meet without overlap or hole', async () => {
    const seen: string[] = [];
    let next = '';
    do {
      const page = await query().list({ user }, { limit: 2, continue: next });
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map((item) => item.sequence));
      next = page.metadata.continue;
    } while (next !== '');
    expect(seen).toEqual(['5', '4', '3', '2', '1']);
  });

  test('a forged token and an unknown id are refused by name', async () => {
    await expect(query().list({}, { limit: 1, continue: 'eyJ4IjoxfQ' })).rejects.toMatchObject({
      reason: 'BadRequest',
    });
    await expect(query().get(newAuditId(base))).rejects.toMatchObject({ reason: 'NotFound' });
    await expect(query().get("x' OR 1=1")).rejects.toMatchObject({ reason: 'NotFound' });
  });
});

describe('following', () => {
  test('misses nothing although a transaction that began first commits last', async () => {
    const { row, gateway } = chain();
    const stop = new AbortController();
    const signal = deadline(20_000, stop.signal);
    const items = query().follow({ user: `user-of-${gateway}` }, undefined, signal);
    const iterator = items[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toMatchObject({ kind: 'bookmark' });

    const slow = await pool.connect();
    await slow.query('BEGIN');
    await slow.query(insertStatement([row()], false));
    await pool.query(insertStatement([row()], false)); // commits first, and must wait for the one that began before
    await slow.query('COMMIT');
    slow.release();

    const seen: string[] = [];
    let cursor = '';
    while (seen.length < 2) {
      const item = await nextItem(iterator);
      cursor = item.cursor;
      if (item.kind === 'record') seen.push(item.record.sequence);
    }
    expect(seen).toEqual(['1', '2']);

    await pool.query(insertStatement([row(), row()], false)); // while nobody listens
    stop.abort();
    const rest = query().follow({ user: `user-of-${gateway}` }, cursor, deadline(20_000));
    const again = rest[Symbol.asyncIterator]();
    const resumed: string[] = [];
    while (resumed.length < 2) {
      const item = await nextItem(again);
      if (item.kind === 'record') resumed.push(item.record.sequence);
    }
    expect(resumed).toEqual(['3', '4']);
    await again.return?.();
  });

  test('a malformed cursor is refused at once', () => {
    expect(() => query().follow({}, '1; DROP TABLE x', deadline(1000))).toThrow(StatusError);
  });
});

async function nextItem(iterator: AsyncIterator<TailItem>): Promise<TailItem> {
  const next = await iterator.next();
  if (next.done === true) throw new Error('the stream ended early');
  return next.value;
}
