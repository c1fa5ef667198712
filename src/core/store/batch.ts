/**
 * One batch on the wire: one message that commits. What became of it is told apart exactly: committed, not committed, or
 * in doubt (the connection went before the answer was there).
 */
import type { Client } from 'pg';
import { byteaArray, int2Array, int8Array, textArray } from '../../std/postgres-array.ts';
import { sendTogether } from './message.ts';
import { refusesValue, sawOtherPresent, wasCancelled } from './outage.ts';
import { kindNumber } from './rows.ts';
import type { Seal } from './rows.ts';
import type { Change, Companion, Statement } from './store.ts';

/** A change with its place in the batch. */
export interface Staged<Row> {
  readonly change: Change;
  readonly rows: readonly Row[];
}

export interface Batch<Row> {
  readonly id: bigint;
  /** The revision before the batch; its changes have the next ones. */
  readonly base: bigint;
  readonly staged: readonly Staged<Row>[];
}

export type Outcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'stale' } // the present is another: nothing was written
  | { readonly kind: 'refused'; readonly error: unknown } // the database refuses one of the values: nothing was written
  | { readonly kind: 'failed'; readonly error: unknown } // nothing was written
  | { readonly kind: 'doubt'; readonly error: unknown };

export interface SendOptions<Row> {
  readonly client: Client;
  readonly companion: Companion<Row> | undefined;
  readonly seal: Seal | undefined;
  /** The gateway that relies on being the holder; null when the writer row is locked in the open transaction. */
  readonly holder: string | null;
  readonly leaseMs: number;
}

const commitSql = 'select from store_commit($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14)';
const commit: Statement = { name: 'store_end', text: 'commit', values: [] };

/** Sends `batch` and waits for its outcome. It is a transaction of its own when `holder` is given, and ends the open one otherwise. */
export async function sendBatch<Row>(batch: Batch<Row>, options: SendOptions<Row>): Promise<Outcome> {
  const { client, companion, seal, holder, leaseMs } = options;
  const statements: Statement[] = [];
  try {
    statements.push({ name: 'store_commit', text: commitSql, values: valuesOf(batch, { seal, holder, leaseMs }) });
    const rows = batch.staged.flatMap((staged) => staged.rows);
    if (companion !== undefined && rows.length > 0) statements.push(companion.insert(rows));
    if (holder === null) statements.push(commit);
  } catch (error) {
    return { kind: 'failed', error }; // nothing was sent
  }
  const [answer] = await Promise.allSettled([sendTogether(client, statements)]);
  return outcomeOf(answer, holder === null);
}

/** What the answer to a batch's message says about it. `ending`: the message ended an open transaction. */
export function outcomeOf(answer: PromiseSettledResult<string>, ending: boolean): Outcome {
  if (answer.status === 'fulfilled') {
    // A transaction that had failed before is rolled back by COMMIT, without an error.
    if (!ending || answer.value === 'COMMIT') return { kind: 'committed' };
    return { kind: 'failed', error: new Error(`COMMIT was answered ${answer.value}`) };
  }
  const error: unknown = answer.reason;
  if (sawOtherPresent(error)) return { kind: 'stale' };
  if (refusesValue(error)) return { kind: 'refused', error };
  return { kind: wasCancelled(error) ? 'failed' : 'doubt', error };
}

function valuesOf<Row>(
  batch: Batch<Row>,
  { seal, holder, leaseMs }: { seal: Seal | undefined; holder: string | null; leaseMs: number },
): Statement['values'] {
  const changes = batch.staged.map((staged) => staged.change);
  const keys = changes.map((change) => change.stored.key);
  const count = (kind: Change['kind']): string => changes.filter((change) => change.kind === kind).length.toString();
  return [
    batch.base.toString(),
    batch.id.toString(),
    holder,
    holder === null ? 't' : 'f', // notify: a holder is alone, nobody listens
    `${leaseMs} milliseconds`,
    count('added'),
    count('modified'),
    count('deleted'),
    int2Array(changes.map((change) => kindNumber(change.kind))),
    textArray(keys.map((key) => key.resource)),
    textArray(keys.map((key) => key.namespace)),
    textArray(keys.map((key) => key.name)),
    int8Array(changes.map((change) => change.previous?.revision)),
    byteaArray(
      changes.map(({ stored: { key, json } }) => (seal?.covers(key.resource) === true ? seal.seal(key, json) : json)),
    ),
  ];
}
