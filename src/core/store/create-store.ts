/** Puts the store together: connections, cache, presence among the gateways, group commit. */
import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { Running } from '../../std/stop.ts';
import { startCompaction } from './compaction.ts';
import { draftOf } from './draft.ts';
import { GroupCommit } from './group-commit.ts';
import { Link } from './link.ts';
import { migrate } from './migrate.ts';
import { Presence } from './presence.ts';
import { readList, readObject } from './reads.ts';
import type { Seal } from './rows.ts';
import { loadSnapshot } from './snapshot.ts';
import type { Companion, Store } from './store.ts';
import { watchChanges } from './watch.ts';
import { WatchCache } from './watch-cache.ts';

/** Longest wait for one answer of the database, ms. Chosen, not measured. */
const answerMs = 5000;

export interface StoreOptions<Row> {
  /** Connection URL, e.g. postgresql://user@host/database; a Unix socket as ?host=/folder. */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Inserts the rows that ride along with a change. */
  readonly companion?: Companion<Row>;
  /** Encrypts some resources at rest. */
  readonly seal?: Seal;
  /** How long a past revision can be asked for, ms; 5 minutes if left out, as in Kubernetes. */
  readonly historyMs?: number;
}

/**
 * A store on the database at `url`, its schema brought up to date. Throws DatabaseUnusable (whose message says what to
 * do) when that database cannot be used.
 */
export async function createStore<Row = unknown>(options: StoreOptions<Row>): Promise<Store<Row> & Running> {
  const { url, clock, log, companion, seal } = options;
  await migrate(url);
  const id = randomUUID();
  const cache = new WatchCache(log);
  const link = (
    name: string,
    more: { pipeline: boolean; settings: string; prepare?: (client: Client) => Promise<void> },
  ) => new Link({ url, name: `gatehouse ${name}`, log, answerMs, ...more });
  // A gateway that hangs inside a transaction holds everybody's lock: the server ends it. Plans are made once and go by
  // index: the tables may have grown by orders of magnitude since.
  const writing = link('writes', {
    pipeline: true,
    settings:
      '-c idle_in_transaction_session_timeout=5000 -c lock_timeout=4000 -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off',
  });
  const reading = link('reads', {
    pipeline: false,
    settings: '-c idle_in_transaction_session_timeout=5000 -c lock_timeout=4000 -c statement_timeout=5000',
    prepare: (client) => presence.listen(client),
  });
  const presence = new Presence({ id, link: reading, cache, seal, clock, log });
  const commits = new GroupCommit<Row>({ id, link: writing, cache, presence, companion, seal, clock, log });
  const deps = { link: reading, cache, seal, presence, clock };

  await loadSnapshot({ url, cache, seal });
  await presence.start();
  const compaction = startCompaction({ link: reading, cache, clock, log, ageMs: options.historyMs ?? 300_000 });

  return {
    get: (key, fresh, signal) => readObject(deps, { key, fresh, signal }),
    list: (query, signal) => readList(deps, query, signal),
    write: async (mutation, record) => {
      if (mutation.kind === 'delete') return commits.write(mutation, undefined, record);
      const draft = draftOf(mutation.key, mutation.object);
      return 'refused' in draft
        ? { outcome: 'rejected', message: draft.refused }
        : commits.write(mutation, draft, record);
    },
    watch: (query, signal) => watchChanges(deps, query, signal),
    observe: async (resource, observer) => cache.observe(resource, observer),
    isCurrent: () => presence.isCurrent,
    revision: () => cache.revision,
    stop: async () => {
      await compaction.stop();
      await commits.stop();
      await presence.stop();
      await Promise.all([writing.stop(), reading.stop()]);
    },
  };
}
