/**
 * Reads the trail: pages newest first, one request by its audit id, and the trail as it grows.
 *
 * Following is without gaps although transactions commit out of order. Every row carries the transaction that wrote it;
 * the horizon is the oldest transaction still running. What is below it is settled: nothing can be added there any more.
 * A reader only ever sees rows below the horizon, in the order (transaction, sequence), and continues there.
 */
import { and, asc, desc, eq, gte, inArray, lt, ne, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import type { Pool } from 'pg';
import type { Clock } from '../std/clock.ts';
import { badRequest, notFound, unavailable } from '../api/status.ts';
import type { StatusError } from '../api/status.ts';
import { receivedAtOf } from './audit-id.ts';
import { auditGroup, toDetail, toList, toRecord } from './record.ts';
import type { AuditDetail, AuditRecord, AuditRecordList } from './record.ts';
import { auditEvents, auditFacts } from './schema.ts';

/** Which rows. An absent field does not restrict. Times are milliseconds since the epoch: since ≤ receipt < until. */
export interface AuditFilter {
  /** The user a request ran as. */
  readonly user?: string;
  readonly verb?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Only what authentication or authorization refused. */
  readonly denied?: boolean;
  readonly since?: number;
  readonly until?: number;
}

/** What a follower is sent: rows, and now and then the cursor it can continue from after it was cut off. */
export type TailItem =
  | { readonly kind: 'record'; readonly record: AuditRecord; readonly cursor: string }
  | { readonly kind: 'bookmark'; readonly cursor: string };

/** Every method throws ServiceUnavailable while the database is away. */
export interface AuditQuery {
  /** Newest first by time of receipt. `page.continue` is '' or the token of the page before; throws BadRequest when it is neither. */
  list(filter: AuditFilter, page: { readonly limit: number; readonly continue: string }): Promise<AuditRecordList>;
  /** Throws NotFound for an unknown id. */
  get(auditID: string): Promise<AuditDetail>;
  /** Rows committed after `cursor` (undefined: from now on), each once, until `signal` aborts. Throws BadRequest at once for a malformed cursor. */
  follow(filter: AuditFilter, cursor: string | undefined, signal: AbortSignal): AsyncIterable<TailItem>;
}

const pollMs = 250; // chosen, not measured: a person sees it as at once, the database hardly at all
const bookmarkMs = 5000;
const tailRows = 500;
const maxLimit = 1000;
const events = { group: auditGroup, resource: 'events' };

/** Reads over `pool`. */
export function createAuditQuery({ pool, clock }: { readonly pool: Pool; readonly clock: Clock }): AuditQuery {
  const db = drizzle({ client: pool });

  const rowsOf = (where: SQL | undefined, order: readonly SQL[], limit: number) =>
    reading(() =>
      db
        .select()
        .from(auditFacts)
        .where(where)
        .orderBy(...order)
        .limit(limit),
    );

  const horizon = async (): Promise<bigint> => {
    const result = await reading(() =>
      db.execute<{ xmin: string }>(sql`SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin`),
    );
    return BigInt(result.rows[0]?.xmin ?? '0');
  };

  return {
    list: async (filter, page) => {
      const limit = Math.min(Math.max(page.limit, 1), maxLimit);
      const after = page.continue === '' ? undefined : before(readToken(page.continue));
      // Served by audit_facts_time, or by audit_facts_user and audit_facts_denied where those filter better.
      const rows = await rowsOf(and(conditions(filter), after), newestFirst, limit + 1);
      const last = rows.length > limit ? rows[limit - 1] : undefined;
      return toList(rows.slice(0, limit).map(toRecord), last === undefined ? '' : writeToken(last));
    },

    get: async (auditID) => {
      if (!uuid.test(auditID)) throw notFound(events, auditID);
      const at = receivedAtOf(auditID);
      const found = and(
        eq(auditFacts.auditID, auditID),
        at === undefined ? undefined : eq(auditFacts.receivedAt, new Date(at)),
      );
      const rows = await reading(() =>
        db
          .select({ fact: auditFacts, event: auditEvents.event })
          .from(auditFacts)
          .leftJoin(
            auditEvents,
            and(
              eq(auditEvents.gateway, auditFacts.gateway),
              eq(auditEvents.epoch, auditFacts.epoch),
              eq(auditEvents.sequence, auditFacts.sequence),
              eq(auditEvents.receivedAt, auditFacts.receivedAt),
            ),
          )
          .where(found)
          .orderBy(asc(auditFacts.gateway), asc(auditFacts.epoch), asc(auditFacts.sequence))
          .limit(maxLimit),
      );
      if (rows.length === 0) throw notFound(events, auditID);
      const bytes = rows.flatMap(({ event }) => (event === null ? [] : [event]));
      return toDetail(
        auditID,
        rows.map(({ fact }) => toRecord(fact)),
        bytes.map((event): unknown => JSON.parse(event.toString())),
      );
    },

    follow: (filter, cursor, signal) =>
      followFrom(filter, cursor === undefined ? undefined : readCursor(cursor), signal),
  };

  async function* followFrom(
    filter: AuditFilter,
    cursor: Cursor | undefined,
    signal: AbortSignal,
  ): AsyncIterable<TailItem> {
    let from = cursor ?? { xact: await horizon(), sequence: -1n };
    let marked = clock.monotonic();
    yield { kind: 'bookmark', cursor: writeCursor(from) }; // cut off before the first row, a reader still knows where it stood
    while (!signal.aborted) {
      const settled = await horizon();
      const rows =
        settled > from.xact ? await rowsOf(and(conditions(filter), between(from, settled)), asWritten, tailRows) : [];
      for (const row of rows) {
        from = { xact: row.xact, sequence: row.sequence };
        yield { kind: 'record', record: toRecord(row), cursor: writeCursor(from) };
      }
      if (rows.length === tailRows) continue;
      if (settled > from.xact) from = { xact: settled, sequence: -1n };
      if (clock.monotonic() - marked >= bookmarkMs) {
        marked = clock.monotonic();
        yield { kind: 'bookmark', cursor: writeCursor(from) };
      }
      await pause(clock, signal);
    }
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const newestFirst = [
  desc(auditFacts.receivedAt),
  desc(auditFacts.gateway),
  desc(auditFacts.epoch),
  desc(auditFacts.sequence),
];
const asWritten = [asc(auditFacts.xact), asc(auditFacts.sequence)];

function conditions(filter: AuditFilter): SQL | undefined {
  const { user, verb, group, resource, subresource, namespace, name, denied, since, until } = filter;
  return and(
    ne(auditFacts.stage, 'RequestReceived'), // a stage with an answer follows
    user === undefined ? undefined : eq(auditFacts.user, user),
    verb === undefined ? undefined : eq(auditFacts.verb, verb),
    group === undefined ? undefined : eq(auditFacts.group, group),
    resource === undefined ? undefined : eq(auditFacts.resource, resource),
    subresource === undefined ? undefined : eq(auditFacts.subresource, subresource),
    namespace === undefined ? undefined : eq(auditFacts.namespace, namespace),
    name === undefined ? undefined : eq(auditFacts.name, name),
    // Spelled as the partial index is; the codes leave out what failed before anybody was asked.
    denied === true ? and(sql`NOT ${auditFacts.allowed}`, inArray(auditFacts.code, [401, 403])) : undefined,
    since === undefined ? undefined : gte(auditFacts.receivedAt, new Date(since)),
    until === undefined ? undefined : lt(auditFacts.receivedAt, new Date(until)),
  );
}

interface Token {
  readonly receivedAt: number;
  readonly gateway: string;
  readonly epoch: bigint;
  readonly sequence: bigint;
}

function before({ receivedAt, gateway, epoch, sequence }: Token): SQL {
  const { receivedAt: a, gateway: b, epoch: c, sequence: d } = auditFacts;
  return sql`(${a}, ${b}, ${c}, ${d}) < (${new Date(receivedAt).toISOString()}::timestamptz, ${gateway}::text, ${epoch}::bigint, ${sequence}::bigint)`;
}

function writeToken(row: { receivedAt: Date; gateway: string; epoch: bigint; sequence: bigint }): string {
  const parts = [row.receivedAt.getTime(), row.epoch.toString(), row.sequence.toString(), row.gateway];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function readToken(token: string): Token {
  const parts = parseJson(Buffer.from(token, 'base64url').toString());
  if (!Array.isArray(parts)) throw badToken();
  const [receivedAt, epoch, sequence, gateway]: readonly unknown[] = parts;
  if (typeof receivedAt !== 'number' || !Number.isSafeInteger(receivedAt) || Math.abs(receivedAt) > 8.64e15)
    throw badToken();
  if (typeof gateway !== 'string' || !isCount(epoch) || !isCount(sequence)) throw badToken();
  return { receivedAt, gateway: gateway.replaceAll('\0', ''), epoch: BigInt(epoch), sequence: BigInt(sequence) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // answered as a malformed token
  }
}

/** A number that fits a bigint column. */
function isCount(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,18}$/.test(value);
}

function badToken(): StatusError {
  return badRequest('continue: not a token that a list gave: begin the list again');
}

interface Cursor {
  readonly xact: bigint;
  readonly sequence: bigint;
}

function between(from: Cursor, settled: bigint): SQL {
  const { xact, sequence } = auditFacts;
  // The first condition is implied by the second; it is the one that the range index understands.
  return sql`${xact} >= ${from.xact}::bigint AND (${xact}, ${sequence}) > (${from.xact}::bigint, ${from.sequence}::bigint) AND ${xact} < ${settled}::bigint`;
}

function writeCursor({ xact, sequence }: Cursor): string {
  return `${xact}.${sequence}`;
}

function readCursor(text: string): Cursor {
  const match = /^(\d{1,18})\.(-1|\d{1,18})$/.exec(text);
  if (match === null)
    throw badRequest('resourceVersion: not a cursor that following the trail gave: leave it out to begin now');
  return { xact: BigInt(match[1] ?? ''), sequence: BigInt(match[2] ?? '') };
}

async function pause(clock: Clock, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(pollMs, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** drizzle's error message holds the statement's parameters: only what is beneath it goes on, and as a cause. */
async function reading<T>(read: () => PromiseLike<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    throw unavailable('the audit trail cannot be read at the moment', 1, cause);
  }
}
