/**
 * Every object in memory, as value and as bytes, and the recent changes of each resource. Changes are applied in revision
 * order and each only once, whether they come from this process's own commits or were read from the database; whichever
 * is first wins, so the two may race.
 */
import type { Logger } from '../../std/log.ts';
import { Ring } from './ring.ts';
import { SortedKeys } from './sorted-keys.ts';
import type { Change, Key, Stored } from './store.ts';

/** What the cache keeps of one resource. */
export interface Collection {
  readonly objects: ReadonlyMap<string, Stored>;
  readonly keys: SortedKeys;
  readonly ring: Ring;
}

interface Shelf extends Collection {
  readonly objects: Map<string, Stored>;
  readonly observers: Set<(change: Change) => void>;
  readonly waiters: Set<() => void>;
}

export class WatchCache {
  readonly #log: Logger;
  readonly #shelves = new Map<string, Shelf>();
  readonly #reached = new Set<() => void>();
  #loadedAt = 0n;
  #revision = 0n;
  #compacted = 0n;

  constructor(log: Logger) {
    this.#log = log;
  }

  get revision(): bigint {
    return this.#revision;
  }

  /** Revisions below this one can no longer be asked for. */
  get compacted(): bigint {
    return this.#compacted;
  }

  /** Fills the empty cache with what was there at `revision`. */
  load(objects: Iterable<Stored>, revision: bigint, compacted: bigint): void {
    this.#loadedAt = revision;
    for (const stored of objects) this.#shelf(stored.key.resource).objects.set(textOf(stored.key), stored);
    for (const shelf of this.#shelves.values()) shelf.keys.fill(shelf.objects.keys());
    this.#revision = revision;
    this.#compacted = compacted;
  }

  collection(resource: string): Collection {
    return this.#shelf(resource);
  }

  get(key: Key): Stored | undefined {
    return this.#shelves.get(key.resource)?.objects.get(textOf(key));
  }

  /**
   * Takes in `changes` (in order; those already known are passed over) and everything up to `revision`. Observers have
   * seen them when this returns.
   */
  apply(changes: readonly Change[], revision: bigint): void {
    const touched = new Set<Shelf>();
    for (const change of changes) {
      if (change.stored.revision <= this.#revision) continue;
      this.#revision = change.stored.revision;
      const shelf = this.#shelf(change.stored.key.resource);
      touched.add(shelf);
      this.#put(shelf, change);
    }
    if (revision > this.#revision) this.#revision = revision;
    for (const shelf of touched) for (const wake of shelf.waiters) wake();
    for (const wake of this.#reached) wake();
  }

  compact(revision: bigint): void {
    if (revision > this.#compacted) this.#compacted = revision;
  }

  observe(resource: string, observer: (change: Change) => void): () => void {
    const shelf = this.#shelf(resource);
    for (const stored of shelf.objects.values()) observer({ kind: 'added', stored, previous: undefined });
    shelf.observers.add(observer);
    return () => shelf.observers.delete(observer);
  }

  /** Calls `wake` whenever objects of `resource` have changed, until the returned function is called. */
  onChange(resource: string, wake: () => void): () => void {
    const { waiters } = this.#shelf(resource);
    waiters.add(wake);
    return () => waiters.delete(wake);
  }

  /** Calls `wake` whenever `revision` may have grown, until the returned function is called. */
  onRevision(wake: () => void): () => void {
    this.#reached.add(wake);
    return () => this.#reached.delete(wake);
  }

  #put(shelf: Shelf, change: Change): void {
    const { stored } = change;
    const text = textOf(stored.key);
    if (change.kind === 'deleted') {
      shelf.objects.delete(text);
      shelf.keys.remove(text);
    } else {
      if (!shelf.objects.has(text)) shelf.keys.add(text);
      shelf.objects.set(text, stored);
    }
    shelf.ring.push(change);
    for (const observer of shelf.observers) {
      try {
        observer(change);
      } catch (error) {
        // A write that is committed cannot be taken back because a reader of it failed.
        this.#log.error('an observer of the store failed', { resource: stored.key.resource, error });
      }
    }
  }

  #shelf(resource: string): Shelf {
    const known = this.#shelves.get(resource);
    if (known !== undefined) return known;
    const shelf: Shelf = {
      objects: new Map(),
      keys: new SortedKeys(),
      ring: new Ring(this.#loadedAt),
      observers: new Set(),
      waiters: new Set(),
    };
    this.#shelves.set(resource, shelf);
    return shelf;
  }
}

/** `key` within its resource as one text that sorts by namespace, then name: NUL is below every character of a name. */
export function textOf(key: { readonly namespace: string; readonly name: string }): string {
  return `${key.namespace}\0${key.name}`;
}
