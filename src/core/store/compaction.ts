/**
 * Forgets history: after `ageMs` a revision can no longer be asked for, and rows that only such a revision needs are
 * deleted. Ages are not stored: the process remembers which revision it had at which time, so after a restart history
 * lives up to one age longer. Any number of gateways may do this at once.
 */
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { Running } from '../../std/stop.ts';
import type { Link } from './link.ts';
import type { WatchCache } from './watch-cache.ts';

/** Revisions whose rows one statement deletes: bounds the time that it holds its connection. Chosen, not measured. */
const chunk = 2000n;

// A row is superseded by the row whose `previous` it is. Index: store_changes_pkey twice.
const purgeSql = `
with gone as (
  delete from store_changes p using store_changes s
  where s.revision > $1 and s.revision <= $2 and p.revision = s.previous
), tombstones as (
  delete from store_changes where revision > $1 and revision <= $2 and kind = 2
)
update store_writer set purged = greatest(purged, $2)`;

interface CompactionDeps {
  readonly link: Link;
  readonly cache: WatchCache;
}

/** Forgets all revisions below `revision`. Throws when the database is away; then it may have been done in part, and the next run goes on. */
export async function compactTo({ link, cache }: CompactionDeps, revision: bigint): Promise<void> {
  const client = await link.client();
  const { rows } = await client.query<{ purged: string }>({
    name: 'store_compact',
    text: 'update store_writer set compacted = greatest(compacted, $1) returning purged',
    values: [revision.toString()],
  });
  cache.compact(revision); // from here on nobody reads what is deleted below
  for (let from = BigInt(rows[0]?.purged ?? revision); from < revision; from += chunk) {
    const to = from + chunk < revision ? from + chunk : revision;
    await client.query({ name: 'store_purge', text: purgeSql, values: [from.toString(), to.toString()] });
  }
  await client.query(`delete from store_members where seen_at < clock_timestamp() - interval '1 day'`);
}

/** Compacts what is older than `ageMs`, looking five times per age. */
export function startCompaction(
  deps: CompactionDeps & { readonly clock: Clock; readonly log: Logger; readonly ageMs: number },
): Running {
  const { cache, clock, log, ageMs } = deps;
  const stopping = new AbortController();
  const seen: { readonly at: number; readonly revision: bigint }[] = [];
  const running = (async () => {
    for (;;) {
      seen.push({ at: clock.monotonic(), revision: cache.revision });
      try {
        await clock.sleep(ageMs / 5, stopping.signal);
      } catch {
        return; // stopping
      }
      let old: bigint | undefined;
      while (seen[0] !== undefined && clock.monotonic() - seen[0].at >= ageMs) old = seen.shift()?.revision;
      if (old === undefined || old <= cache.compacted) continue;
      await compactTo(deps, old).catch((error: unknown) => log.warn('history could not be compacted', { error }));
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
