/**
 * The contract of the store: objects of every kind by key, each write a revision, revisions a total order.
 *
 * Revision order is commit order, so whoever has seen revision n has seen every change up to n. Objects are immutable
 * values: nobody changes one that came out of here. Each change commits together with the rows that record it
 * (`Companion`), or not at all.
 */
import type { KubeObject } from '../../api/meta.ts';

/** Where an object lives. `resource` is spelled as `resourceName()` spells it (`pods`, `deployments.apps`); namespace '' is cluster scope. */
export interface Key {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

/** An object as it stood at `revision`. `object` and `json` are the same value and both carry metadata.resourceVersion. */
export interface Stored {
  readonly key: Key;
  readonly revision: bigint;
  readonly object: KubeObject;
  readonly json: Buffer;
}

/** A change asked for. `expected` is the revision that the caller read; the write conflicts if the object has moved on. */
export type Mutation =
  | { readonly kind: 'create'; readonly key: Key; readonly object: KubeObject }
  | { readonly kind: 'update'; readonly key: Key; readonly object: KubeObject; readonly expected: bigint }
  | { readonly kind: 'delete'; readonly key: Key; readonly expected: bigint };

/** What became of one write. The others of its batch do not depend on it. */
export type Verdict =
  | { readonly outcome: 'committed'; readonly stored: Stored } // of a delete: the last state, at the deletion's revision
  | { readonly outcome: 'exists'; readonly current: Stored }
  | { readonly outcome: 'conflict'; readonly current: Stored }
  | { readonly outcome: 'not-found' }
  | { readonly outcome: 'rejected'; readonly message: string }; // the database refuses this value; `message` names the cause without SQL

/** One change as watchers see it. `previous` is what the object was before, so that a selector can tell "left the set". */
export interface Change {
  readonly kind: 'added' | 'modified' | 'deleted';
  readonly stored: Stored;
  readonly previous: Stored | undefined;
}

/** How fresh a read has to be. `current`: what is committed now; `at-least`: not older than the revision; `any`: whatever is in the cache. */
export type Freshness =
  | { readonly kind: 'current' }
  | { readonly kind: 'any' }
  | { readonly kind: 'at-least'; readonly revision: bigint }
  | { readonly kind: 'exact'; readonly revision: bigint };

/** A page of a list. `after` continues behind that key (order: namespace, then name, by bytes) at the revision of the first page. */
export interface ListQuery {
  readonly resource: string;
  /** undefined lists all namespaces. */
  readonly namespace: string | undefined;
  readonly fresh: Freshness;
  readonly limit: number | undefined;
  readonly after: { readonly namespace: string; readonly name: string } | undefined;
  /** Keeps the objects it returns true for. Objects are counted against `limit` after it. */
  readonly matches: ((object: KubeObject) => boolean) | undefined;
}

export interface ListPage {
  readonly items: readonly Stored[];
  /** The revision that the page shows. */
  readonly revision: bigint;
  readonly more: boolean;
  /** How many follow this page; undefined where `matches` makes that unknowable. */
  readonly remaining: number | undefined;
}

/** What a watch yields: changes in revision order, and bookmarks (nothing of this resource changed up to `revision`). */
export type WatchSignal =
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'bookmark'; readonly revision: bigint };

/** Rows of one writer that ride in the transaction of its change; `Row` belongs to the room that made them (audit). */
export interface Companion<Row> {
  /** The one statement that inserts `rows`, of which there is at least one. It returns no columns. */
  insert(rows: readonly Row[]): Statement;
}

/** A statement that is prepared once per connection, under its name. A Buffer is a parameter in binary (std/postgres-array.ts). */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: (string | Buffer | null)[];
}

export interface Store<Row = unknown> {
  /** The object under `key`, or undefined. Throws Expired for a compacted exact revision, ServiceUnavailable when the database is away, Timeout when `at-least` is not reached in time. */
  get(key: Key, fresh: Freshness, signal?: AbortSignal): Promise<Stored | undefined>;
  list(query: ListQuery, signal?: AbortSignal): Promise<ListPage>;
  /**
   * Carries out `mutation`; resolves when it is durable and every synchronous observer has seen it.
   * `record` is called once the write is certain to be in the batch, with its revision; its rows commit with it. It is
   * called again, with another revision, when the batch had to be formed anew: only the rows of the last call commit.
   * Throws ServiceUnavailable when the outcome is known to be "not written", Timeout when the database went away for so
   * long (30 s) that the outcome cannot be learned; never resolves before the outcome is certain.
   */
  write(mutation: Mutation, record: (revision: bigint) => readonly Row[]): Promise<Verdict>;
  /**
   * Changes of `resource` after `from`, until `signal` aborts; `from` undefined begins at the present.
   * A bookmark follows at least every `bookmarkMs`. Throws Expired when `from` is compacted or the reader fell too far behind.
   */
  watch(
    query: {
      readonly resource: string;
      readonly namespace: string | undefined;
      readonly from: bigint | undefined;
      readonly bookmarkMs: number;
    },
    signal: AbortSignal,
  ): AsyncIterable<WatchSignal>;
  /**
   * Calls `observer` for every change of `resource`, in order, synchronously, before the write that made it is answered;
   * first with the present objects as `added`. For indexes that decide (authorization), which may never be behind.
   */
  observe(resource: string, observer: (change: Change) => void): Promise<() => void>;
  /** Whether this process knows that its cache is current: confirmed with the database in the last 2 s. */
  isCurrent(): boolean;
  /** The newest committed revision this process has applied. */
  revision(): bigint;
}
