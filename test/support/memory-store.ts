/**
 * A store in memory that fulfils the contract of src/core/store/store.ts: revisions, expected-revision conflicts,
 * watch, observe, list, compaction. For unit tests of what stands on the store.
 */
import { expired } from '../../src/api/status.ts';
import type {
  Change,
  Freshness,
  Key,
  ListPage,
  ListQuery,
  Mutation,
  Store,
  Stored,
  Verdict,
  WatchSignal,
} from '../../src/core/store/store.ts';

interface Logged {
  readonly resource: string;
  readonly change: Change;
}

export interface MemoryStore<Row> extends Store<Row> {
  /** Every row that was committed with a change, in order. */
  readonly rows: readonly Row[];
  /** Forgets the changes up to `revision`: readers behind it get Expired. */
  compact(revision: bigint): void;
}

const idOf = (key: Key): string => `${key.resource}\u0000${key.namespace}\u0000${key.name}`;
const byKey = (a: Stored, b: Stored): number =>
  Buffer.compare(
    Buffer.from(`${a.key.namespace}\u0000${a.key.name}`),
    Buffer.from(`${b.key.namespace}\u0000${b.key.name}`),
  );

/** An empty store at revision 1. */
export function memoryStore<Row = unknown>(): MemoryStore<Row> {
  let revision = 1n;
  let compacted = 0n;
  const objects = new Map<string, Stored>();
  const log: Logged[] = [];
  const rows: Row[] = [];
  const observers = new Map<string, Set<(change: Change) => void>>();
  const waiting = new Set<() => void>();

  const asOf = (at: bigint): ReadonlyMap<string, Stored> => {
    if (at < compacted) throw expired(`The resourceVersion for the provided list is too old.`);
    const then = new Map<string, Stored>();
    for (const { change } of log) {
      if (change.stored.revision > at) break;
      if (change.kind === 'deleted') then.delete(idOf(change.stored.key));
      else then.set(idOf(change.stored.key), change.stored);
    }
    return then;
  };
  const present = (fresh: Freshness): ReadonlyMap<string, Stored> =>
    fresh.kind === 'exact' ? asOf(fresh.revision) : objects;

  const commit = (kind: Change['kind'], stored: Stored, previous: Stored | undefined): void => {
    const change: Change = { kind, stored, previous };
    log.push({ resource: stored.key.resource, change });
    if (kind === 'deleted') objects.delete(idOf(stored.key));
    else objects.set(idOf(stored.key), stored);
    for (const observer of observers.get(stored.key.resource) ?? []) observer(change);
    for (const wake of waiting) wake();
  };

  return {
    rows,
    compact: (upTo) => {
      compacted = upTo;
    },
    get: async (key, fresh) => present(fresh).get(idOf(key)),
    list: async (query) =>
      page(present(query.fresh), query, query.fresh.kind === 'exact' ? query.fresh.revision : revision),
    write: async (mutation: Mutation, record): Promise<Verdict> => {
      const current = objects.get(idOf(mutation.key));
      if (mutation.kind === 'create') {
        if (current !== undefined) return { outcome: 'exists', current };
      } else {
        if (current === undefined) return { outcome: 'not-found' };
        if (current.revision !== mutation.expected) return { outcome: 'conflict', current };
      }
      if (mutation.kind !== 'delete' && JSON.stringify(mutation.object).includes('\\u0000')) {
        return { outcome: 'rejected', message: 'a NUL character cannot be stored' };
      }
      revision += 1n;
      rows.push(...record(revision));
      const value = mutation.kind === 'delete' ? current?.object : mutation.object;
      if (value === undefined) return { outcome: 'not-found' };
      const object = { ...value, metadata: { ...value.metadata, resourceVersion: String(revision) } };
      const stored: Stored = { key: mutation.key, revision, object, json: Buffer.from(JSON.stringify(object)) };
      commit(
        { create: 'added', update: 'modified', delete: 'deleted' }[mutation.kind] as Change['kind'],
        stored,
        current,
      );
      return { outcome: 'committed', stored };
    },
    async *watch(query, signal): AsyncGenerator<WatchSignal> {
      let next =
        query.from === undefined
          ? log.length
          : log.findIndex(({ change }) => change.stored.revision > (query.from ?? 0n));
      if (next < 0) next = log.length;
      if (query.from !== undefined && query.from < compacted)
        throw expired(`too old resource version: ${query.from} (${compacted})`);
      let told = revision;
      while (!signal.aborted) {
        while (next < log.length) {
          const entry = log[next++];
          if (entry === undefined || entry.resource !== query.resource) continue;
          if (query.namespace !== undefined && entry.change.stored.key.namespace !== query.namespace) continue;
          yield { kind: 'change', change: entry.change };
        }
        if (told !== revision) {
          told = revision;
          yield { kind: 'bookmark', revision };
          continue;
        }
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiting.delete(wake);
            signal.removeEventListener('abort', wake);
            resolve();
          };
          waiting.add(wake);
          signal.addEventListener('abort', wake);
          if (signal.aborted) wake();
        });
      }
    },
    observe: async (resource, observer) => {
      for (const stored of [...objects.values()].filter((one) => one.key.resource === resource).toSorted(byKey)) {
        observer({ kind: 'added', stored, previous: undefined });
      }
      const all = observers.get(resource) ?? new Set();
      observers.set(resource, all.add(observer));
      return () => void all.delete(observer);
    },
    isCurrent: () => true,
    revision: () => revision,
  };
}

function page(from: ReadonlyMap<string, Stored>, query: ListQuery, revision: bigint): ListPage {
  const after = query.after === undefined ? undefined : `${query.after.namespace}\u0000${query.after.name}`;
  const found = [...from.values()]
    .filter(({ key }) => key.resource === query.resource)
    .filter(({ key }) => query.namespace === undefined || key.namespace === query.namespace)
    .filter(
      ({ key }) =>
        after === undefined || Buffer.compare(Buffer.from(`${key.namespace}\u0000${key.name}`), Buffer.from(after)) > 0,
    )
    .filter(({ object }) => query.matches?.(object) ?? true)
    .toSorted(byKey);
  const items = query.limit === undefined ? found : found.slice(0, query.limit);
  const left = found.length - items.length;
  return { items, revision, more: left > 0, remaining: query.matches === undefined ? left : undefined };
}
