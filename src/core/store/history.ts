/**
 * What was, at an exact revision: the present with the changes since then taken back. The recent ones are in memory, the
 * others in the log, down to the compacted revision.
 */
import { expired, unavailable } from '../../api/status.ts';
import type { Link } from './link.ts';
import { kindOf, storedIn } from './rows.ts';
import type { ChangeRow, Seal } from './rows.ts';
import { SortedKeys } from './sorted-keys.ts';
import type { Change, Stored } from './store.ts';
import { textOf } from './watch-cache.ts';
import type { WatchCache } from './watch-cache.ts';

// One statement, hence one snapshot: `compacted` is never older than the rows. A previous row may be compacted away only
// when the change itself is. Index: store_changes_pkey twice.
const changesSql = `
select w.compacted, c.revision, c.kind, c.resource, c.namespace, c.name, c.previous, c.body, p.body as previous_body
from store_writer w
left join lateral (
  select * from store_changes where resource = $1 and revision > $2 and revision <= $3 order by revision limit $4
) c on true
left join store_changes p on p.revision = c.previous
order by c.revision`;

type Row = { readonly compacted: string } & (
  | (ChangeRow & { readonly previous_body: Buffer | null })
  | { readonly revision: null }
);

/** Changes read at once when an exact revision is asked for. Chosen, not measured. */
const stretchLimit = 1000;

/** Objects of a resource at one revision, and their keys in order. */
export interface View {
  readonly keys: SortedKeys;
  readonly objects: ReadonlyMap<string, Stored>;
}

export interface HistoryDeps {
  readonly link: Link;
  readonly cache: WatchCache;
  readonly seal: Seal | undefined;
}

/** Changes of a resource, complete up to `upTo`. */
interface Stretch {
  readonly changes: readonly Change[];
  readonly upTo: bigint;
}

/**
 * The changes of `resource` after `revision`: at most `limit`, as far as the cache is. Throws Expired when they are no
 * longer known, ServiceUnavailable when the database has to be asked and is away.
 */
export async function changesAfter(
  { link, cache, seal }: HistoryDeps,
  { resource, revision, limit }: { readonly resource: string; readonly revision: bigint; readonly limit: number },
): Promise<Stretch> {
  if (revision < cache.compacted) throw compacted(revision, cache.compacted);
  const { ring } = cache.collection(resource);
  const upTo = cache.revision;
  if (ring.floor <= revision) return stretch(ring.after(revision, limit), { limit, upTo });
  const client = await link.client();
  const { rows } = await client
    .query<Row>({
      name: 'store_changes_after',
      text: changesSql,
      values: [resource, revision.toString(), upTo.toString(), limit],
    })
    .catch((error: unknown) => {
      throw unavailable('the database did not answer', 1, error);
    });
  const oldest = BigInt(rows[0]?.compacted ?? '0');
  if (revision < oldest) throw compacted(revision, oldest);
  const changes = rows.filter((row) => row.revision !== null).map((row) => changeIn(row, seal));
  return stretch(changes, { limit, upTo });
}

/** What is in `resource` now, and how to get from there back to `revision`; both of the same instant. Throws as `changesAfter` does. */
export async function viewAt(deps: HistoryDeps, resource: string, revision: bigint): Promise<View> {
  const changes: Change[] = [];
  let known = revision;
  for (;;) {
    const { keys, objects, ring } = deps.cache.collection(resource);
    if (ring.floor <= known && revision >= deps.cache.compacted) {
      changes.push(...ring.after(known)); // no await from here on: this is the present
      return changes.length === 0 ? { keys, objects } : takenBack(objects, changes);
    }
    const next = await changesAfter(deps, { resource, revision: known, limit: stretchLimit });
    changes.push(...next.changes);
    known = next.upTo;
  }
}

function takenBack(objects: ReadonlyMap<string, Stored>, changes: readonly Change[]): View {
  const before = new Map(objects);
  for (const { stored, previous } of changes.toReversed()) {
    if (previous === undefined) before.delete(textOf(stored.key));
    else before.set(textOf(stored.key), previous);
  }
  const keys = new SortedKeys();
  keys.fill(before.keys());
  return { keys, objects: before };
}

function stretch(changes: readonly Change[], { limit, upTo }: { limit: number; upTo: bigint }): Stretch {
  const last = changes.at(-1);
  return { changes, upTo: last !== undefined && changes.length === limit ? last.stored.revision : upTo };
}

function changeIn(row: ChangeRow & { readonly previous_body: Buffer | null }, seal: Seal | undefined): Change {
  const previous =
    row.previous === null || row.previous_body === null
      ? undefined
      : storedIn({ ...row, revision: row.previous, body: row.previous_body }, seal);
  return { kind: kindOf(row), stored: storedIn(row, seal), previous };
}

function compacted(asked: bigint, oldest: bigint): Error {
  return expired(`too old resource version: ${asked} (${oldest})`);
}
