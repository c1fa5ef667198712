/**
 * Group commit. Writes queue while a batch commits; then all of them become the next batch. There is no timer: one
 * writer gets one round trip, a hundred writers share one.
 *
 * A holder (see presence.ts) knows the present, so it judges and sends in one round trip. Otherwise a first round trip
 * locks the writer row and reads what others wrote, and the second commits. Either way each write gets its own verdict.
 * When the database refuses a batch, its halves are tried by themselves until the culprit stands alone.
 *
 * A batch in doubt is resolved (see doubt.ts) before anything else happens.
 */
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import { StatusError, unavailable } from '../../api/status.ts';
import { sendBatch } from './batch.ts';
import type { Batch, Outcome, Staged } from './batch.ts';
import { deletedAt, storedAt } from './draft.ts';
import { wasCommitted } from './doubt.ts';
import type { Draft } from './draft.ts';
import { judge } from './judge.ts';
import type { Link } from './link.ts';
import { leaseMs } from './presence.ts';
import type { Presence } from './presence.ts';
import type { Seal } from './rows.ts';
import type { Change, Companion, Mutation, Stored, Verdict } from './store.ts';
import { textOf } from './watch-cache.ts';
import type { WatchCache } from './watch-cache.ts';

/** Most writes and bytes of one batch: bound the time that others wait for the lock. Chosen, not measured. */
const mostWrites = 512;
const mostBytes = 8 * 1024 * 1024;
/** How long a write waits for its turn, ms. Chosen, not measured. */
const turnMs = 5000;

interface Waiting<Row> {
  readonly mutation: Mutation;
  /** Of creations and updates. */
  readonly draft: Draft | undefined;
  readonly record: (revision: bigint) => readonly Row[];
  readonly since: number;
  readonly settle: (verdict: Verdict) => void;
  readonly fail: (error: unknown) => void;
  /** What `record` gave, and for which revision. */
  recorded: { readonly revision: bigint; readonly rows: readonly Row[] } | undefined;
}

interface Judged<Row> {
  readonly batch: Batch<Row>;
  readonly committing: readonly { readonly waiting: Waiting<Row>; readonly change: Change }[];
  readonly refused: readonly { readonly waiting: Waiting<Row>; readonly verdict: Verdict }[];
}

export interface GroupCommitDeps<Row> {
  readonly id: string;
  readonly link: Link;
  readonly cache: WatchCache;
  readonly presence: Presence;
  readonly companion: Companion<Row> | undefined;
  readonly seal: Seal | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export class GroupCommit<Row> {
  readonly #deps: GroupCommitDeps<Row>;
  #queue: Waiting<Row>[] = [];
  #working: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: GroupCommitDeps<Row>) {
    this.#deps = deps;
  }

  write(mutation: Mutation, draft: Draft | undefined, record: (revision: bigint) => readonly Row[]): Promise<Verdict> {
    if (this.#stopped) return Promise.reject(unavailable('the store is stopping'));
    return new Promise((settle, fail) => {
      const since = this.#deps.clock.monotonic();
      this.#queue.push({ mutation, draft, record, since, settle, fail, recorded: undefined });
      this.#working ??= this.#work();
    });
  }

  /** Lets the writes that wait finish, and takes no more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  async #work(): Promise<void> {
    await Promise.resolve(); // writes of the same turn share the batch
    while (this.#queue.length > 0) {
      const batch = this.#take();
      try {
        await this.#commit(batch);
      } catch (error) {
        for (const waiting of batch) waiting.fail(error);
      }
      // Those just answered may have more to write: let them queue, so that the next batch is a full one.
      await new Promise(setImmediate);
    }
    this.#working = undefined;
  }

  /** The writes of the next batch: in order, no key twice. */
  #take(): Waiting<Row>[] {
    const taken: Waiting<Row>[] = [];
    const left: Waiting<Row>[] = [];
    const keys = new Set<string>();
    let bytes = 0;
    for (const waiting of this.#queue) {
      const { key } = waiting.mutation;
      const text = `${key.resource}\0${textOf(key)}`;
      const fits = taken.length === 0 || (taken.length < mostWrites && bytes < mostBytes);
      if (fits && !keys.has(text)) {
        taken.push(waiting);
        bytes += waiting.draft === undefined ? 0 : waiting.draft.tail.length;
      } else {
        left.push(waiting);
      }
      keys.add(text); // a later write of a key that was passed over must not overtake
    }
    this.#queue = left;
    return taken;
  }

  /** Commits `writes`; each of them is answered when this resolves. Throws when nothing of them was written. */
  async #commit(writes: readonly Waiting<Row>[]): Promise<void> {
    const { clock, presence, link, log } = this.#deps;
    const giveUpAt = clock.monotonic() + turnMs;
    while (clock.monotonic() < giveUpAt) {
      const client = await link.client();
      const holding = presence.holds;
      if (!holding && !(await this.#openBehindOthers(client))) continue;
      const sentAt = clock.monotonic();
      const judged = this.#judge(writes);
      if (judged.committing.length === 0) {
        if (!holding) await this.#inTransaction(client, () => client.query('rollback'));
        this.#answer(judged);
        return;
      }
      const outcome = await this.#send(client, judged.batch, holding);
      switch (outcome.kind) {
        case 'committed':
          if (holding) presence.renewed(sentAt);
          this.#finish(judged);
          return;
        case 'stale':
          link.drop(client);
          presence.forgetHold();
          break; // judged against a past: once more, under the lock
        case 'refused':
          link.drop(client);
          await this.#divide(writes, judged, outcome.error);
          return;
        case 'failed':
          link.drop(client);
          throw unavailable('the database could not take the change', 1, outcome.error);
        case 'doubt':
          link.drop(client);
          log.warn('connection lost during COMMIT', { batch: judged.batch.id, error: outcome.error });
          presence.forgetHold();
          if (!(await wasCommitted(judged.batch, { link, clock, log, meanwhile: () => this.#refuseLate() }))) {
            throw unavailable(
              'the connection to the database was lost before the change was written',
              1,
              outcome.error,
            );
          }
          this.#finish(judged);
          return;
      }
    }
    throw unavailable('other gateways kept the store busy');
  }

  async #send(client: Client, batch: Batch<Row>, holding: boolean): Promise<Outcome> {
    const { companion, seal, id } = this.#deps;
    return sendBatch(batch, { client, companion, seal, leaseMs, holder: holding ? id : null });
  }

  /**
   * Opens a transaction that holds the writer row, and brings the cache to the present. False when another gateway
   * holds the store: it was asked to yield.
   */
  async #openBehindOthers(client: Client): Promise<boolean> {
    const { presence, clock, id } = this.#deps;
    const head = await this.#inTransaction(client, async () => {
      const [, { rows }] = await Promise.all([
        client.query('begin'),
        client.query<{ revision: string; holder: string; held: boolean }>({
          name: 'store_lock',
          text: `select revision, holder, holder_until > clock_timestamp() as held from store_writer for update`,
        }),
      ]);
      const [row] = rows;
      if (row === undefined) throw unavailable('the database has no writer row');
      if (row.held && row.holder !== '' && row.holder !== id) {
        await client.query('rollback');
        return undefined;
      }
      return BigInt(row.revision);
    });
    if (head === undefined) {
      await presence.askToYield();
      await clock.sleep(10);
      return false;
    }
    await this.#inTransaction(client, () => presence.reach(head, client));
    return true;
  }

  /** Runs `work` on `client`; when it fails, the client goes, and with it the transaction. */
  async #inTransaction<T>(client: Client, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#deps.link.drop(client);
      throw error instanceof StatusError ? error : unavailable('the database did not answer', 1, error);
    }
  }

  #judge(writes: readonly Waiting<Row>[]): Judged<Row> {
    const { cache } = this.#deps;
    const base = cache.revision;
    const staged: Staged<Row>[] = [];
    const committing: { waiting: Waiting<Row>; change: Change }[] = [];
    const refused: { waiting: Waiting<Row>; verdict: Verdict }[] = [];
    for (const waiting of writes) {
      const current = cache.get(waiting.mutation.key);
      const judgement = judge(waiting.mutation, current);
      if (!judgement.proceed) {
        refused.push({ waiting, verdict: judgement.verdict });
        continue;
      }
      try {
        const revision = base + BigInt(staged.length) + 1n;
        const change: Change = {
          kind: judgement.kind,
          stored: resultOf(waiting, current, revision),
          previous: current,
        };
        staged.push({ change, rows: rowsOf(waiting, revision) });
        committing.push({ waiting, change });
      } catch (error) {
        waiting.fail(error); // a write whose record cannot be made is not written
      }
    }
    return { batch: { id: randomBytes(8).readBigInt64BE(), base, staged }, committing, refused };
  }

  /** The batch is committed: the cache was at its base or further, so its changes are the next ones. */
  #finish(judged: Judged<Row>): void {
    const changes = judged.committing.map(({ change }) => change);
    this.#deps.cache.apply(changes, 0n);
    this.#answer(judged);
  }

  #answer({ committing, refused }: Judged<Row>): void {
    for (const { waiting, change } of committing) waiting.settle({ outcome: 'committed', stored: change.stored });
    for (const { waiting, verdict } of refused) waiting.settle(verdict);
  }

  /** The database refused one of `writes`: the halves are tried by themselves. */
  async #divide(writes: readonly Waiting<Row>[], judged: Judged<Row>, error: unknown): Promise<void> {
    const [only] = judged.committing;
    if (only !== undefined && judged.committing.length === 1) {
      this.#deps.log.warn('the database refuses a write', { key: only.waiting.mutation.key, error });
      only.waiting.settle({
        outcome: 'rejected',
        message: 'the database refuses a value of this object or its record',
      });
      this.#answer({ ...judged, committing: [] });
      return;
    }
    const middle = Math.ceil(writes.length / 2);
    for (const half of [writes.slice(0, middle), writes.slice(middle)]) {
      try {
        await this.#commit(half);
      } catch (failure) {
        for (const waiting of half) waiting.fail(failure);
      }
    }
  }

  #refuseLate(): void {
    const latest = this.#deps.clock.monotonic() - turnMs;
    const late = this.#queue.filter((waiting) => waiting.since < latest);
    this.#queue = this.#queue.filter((waiting) => waiting.since >= latest);
    for (const waiting of late) waiting.fail(unavailable('the database is not reachable at the moment'));
  }
}

function resultOf<Row>(waiting: Waiting<Row>, current: Stored | undefined, revision: bigint): Stored {
  if (waiting.draft !== undefined) return storedAt(waiting.draft, revision);
  if (current === undefined) throw new RangeError('a deletion was judged without its object');
  return deletedAt(current, revision);
}

/** The rows of `waiting` at `revision`: asked for once, unless the batch had to be formed anew with another revision. */
function rowsOf<Row>(waiting: Waiting<Row>, revision: bigint): readonly Row[] {
  if (waiting.recorded?.revision !== revision) waiting.recorded = { revision, rows: waiting.record(revision) };
  return waiting.recorded.rows;
}
