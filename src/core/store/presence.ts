/**
 * What makes the cache current, and what that costs.
 *
 * A gateway that is alone becomes the *holder*: until its lease ends (by the database's clock, 2 s after each renewal)
 * nobody else may write, so its cache is the present and a read costs nothing. The lease is renewed by every commit and
 * twice a second. Time is taken before the renewal is sent and a margin comes off, so the holder stops believing before
 * others start.
 *
 * With two or more gateways nobody holds: each read confirms with one cheap query, which all readers that wait share,
 * and which brings the missing changes along. Who finds a holder in its way asks it to yield (NOTIFY) and waits; a dead
 * holder's lease runs out. Correctness rests on the writer row's lock and its `holder`, never on a message arriving.
 */
import type { Client } from 'pg';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import { unavailable } from '../../api/status.ts';
import type { Link } from './link.ts';
import { changeColumns, kindOf, storedIn } from './rows.ts';
import type { ChangeRow, Seal } from './rows.ts';
import type { Change, Stored } from './store.ts';
import { textOf } from './watch-cache.ts';
import type { WatchCache } from './watch-cache.ts';

/** How long a renewal holds, ms; also how long after a confirmation the cache counts as current (DESIGN.md §3). */
export const leaseMs = 2000;
/** Taken off the holder's own reckoning, ms: clocks of two machines that differ by 10 % in rate are still safe. */
const marginMs = 200;
const beatMs = 500;
/** A gateway not seen for this long is gone, ms. */
const memberMs = 3000;
/** Changes read at once while catching up. Bounds memory (1000 objects), not work. */
const chunk = 1000;

const beatSql = `
with seen as (
  insert into store_members (id, seen_at) values ($1, clock_timestamp())
  on conflict (id) do update set seen_at = excluded.seen_at
)
update store_writer set holder = $1, holder_until = clock_timestamp() + interval '${leaseMs} milliseconds'
where (holder = $1 or holder = '' or holder_until < clock_timestamp())
  and not exists (
    select from store_members where id <> $1 and seen_at > clock_timestamp() - interval '${memberMs} milliseconds'
  )
returning revision`;

// One statement, hence one snapshot: every change up to `head` is in it. Index: store_changes_pkey.
const headSql = `
select w.revision as head, w.compacted, w.holder, w.holder <> '' and w.holder_until > clock_timestamp() as held, c.*
from store_writer w
left join lateral (
  select ${changeColumns} from store_changes where revision > $1 order by revision limit ${chunk}
) c on true
order by c.revision`;

type HeadRow = {
  readonly head: string;
  readonly compacted: string;
  readonly holder: string;
  readonly held: boolean;
} & (ChangeRow | { readonly revision: null });

export interface PresenceDeps {
  readonly id: string;
  readonly link: Link;
  readonly cache: WatchCache;
  readonly seal: Seal | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Presence {
  readonly #deps: PresenceDeps;
  readonly #stopping = new AbortController();
  #holding = false;
  #leaseUntil = 0;
  #confirmedAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;
  #beating: Promise<void> | undefined;

  constructor(deps: PresenceDeps) {
    this.#deps = deps;
  }

  /** Whether nobody else can have written: then the cache, between this process's own commits, is the present. */
  get holds(): boolean {
    return this.#holding && this.#deps.clock.monotonic() < this.#leaseUntil;
  }

  /** Whether the cache was known to be current within the last 2 s. */
  get isCurrent(): boolean {
    return this.#deps.clock.monotonic() - this.#confirmedAt < leaseMs;
  }

  /** Takes its place among the gateways and keeps it until `stop`. */
  async start(): Promise<void> {
    await this.#beat();
    await this.confirm();
    this.#beating = this.#keepBeating();
  }

  /** A batch that was sent at `sentAt` (monotonic) has committed while holding. */
  renewed(sentAt: number): void {
    this.#confirmedAt = Math.max(this.#confirmedAt, sentAt);
    this.#leaseUntil = Math.max(this.#leaseUntil, sentAt + leaseMs - marginMs);
  }

  /** Stops relying on being alone. */
  forgetHold(): void {
    this.#holding = false;
  }

  /**
   * Resolves when the cache shows what was committed when this was called. Throws ServiceUnavailable when the database
   * cannot say within its deadline.
   */
  confirm(): Promise<void> {
    if (this.holds) return Promise.resolve();
    this.#waiting ??= (this.#running ?? Promise.resolve())
      .catch(() => {}) // whoever waited for that one was told
      .then(() => {
        this.#running = this.#waiting;
        this.#waiting = undefined;
        return this.#catchUp();
      })
      .finally(() => {
        if (this.#waiting === undefined) this.#running = undefined;
      });
    return this.#waiting;
  }

  /** Brings the cache to `revision`, which is known to be committed, by reading on `client`. Throws ServiceUnavailable as `confirm` does. */
  async reach(revision: bigint, client: Client): Promise<void> {
    while (this.#deps.cache.revision < revision) await this.#read(client);
  }

  /** Asks whoever holds to let others write. */
  async askToYield(): Promise<void> {
    const client = await this.#deps.link.client();
    await client.query(`select pg_notify('store_yield', '')`);
  }

  /** Prepares each new connection of the link: what other gateways commit, and their wish to write, is heard there. */
  async listen(client: Client): Promise<void> {
    client.on('notification', ({ channel }) => {
      if (channel === 'store_yield') this.#background(this.#yield());
      else if (!this.#holding) this.#background(this.confirm());
    });
    await client.query('listen store_changes; listen store_yield');
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#beating;
    this.#holding = false;
    try {
      const client = await this.#deps.link.client();
      await client.query({
        text: `with gone as (delete from store_members where id = $1)
               update store_writer set holder = '' where holder = $1`,
        values: [this.#deps.id],
      });
    } catch (error) {
      this.#deps.log.debug('left without a word: others wait for the lease to end', { error });
    }
  }

  async #keepBeating(): Promise<void> {
    const { clock } = this.#deps;
    for (;;) {
      try {
        await clock.sleep(beatMs, this.#stopping.signal);
      } catch {
        return; // stopping
      }
      try {
        await this.#beat();
        if (!this.#holding) await this.confirm();
      } catch (error) {
        this.#deps.log.debug('could not confirm with the database', { error });
      }
    }
  }

  async #beat(): Promise<void> {
    const { clock, link, id } = this.#deps;
    const sentAt = clock.monotonic();
    const client = await link.client();
    const { rows } = await client.query<{ revision: string }>({ name: 'store_beat', text: beatSql, values: [id] });
    const row = rows[0];
    if (row === undefined) {
      if (this.#holding) await this.#yield();
      return;
    }
    if (this.#holding) {
      this.renewed(sentAt);
      return;
    }
    // From now on only this process writes, so `row.revision` is the last thing others may have done.
    await this.reach(BigInt(row.revision), client);
    this.#holding = true;
    this.renewed(sentAt);
  }

  async #yield(): Promise<void> {
    this.#holding = false;
    const { link, id } = this.#deps;
    const client = await link.client();
    await client.query({
      name: 'store_yield',
      text: `update store_writer set holder = '' where holder = $1`,
      values: [id],
    });
  }

  async #catchUp(): Promise<void> {
    const { clock } = this.#deps;
    const giveUpAt = clock.monotonic() + leaseMs + memberMs;
    for (;;) {
      const sentAt = clock.monotonic();
      const { blocked, complete } = await this.#read(await this.#deps.link.client());
      if (complete && !blocked) {
        this.#confirmedAt = Math.max(this.#confirmedAt, sentAt);
        return;
      }
      if (!blocked) continue;
      if (clock.monotonic() > giveUpAt) throw unavailable('another gateway does not let go of the store');
      await this.askToYield();
      await clock.sleep(10);
    }
  }

  /** Reads and applies a chunk of what others wrote. `blocked`: somebody else holds, so there may be more any moment. */
  async #read(client: Client): Promise<{ readonly blocked: boolean; readonly complete: boolean }> {
    const { cache, id } = this.#deps;
    const { rows } = await client
      .query<HeadRow>({ name: 'store_head', text: headSql, values: [cache.revision.toString()] })
      .catch((error: unknown) => {
        throw unavailable('the database did not answer', 1, error);
      });
    const [first] = rows;
    if (first === undefined) throw unavailable('the database has no writer row');
    const found = rows.filter((row) => row.revision !== null);
    const complete = found.length < chunk;
    this.#apply(found, complete ? BigInt(first.head) : 0n);
    cache.compact(BigInt(first.compacted));
    return { blocked: first.held && first.holder !== id, complete };
  }

  #apply(rows: readonly ChangeRow[], head: bigint): void {
    const { cache, seal } = this.#deps;
    const ahead = new Map<string, Stored | undefined>();
    const changes: Change[] = [];
    for (const row of rows) {
      if (BigInt(row.revision) <= cache.revision) continue;
      const stored = storedIn(row, seal);
      const at = `${row.resource}\0${textOf(stored.key)}`;
      const previous = ahead.has(at) ? ahead.get(at) : cache.get(stored.key);
      const kind = kindOf(row);
      changes.push({ kind, stored, previous });
      ahead.set(at, kind === 'deleted' ? undefined : stored);
    }
    cache.apply(changes, head);
  }

  #background(work: Promise<void>): void {
    work.catch((error: unknown) => this.#deps.log.debug('could not confirm with the database', { error }));
  }
}
