/** Watches: each follows the changes of its resource at its own pace, from memory, or from the log when it starts far back. */
import type { Clock } from '../../std/clock.ts';
import { changesAfter } from './history.ts';
import type { HistoryDeps } from './history.ts';
import type { WatchSignal } from './store.ts';

/** Changes handed on before others get their turn. Chosen, not measured. */
const stretchLimit = 256;

export interface WatchQuery {
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly from: bigint | undefined;
  readonly bookmarkMs: number;
}

/** The signals of one watch, until `signal` aborts; see Store.watch. The starting point is fixed when this is called. */
export function watchChanges(
  deps: HistoryDeps & { readonly clock: Clock },
  query: WatchQuery,
  signal: AbortSignal,
): AsyncIterable<WatchSignal> {
  return follow(deps, query, { from: query.from ?? deps.cache.revision, signal });
}

async function* follow(
  deps: HistoryDeps & { readonly clock: Clock },
  { resource, namespace, bookmarkMs }: WatchQuery,
  { from, signal }: { readonly from: bigint; readonly signal: AbortSignal },
): AsyncGenerator<WatchSignal, void, undefined> {
  const { cache, clock } = deps;
  let sent = from;
  let bookmarkAt = clock.monotonic() + bookmarkMs;
  while (!signal.aborted) {
    const { changes, upTo } = await changesAfter(deps, { resource, revision: sent, limit: stretchLimit });
    for (const change of changes) {
      if (isAborted(signal)) return;
      sent = change.stored.revision;
      if (namespace === undefined || change.stored.key.namespace === namespace) yield { kind: 'change', change };
    }
    if (upTo > sent) sent = upTo;
    if (clock.monotonic() >= bookmarkAt && sent <= cache.revision) {
      bookmarkAt = clock.monotonic() + bookmarkMs;
      yield { kind: 'bookmark', revision: sent };
    }
    // A change that came while this watch was away woke nobody: look before waiting.
    if (isAborted(signal) || cache.collection(resource).ring.after(sent, 1).length > 0) continue;
    if (cache.collection(resource).ring.floor > sent) continue;
    await nextChange(deps, resource, { untilMs: Math.max(bookmarkAt - clock.monotonic(), 1), signal });
  }
}

/** Resolves at the next change of `resource`, after `untilMs`, or when `signal` aborts. */
function nextChange(
  { cache, clock }: HistoryDeps & { readonly clock: Clock },
  resource: string,
  { untilMs, signal }: { readonly untilMs: number; readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      unwatch();
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const unwatch = cache.onChange(resource, done);
    const cancel = clock.after(untilMs, done);
    signal.addEventListener('abort', done, { once: true });
  });
}

// The compiler believes that what it once saw of `signal` stays so; a generator's caller may abort at every yield.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
