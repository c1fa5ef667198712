/**
 * Writes audit rows to Postgres in two lanes, one statement outstanding in each.
 *
 * The durable lane has no timer: the first row goes out at once, and whoever comes while it commits rides in the next
 * statement together. The lazy lane gathers for a moment first, because hundreds of rows cost hardly more than one, and
 * its commits do not wait for the disk.
 *
 * While the database is away both lanes keep their rows, up to a bound in bytes, and try again. Who waits for a durable
 * row is refused after a deadline; the row itself stays queued, since the attempt did happen. Rows beyond the bound are
 * counted in a gap record, which is written when the database is back.
 */
import type { Pool } from 'pg';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import type { Running } from '../std/stop.ts';
import { unavailable } from '../api/status.ts';
import { createGap } from './gap.ts';
import type { Gap } from './gap.ts';
import { insertStatement } from './insert.ts';
import type { AuditRow, RowSink } from './recorder.ts';

/** What a sink tells about itself, for /metrics. */
export interface SinkStats {
  readonly queuedBytes: number;
  readonly queuedRows: number;
  readonly writtenRows: number;
  readonly lostRows: number;
}

export interface AuditSink extends RowSink, Running {
  /** Resolves when every row taken so far is committed. Rejects with the signal's reason when `signal` aborts first. */
  drain(signal?: AbortSignal): Promise<void>;
  stats(): SinkStats;
}

export interface SinkOptions {
  readonly pool: Pick<Pool, 'query'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long the caller of a durable row waits. Default 5000. */
  readonly durableDeadlineMs?: number;
  /** How long lazy rows are gathered. Default 25. */
  readonly lingerMs?: number;
  /** Bound of both queues together. Default 64 MiB. */
  readonly maxQueueBytes?: number;
  /** When a statement without an answer counts as failed. Default 10 000. */
  readonly statementTimeoutMs?: number;
}

// 1000 rows are about 1 MB of parameters: long past where a larger batch gains anything. Chosen, not measured.
const maxBatchRows = 1000;
const maxBatchBytes = 4 * 1024 * 1024;
const retryMs = { first: 50, most: 2000 };

/** A sink over `pool`, of which it uses at most two connections at a time. */
export function createAuditSink(options: SinkOptions): AuditSink {
  return new PostgresSink(options);
}

interface Entry {
  readonly row: AuditRow;
  /** Called once with the row's fate; undefined for lazy rows, which nobody waits for. */
  readonly settle: ((failure: Error | undefined) => void) | undefined;
}

interface Lane {
  readonly lazy: boolean;
  queue: Entry[];
  /** The loop that empties the queue, while there is one. */
  running: Promise<void> | undefined;
}

class PostgresSink implements AuditSink {
  readonly #options: SinkOptions;
  readonly #durable: Lane = { lazy: false, queue: [], running: undefined };
  readonly #lazy: Lane = { lazy: true, queue: [], running: undefined };
  readonly #stopping = new AbortController();
  readonly #gap: Gap = createGap();
  #linger = new AbortController();
  #queuedBytes = 0;
  #queuedRows = 0;
  #writtenRows = 0;

  constructor(options: SinkOptions) {
    this.#options = options;
  }

  durable(row: AuditRow): Promise<void> {
    if (this.#stopping.signal.aborted || this.#isFull(row)) {
      this.#gap.lose(row, 'queue full');
      return Promise.reject(unrecorded());
    }
    return new Promise((resolve, reject) => {
      const { clock, durableDeadlineMs = 5000 } = this.#options;
      const cancel = clock.after(durableDeadlineMs, () => reject(unrecorded()));
      const settle = (failure: Error | undefined): void => {
        cancel();
        if (failure === undefined) resolve();
        else reject(failure);
      };
      this.#take(this.#durable, { row, settle });
    });
  }

  lazy(row: AuditRow): void {
    if (this.#stopping.signal.aborted || this.#isFull(row)) this.#gap.lose(row, 'queue full');
    else this.#take(this.#lazy, { row, settle: undefined });
  }

  async drain(signal?: AbortSignal): Promise<void> {
    const aborted = signal === undefined ? undefined : rejection(signal);
    for (;;) {
      this.#linger.abort();
      const running = [this.#durable.running, this.#lazy.running].filter((loop) => loop !== undefined);
      if (running.length === 0) break;
      await (aborted === undefined ? Promise.all(running) : Promise.race([Promise.all(running), aborted]));
    }
    await this.#writeGap();
  }

  stats(): SinkStats {
    return {
      queuedBytes: this.#queuedBytes,
      queuedRows: this.#queuedRows,
      writtenRows: this.#writtenRows,
      lostRows: this.#gap.lost(),
    };
  }

  /** Takes no more rows, writes what is queued for up to five seconds, and gives up what is left. */
  async stop(): Promise<void> {
    const { clock, log } = this.#options;
    const given = new AbortController();
    const cancel = clock.after(5000, () => given.abort(unrecorded()));
    try {
      await this.drain(given.signal);
    } catch (error) {
      log.error('audit rows were not written before the end', { ...this.stats(), error });
    } finally {
      cancel();
      this.#stopping.abort();
    }
  }

  #isFull(row: AuditRow): boolean {
    return this.#queuedBytes + sizeBytes(row) > (this.#options.maxQueueBytes ?? 64 * 1024 * 1024);
  }

  #take(lane: Lane, entry: Entry): void {
    lane.queue.push(entry);
    this.#queuedBytes += sizeBytes(entry.row);
    this.#queuedRows++;
    lane.running ??= this.#run(lane);
  }

  async #run(lane: Lane): Promise<void> {
    if (lane.lazy) await this.#gather();
    else await Promise.resolve(); // whoever comes in the same turn rides along
    while (lane.queue.length > 0 && !this.#stopping.signal.aborted) {
      const batch = takeBatch(lane);
      await this.#insert(batch, lane.lazy);
      for (const { row } of batch) this.#queuedBytes -= sizeBytes(row);
      this.#queuedRows -= batch.length;
      await this.#writeGap();
      if (lane.lazy && lane.queue.length > 0 && lane.queue.length < maxBatchRows) await this.#gather();
    }
    lane.running = undefined; // in one step with seeing the queue empty: a row that comes now starts a new loop
  }

  /** Waits a moment for company, or until somebody wants the queue empty. */
  async #gather(): Promise<void> {
    this.#linger = new AbortController();
    const { signal } = this.#linger;
    try {
      await this.#options.clock.sleep(this.#options.lingerMs ?? 25, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Inserts `batch`, however long that takes; what the database refuses for its content is isolated and given up. */
  async #insert(batch: readonly Entry[], lazy: boolean): Promise<void> {
    const { log } = this.#options;
    for (let waitMs = retryMs.first; !this.#stopping.signal.aborted; waitMs = Math.min(waitMs * 2, retryMs.most)) {
      try {
        await this.#send(batch, lazy);
        return;
      } catch (error) {
        if (isRefusal(error)) {
          await this.#isolate(batch, lazy, error);
          return;
        }
        if (waitMs === retryMs.first)
          log.warn('audit rows cannot be written for the time being', { error: causeOf(error) });
        await this.#pause(waitMs);
      }
    }
    this.#giveUp(batch, 'stopped');
  }

  async #send(batch: readonly Entry[], lazy: boolean): Promise<void> {
    const statement = insertStatement(
      batch.map(({ row }) => row),
      lazy,
    );
    // pg ends the connection of a statement that times out, so the pool hands out a fresh one next.
    const timed = { ...statement, query_timeout: this.#options.statementTimeoutMs ?? 10_000 };
    await this.#options.pool.query(timed);
    this.#writtenRows += batch.length;
    for (const { settle } of batch) settle?.(undefined);
  }

  async #isolate(batch: readonly Entry[], lazy: boolean, error: unknown): Promise<void> {
    if (batch.length === 1) {
      this.#options.log.error('the database refuses an audit row', { error: causeOf(error) });
      this.#giveUp(batch, 'refused by the database');
      return;
    }
    const half = batch.length >> 1;
    await this.#insert(batch.slice(0, half), lazy);
    await this.#insert(batch.slice(half), lazy);
  }

  #giveUp(batch: readonly Entry[], reason: string): void {
    for (const { row, settle } of batch) {
      this.#gap.lose(row, reason);
      settle?.(unrecorded());
    }
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    try {
      await this.#options.clock.sleep(ms, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** What was lost is written as soon as rows can be written at all. */
  async #writeGap(): Promise<void> {
    const record = this.#gap.take();
    if (record === undefined) return;
    try {
      await this.#options.pool.query(record.statement);
    } catch (error) {
      record.putBack();
      this.#options.log.warn('the gap record cannot be written for the time being', { error: causeOf(error) });
    }
  }
}

function takeBatch(lane: Lane): readonly Entry[] {
  let [rows, bytes] = [0, 0];
  while (rows < lane.queue.length && rows < maxBatchRows && bytes < maxBatchBytes) {
    const entry = lane.queue[rows++];
    if (entry !== undefined) bytes += sizeBytes(entry.row);
  }
  const batch = lane.queue.slice(0, rows);
  lane.queue = lane.queue.slice(rows);
  return batch;
}

/** About what `row` takes in memory: its event and its long texts; the rest is the same for all. */
function sizeBytes({ event, fact }: AuditRow): number {
  return 600 + (event?.length ?? 0) + fact.requestURI.length + fact.userAgent.length + fact.reason.length;
}

/**
 * Whether the database looked at the rows and said no, so that sending them again cannot help: data exceptions, integrity,
 * program limits. Everything else (no connection, shutting down, out of space, a missing table) may pass.
 * Source: PostgreSQL error codes.
 */
function isRefusal(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code.length === 5 && /^(22|23|54)/.test(code);
}

/** The message alone: pg's error object may hold the values of the row. */
function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}

function unrecorded(): Error {
  return unavailable('the request cannot be recorded at the moment, and it must be; try again later');
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
