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
// A watch that ends sooner and brought nothing is a server in trouble: it is not asked again at once.
const shortWatchMs = 1_000;

/** Starts to follow `options.of` at once. */
export function startInformer<T extends ClusterObject>(options: InformerOptions<T>): Informer<T> {
  const copy = new Copy<T>(options.indexes ?? {}, options.log);
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
      const begun = clock.monotonic();
      let brought = false;
      const watch = client.watch(of, { ...query, resourceVersion: from, timeoutSeconds: watchSeconds }, signal);
      for await (const event of watch) {
        from = event.type === 'BOOKMARK' ? event.resourceVersion : (event.object.metadata.resourceVersion ?? from);
        if (event.type === 'BOOKMARK') copy.reached(event.resourceVersion);
        else copy.take(event.type, event.object);
        wait = backoffMs.first;
        brought = true;
      }
      if (brought || clock.monotonic() - begun >= shortWatchMs) continue;
    } catch (error) {
      if (signal.aborted) return;
      // An outage may pass, and the watch goes on where it was. Any other answer says that this revision is no good
      // (too old, or of a history that was lost with a restored backup): only a new list helps.
      if (error instanceof StatusError && error.code !== 503 && error.code !== 429) from = undefined;
      log.debug('watch interrupted', { resource: of.resource, error });
    }
    await clock.sleep(wait, signal).catch(() => {});
    wait = Math.min(wait * 2, backoffMs.most);
  }
}

class Copy<T extends ClusterObject> implements Informer<T> {
  readonly #objects = new Map<string, Map<string, T>>();
  readonly #indexes: readonly { readonly name: string; readonly keys: Index<T>; readonly found: Map<string, Set<T>> }[];
  readonly #listeners = new Set<(event: InformerEvent<T>) => void>();
  #waiting: (() => void)[] = [];
  #revision: bigint | undefined;

  readonly #log: Logger;

  constructor(indexes: Readonly<Record<string, Index<T>>>, log: Logger) {
    this.#log = log;
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
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      this.#waiting.push(() => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  hasSeen(resourceVersion: string | undefined): boolean {
    if (resourceVersion === undefined || resourceVersion === '') return true;
    return this.#revision !== undefined && this.#revision >= BigInt(resourceVersion);
  }

  /** Takes a whole list. Listeners hear of it when all of it is in the copy: they never see half a list. */
  replace(items: readonly T[], resourceVersion: string): void {
    const kept = new Set(items.map((item) => `${item.metadata.namespace ?? ''}/${item.metadata.name}`));
    const events: InformerEvent<T>[] = [];
    for (const object of this.list()) {
      if (!kept.has(`${object.metadata.namespace ?? ''}/${object.metadata.name}`)) events.push(...this.#remove(object));
    }
    for (const item of items) {
      const known = this.get(item.metadata.namespace ?? '', item.metadata.name);
      if (known?.metadata.resourceVersion !== item.metadata.resourceVersion) events.push(...this.#put(item));
    }
    this.#revision = BigInt(resourceVersion);
    for (const event of events) this.#tell(event);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  take(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    const events = type === 'DELETED' ? this.#remove(object) : this.#put(object);
    this.reached(object.metadata.resourceVersion);
    for (const event of events) this.#tell(event);
  }

  reached(resourceVersion: string | undefined): void {
    if (resourceVersion === undefined || resourceVersion === '') return;
    const revision = BigInt(resourceVersion);
    if (this.#revision === undefined || revision > this.#revision) this.#revision = revision;
  }

  #put(whole: T): readonly InformerEvent<T>[] {
    const object = withoutOwners(whole);
    const { namespace = '', name, uid } = object.metadata;
    const known = this.get(namespace, name);
    // The same name with another uid is another object: the first one's end was missed while the watch was broken.
    const ended = known !== undefined && known.metadata.uid !== uid ? this.#remove(known) : [];
    const previous = ended.length > 0 ? undefined : known;
    if (previous !== undefined) this.#unindex(previous);
    let objects = this.#objects.get(namespace);
    if (objects === undefined) this.#objects.set(namespace, (objects = new Map()));
    objects.set(name, object);
    this.#index(object);
    return [...ended, { kind: 'set', object, previous }];
  }

  /** `object` is the last that was seen of it. */
  #remove(object: T): readonly InformerEvent<T>[] {
    const { namespace = '', name } = object.metadata;
    const known = this.get(namespace, name);
    if (known === undefined) return [];
    this.#unindex(known);
    const objects = this.#objects.get(namespace);
    objects?.delete(name);
    if (objects?.size === 0) this.#objects.delete(namespace);
    return [{ kind: 'deleted', previous: object }];
  }

  #tell(event: InformerEvent<T>): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error('a listener of an informer failed', { error });
      }
    }
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

/** Who owns which field decides nothing here, and is half of a small object. An update that leaves it out changes nothing about it. */
function withoutOwners<T extends ClusterObject>(object: T): T {
  const { managedFields, ...metadata } = object.metadata;
  return managedFields === undefined ? object : { ...object, metadata };
}

/** An index by the uid of the controlling owner, as controllers need it. */
export function byController(object: ClusterObject): readonly string[] {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
  return owner === undefined ? [] : [owner.uid];
}
