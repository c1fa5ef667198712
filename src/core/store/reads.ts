/** Reads by freshness (the rules of resourceVersion), from the cache; see presence.ts for what makes it current. */
import type { Clock } from '../../std/clock.ts';
import { deadline } from '../../std/clock.ts';
import { StatusError } from '../../api/status.ts';
import { viewAt } from './history.ts';
import type { HistoryDeps, View } from './history.ts';
import type { Presence } from './presence.ts';
import type { Freshness, Key, ListPage, ListQuery, Stored } from './store.ts';
import { textOf } from './watch-cache.ts';
import type { WatchCache } from './watch-cache.ts';

/** How long a read waits for a revision that is not there yet, ms. Source: Kubernetes waits 3 s. */
const reachMs = 3000;

export interface ReadDeps extends HistoryDeps {
  readonly presence: Presence;
  readonly clock: Clock;
}

/** The object under `key`; see Store.get. */
export async function readObject(
  deps: ReadDeps,
  { key, fresh, signal }: { readonly key: Key; readonly fresh: Freshness; readonly signal: AbortSignal | undefined },
): Promise<Stored | undefined> {
  signal?.throwIfAborted();
  if (fresh.kind === 'any' || (fresh.kind === 'current' && deps.presence.holds)) return deps.cache.get(key);
  await refresh(deps, fresh, signal);
  if (fresh.kind !== 'exact') return deps.cache.get(key);
  return (await viewAt(deps, key.resource, fresh.revision)).objects.get(textOf(key));
}

/** A page of a list; see Store.list. */
export async function readList(deps: ReadDeps, query: ListQuery, signal: AbortSignal | undefined): Promise<ListPage> {
  await refresh(deps, query.fresh, signal);
  if (query.fresh.kind === 'exact') {
    const { revision } = query.fresh;
    return pageOf(await viewAt(deps, query.resource, revision), query, revision);
  }
  return pageOf(deps.cache.collection(query.resource), query, deps.cache.revision);
}

/** The page of `view` that `query` asks for. */
export function pageOf(view: View, query: ListQuery, revision: bigint): ListPage {
  const { keys, objects } = view;
  const { namespace, after, matches, limit = Number.POSITIVE_INFINITY } = query;
  const end = namespace === undefined ? keys.size : keys.lowerBound(`${namespace}\u0001`);
  let at = namespace === undefined ? 0 : keys.lowerBound(`${namespace}\0`);
  if (after !== undefined) at = Math.max(at, keys.lowerBound(`${textOf(after)}\0`));
  const items: Stored[] = [];
  for (; at < end && items.length < limit; at++) {
    const stored = objects.get(keys.at(at) ?? '');
    if (stored !== undefined && (matches === undefined || matches(stored.object))) items.push(stored);
  }
  // With a filter, more keys need not mean more objects: look for the next one.
  const more = matches === undefined ? at < end : someMatch(view, matches, { from: at, to: end });
  return { items, revision, more, remaining: matches === undefined ? Math.max(end - at, 0) : undefined };
}

function someMatch(
  { keys, objects }: View,
  matches: NonNullable<ListQuery['matches']>,
  { from, to }: { readonly from: number; readonly to: number },
): boolean {
  for (let at = from; at < to; at++) {
    const stored = objects.get(keys.at(at) ?? '');
    if (stored !== undefined && matches(stored.object)) return true;
  }
  return false;
}

async function refresh(deps: ReadDeps, fresh: Freshness, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (fresh.kind === 'any') return;
  if (fresh.kind === 'current') {
    await abortable(deps.presence.confirm(), signal);
    return;
  }
  if (fresh.revision <= deps.cache.revision) return;
  await abortable(deps.presence.confirm(), signal);
  await reached(deps.cache, fresh.revision, deadline(reachMs, signal));
}

/** Resolves when the cache has come to `revision`; throws Timeout when `signal` aborts first. */
function reached(cache: WatchCache, revision: bigint, signal: AbortSignal): Promise<void> {
  if (cache.revision >= revision) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const done = cache.onRevision(() => {
      if (cache.revision < revision) return;
      done();
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    const onAbort = (): void => {
      done();
      const message = `Too large resource version: ${revision}, current: ${cache.revision}`;
      reject(
        new StatusError('Timeout', message, {
          details: {
            causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
            retryAfterSeconds: 1,
          },
        }),
      );
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** `promise`, unless `signal` aborts first: then its reason. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
