/**
 * One batch on the wire: everything from BEGIN to COMMIT is sent without waiting for answers. What became of it is told
 * apart exactly: committed, not committed, or in doubt (the connection went while COMMIT was under way).
 */
import type { Client } from 'pg';
import { kindNumber } from './rows.ts';
import type { Seal } from './rows.ts';
import type { Change, Companion, Connection } from './store.ts';
import { answeredError, refusesValue, sawOtherPresent } from './outage.ts';

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

const commitSql = 'select store_commit($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15)';

/** Sends `batch` and waits for its outcome. Opens the transaction itself when `holder` is given. */
export async function sendBatch<Row>(batch: Batch<Row>, options: SendOptions<Row>): Promise<Outcome> {
  const { client, companion, seal, holder, leaseMs } = options;
  const answers: Promise<unknown>[] = [];
  const { stream } = client.connection;
  stream.cork(); // one packet for all of it
  try {
    if (holder !== null) answers.push(client.query('begin'));
    answers.push(
      client.query({ name: 'store_commit', text: commitSql, values: valuesOf(batch, { seal, holder, leaseMs }) }),
    );
    const rows = batch.staged.flatMap((staged) => staged.rows);
    if (companion !== undefined && rows.length > 0) {
      const inserting = insertOn(client, companion, rows);
      answers.push(inserting.done);
      if (!inserting.sent()) {
        stream.uncork();
        await inserting.done;
        stream.cork();
      }
      inserting.close();
    }
  } catch (error) {
    stream.uncork();
    void Promise.allSettled(answers); // they fail when the connection is dropped
    return { kind: 'failed', error }; // the caller drops the connection: COMMIT was never sent
  }
  const commit = client.query('commit');
  stream.uncork();
  return outcomeOf(await Promise.allSettled(answers), await settled(commit));
}

/** What the answers to a batch's statements, and to its COMMIT, say about it. */
export function outcomeOf(
  answers: readonly PromiseSettledResult<unknown>[],
  commit: PromiseSettledResult<{ readonly command: string }>,
): Outcome {
  const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
  // A statement that the server answered with an error has aborted the transaction: COMMIT cannot have succeeded.
  const failure = failures.find((error) => answeredError(error) !== undefined);
  if (failure !== undefined) {
    if (sawOtherPresent(failure)) return { kind: 'stale' };
    return { kind: refusesValue(failure) ? 'refused' : 'failed', error: failure };
  }
  if (commit.status === 'rejected') return { kind: 'doubt', error: commit.reason };
  if (commit.value.command === 'COMMIT') return { kind: 'committed' };
  return { kind: 'failed', error: failures[0] ?? new Error(`COMMIT was answered ${commit.value.command}`) };
}

async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([promise]);
  return result;
}

function insertOn<Row>(
  client: Client,
  companion: Companion<Row>,
  rows: readonly Row[],
): { readonly done: Promise<void>; sent(): boolean; close(): void } {
  let [sent, open] = [false, true];
  const connection: Connection = {
    query: (statement) => {
      if (!open) return Promise.reject(new Error('the batch is closed: a companion inserts with one statement'));
      sent = true;
      return client.query(statement);
    },
  };
  const done = companion.insert(connection, rows);
  return {
    done,
    sent: () => sent,
    close: () => {
      open = false;
    },
  };
}

function valuesOf<Row>(
  batch: Batch<Row>,
  { seal, holder, leaseMs }: { seal: Seal | undefined; holder: string | null; leaseMs: number },
): unknown[] {
  const changes = batch.staged.map((staged) => staged.change);
  const bodies = changes.map(({ stored: { key, json } }) =>
    seal?.covers(key.resource) === true ? seal.seal(key, json) : json,
  );
  let end = 0;
  const ends = bodies.map((body) => (end += body.length));
  const count = (kind: Change['kind']): number => changes.filter((change) => change.kind === kind).length;
  return [
    batch.base.toString(),
    batch.id.toString(),
    holder,
    holder === null, // a holder is alone: nobody listens
    `${leaseMs} milliseconds`,
    count('added'),
    count('modified'),
    count('deleted'),
    changes.map((change) => kindNumber(change.kind)),
    changes.map((change) => change.stored.key.resource),
    changes.map((change) => change.stored.key.namespace),
    changes.map((change) => change.stored.key.name),
    changes.map((change) => change.previous?.revision.toString() ?? null),
    ends,
    Buffer.concat(bodies),
  ];
}
