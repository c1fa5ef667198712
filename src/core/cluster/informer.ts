/**
 * A local copy of a resource that follows the server: list once, then watch, and begin again whenever the watch breaks
 * for good. Readers see objects that may be a moment old; `hasSeen` tells whether a certain write is among them.
 *
 * Revisions of the store are one total order over all resources, and bookmarks tell how far a quiet resource is, so
 * "have I seen write n" is a comparison of two numbers.
 */
import { StatusError } from '../../api/status.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { ClusterClient, ListQuery } from './client.ts';
import type { ClusterObject, ResourceRef } from './resource-ref.ts';

/** What changed in the copy. `previous` is undefined for an object that is new. */
export type InformerEvent<T> =
  | { readonly kind: 'set'; readonly object: T; readonly previous: T | undefined }
  | { readonly kind: 'deleted'; readonly previous: T };

/** Derives the keys under which an object is found through `byIndex`. */
export type Index<T> = (object: T) => readonly string[];

export interface Informer<T extends ClusterObject> {
  get(namespace: string, name: string): T | undefined;
  /** All objects, or those of a namespace, in no order. */
  list(namespace?: string): readonly T[];
  /** Objects whose `index` yields `key`. The index has to be one of those given at creation. */
  byIndex(index: string, key: string): readonly T[];
  /** Calls `listener` for every later change, after the copy has taken it; returns how to end that. */
  onChange(listener: (event: InformerEvent<T>) => void): () => void;
  /** Whether the first list is in the copy. */
  synced(): boolean;
  /** Resolves when `synced()`; rejects when `signal` aborts first. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Whether the copy holds everything up to `resourceVersion`. */
  hasSeen(resourceVersion: string | undefined): boolean;
}

export interface InformerOptions<T extends ClusterObject> {
  readonly client: ClusterClient;
  readonly of: ResourceRef<T>;
  readonly query?: Pick<ListQuery, 'namespace' | 'labelSelector' | 'fieldSelector' | 'metadataOnly'>;
  readonly indexes?: Readonly<Record<string, Index<T>>>;
  readonly clock: Clock;
  readonly log: Logger;
  /** The informer runs until this aborts. */
  readonly signal: AbortSignal;
}

const watchSeconds = 300;
const backoffMs = { first: 100, most: 10_000 };

/** Starts to follow `options.of` at once. */
export function startInformer<T extends ClusterObject>(options: InformerOptions<T>): Informer<T> {
  const copy = new Copy<T>(options.indexes ?? {});
  void follow(options, copy);
  return copy;
}

async function follow<T extends ClusterObject>(options: InformerOptions<T>, copy: Copy<T>): Promise<void> {
  const { client, of, clock, log, signal } = options;
  const query = options.query ?? {};
  let wait = backoffMs.first;
  let from: string | undefined;
  while (!signal.aborted) {
    try {
      if (from === undefined) {
        const list = await client.list(of, query, signal);
        copy.replace(list.items, list.resourceVersion);
        from = list.resourceVersion;
      }
      const watch = client.watch(of, { ...query, resourceVersion: from, timeoutSeconds: watchSeconds }, signal);
      for await (const event of watch) {
        from = event.type === 'BOOKMARK' ? event.resourceVersion : (event.object.metadata.resourceVersion ?? from);
        if (event.type === 'BOOKMARK') copy.reached(event.resourceVersion);
        else copy.take(event.type, event.object);
        wait = backoffMs.first;
      }
    } catch (error) {
      if (signal.aborted) return;
      // Too old a revision: only a new list helps. Anything else may pass, and the watch goes on where it was.
      if (error instanceof StatusError && error.code === 410) from = undefined;
      else log.debug('watch interrupted', { resource: of.resource, error });
      await clock.sleep(wait, signal).catch(() => {});
      wait = Math.min(wait * 2, backoffMs.most);
    }
  }
}

class Copy<T extends ClusterObject> implements Informer<T> {
  readonly #objects = new Map<string, Map<string, T>>();
  readonly #indexes: readonly { readonly name: string; readonly keys: Index<T>; readonly found: Map<string, Set<T>> }[];
  readonly #listeners = new Set<(event: InformerEvent<T>) => void>();
  #waiting: (() => void)[] = [];
  #revision: bigint | undefined;

  constructor(indexes: Readonly<Record<string, Index<T>>>) {
    this.#indexes = Object.entries(indexes).map(([name, keys]) => ({ name, keys, found: new Map() }));
  }

  get(namespace: string, name: string): T | undefined {
    return this.#objects.get(namespace)?.get(name);
  }

  list(namespace?: string): readonly T[] {
    if (namespace !== undefined) return [...(this.#objects.get(namespace)?.values() ?? [])];
    return [...this.#objects.values()].flatMap((objects) => [...objects.values()]);
  }

  byIndex(index: string, key: string): readonly T[] {
    const wanted = this.#indexes.find(({ name }) => name === index);
    if (wanted === undefined) throw new Error(`the informer has no index ${index}`);
    return [...(wanted.found.get(key) ?? [])];
  }

  onChange(listener: (event: InformerEvent<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  synced(): boolean {
    return this.#revision !== undefined;
  }

  whenSynced(signal: AbortSignal): Promise<void> {
    if (this.synced()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.#waiting.push(resolve);
    });
  }

  hasSeen(resourceVersion: string | undefined): boolean {
    if (resourceVersion === undefined || resourceVersion === '') return true;
    return this.#revision !== undefined && this.#revision >= BigInt(resourceVersion);
  }

  replace(items: readonly T[], resourceVersion: string): void {
    const kept = new Set(items.map((item) => `${item.metadata.namespace ?? ''}/${item.metadata.name}`));
    for (const object of this.list()) {
      if (!kept.has(`${object.metadata.namespace ?? ''}/${object.metadata.name}`)) this.take('DELETED', object);
    }
    for (const item of items) {
      const known = this.get(item.metadata.namespace ?? '', item.metadata.name);
      if (known?.metadata.resourceVersion !== item.metadata.resourceVersion) this.take('MODIFIED', item);
    }
    this.reached(resourceVersion);
  }

  take(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    const { namespace = '', name } = object.metadata;
    const previous = this.get(namespace, name);
    if (previous !== undefined) this.#unindex(previous);
    if (type === 'DELETED') {
      this.#objects.get(namespace)?.delete(name);
      this.reached(object.metadata.resourceVersion);
      if (previous !== undefined) this.#tell({ kind: 'deleted', previous: object });
      return;
    }
    let objects = this.#objects.get(namespace);
    if (objects === undefined) this.#objects.set(namespace, (objects = new Map()));
    objects.set(name, object);
    this.#index(object);
    // Before the first list is whole the revision stays unset: reached() is for what follows it.
    if (this.synced()) this.reached(object.metadata.resourceVersion);
    this.#tell({ kind: 'set', object, previous });
  }

  reached(resourceVersion: string | undefined): void {
    if (resourceVersion === undefined || resourceVersion === '') return;
    const revision = BigInt(resourceVersion);
    if (this.#revision === undefined || revision > this.#revision) this.#revision = revision;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #tell(event: InformerEvent<T>): void {
    for (const listener of this.#listeners) listener(event);
  }

  #index(object: T): void {
    for (const { keys, found } of this.#indexes) {
      for (const key of keys(object)) {
        const set = found.get(key);
        if (set === undefined) found.set(key, new Set([object]));
        else set.add(object);
      }
    }
  }

  #unindex(object: T): void {
    for (const { keys, found } of this.#indexes) {
      for (const key of keys(object)) {
        const set = found.get(key);
        set?.delete(object);
        if (set?.size === 0) found.delete(key);
      }
    }
  }
}

/** An index by the uid of the controlling owner, as controllers need it. */
export function byController(object: ClusterObject): readonly string[] {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
  return owner === undefined ? [] : [owner.uid];
}
