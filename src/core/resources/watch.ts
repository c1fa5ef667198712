/**
 * Watches: what the store changes, as one client's selection sees it. An object that leaves the selection is DELETED to
 * that client, one that comes into it ADDED.
 */
import type { KubeObject } from '../../api/meta.ts';
import { StatusError, expired, failedWith } from '../../api/status.ts';
import type { Clock } from '../../std/clock.ts';
import type { Change, Store, Stored } from '../store/store.ts';
import type { Address } from './address.ts';
import { storageName } from './address.ts';
import { servedFrom } from './faces.ts';
import { revisionOf } from './freshness.ts';
import type { WatchItem, WatchOptions } from './resources.ts';
import { selectionOf } from './selection.ts';

/** How often a client that wants bookmarks gets one. Source: about once a minute upstream; chosen shorter, not measured. */
const bookmarkMs = 30_000;

/**
 * The changes that `address` and `options` select, until `signal` aborts or the timeout passes. With resourceVersion
 * unset or 0, or with sendInitialEvents, it begins with what is there as ADDED. Throws Expired for a revision that is
 * no longer kept, Invalid for options that have no meaning together.
 */
export async function* watchItems(
  deps: { readonly store: Pick<Store, 'get' | 'list' | 'watch'>; readonly clock: Clock },
  address: Address,
  options: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchItem> {
  const { type, target } = address;
  const start = startOf(options);
  const { matches } = selectionOf(address, options);
  const namespace = type.namespaced && target.namespace !== '' ? target.namespace : undefined;
  const resource = storageName(type);
  const ended = new AbortController();
  const cancel =
    options.timeoutSeconds === undefined
      ? undefined
      : deps.clock.after(options.timeoutSeconds * 1000, () => ended.abort());
  const retired = type.custom?.definition.retired; // the kind became another, or went
  const until = AbortSignal.any([signal, ended.signal, ...(retired === undefined ? [] : [retired])]);
  try {
    let from = start.from;
    if (start.initial !== undefined) {
      const page = await deps.store.list(
        { resource, namespace, fresh: start.initial, limit: undefined, after: undefined, matches },
        until,
      );
      for (const stored of page.items) yield { type: 'ADDED', stored: servedFrom(type, stored) };
      if (start.endMark) yield { type: 'BOOKMARK', resourceVersion: String(page.revision), initialEventsEnd: true };
      from = page.revision;
    }
    for await (const told of deps.store.watch({ resource, namespace, from, bookmarkMs }, until)) {
      if (until.aborted) return;
      if (told.kind === 'change') {
        const item = itemOf(told.change, matches);
        if (item !== undefined) yield { ...item, stored: servedFrom(type, item.stored) };
      } else if (options.allowWatchBookmarks) {
        yield { type: 'BOOKMARK', resourceVersion: String(told.revision), initialEventsEnd: false };
      }
    }
  } catch (error) {
    if (until.aborted) return; // the wait ended because it was told to
    throw failedWith(error, 'Expired') ? tooOld(options.resourceVersion) : error;
  } finally {
    cancel?.();
  }
}

interface Start {
  readonly from: bigint | undefined;
  readonly initial:
    | { readonly kind: 'current' }
    | { readonly kind: 'any' }
    | { readonly kind: 'at-least'; readonly revision: bigint }
    | undefined;
  /** A bookmark says where the initial events end. */
  readonly endMark: boolean;
}

function startOf({
  resourceVersion,
  resourceVersionMatch,
  sendInitialEvents,
  allowWatchBookmarks,
}: WatchOptions): Start {
  const revision = resourceVersion === '' ? undefined : revisionOf(resourceVersion);
  if (sendInitialEvents === undefined) {
    if (resourceVersionMatch !== '') {
      throw new StatusError(
        'Invalid',
        'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      );
    }
    if (revision !== undefined && revision > 0n) return { from: revision, initial: undefined, endMark: false };
    return { from: undefined, initial: { kind: revision === undefined ? 'current' : 'any' }, endMark: false };
  }
  if (resourceVersionMatch !== 'NotOlderThan') {
    throw new StatusError(
      'Invalid',
      'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    );
  }
  if (!sendInitialEvents) {
    const from = revision === 0n ? undefined : revision;
    return { from, initial: undefined, endMark: false };
  }
  if (!allowWatchBookmarks) {
    throw new StatusError(
      'Invalid',
      'sendInitialEvents: Forbidden: sendInitialEvents is forbidden unless allowWatchBookmarks is true',
    );
  }
  if (revision === undefined) return { from: undefined, initial: { kind: 'current' }, endMark: true };
  return {
    from: undefined,
    initial: revision === 0n ? { kind: 'any' } : { kind: 'at-least', revision },
    endMark: true,
  };
}

/** The change as a client sees it whose selection is `matches`; undefined when it never sees the object. */
function itemOf(
  { kind, stored, previous }: Change,
  matches: ((object: KubeObject) => boolean) | undefined,
): { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly stored: Stored } | undefined {
  const was = previous !== undefined && (matches?.(previous.object) ?? true);
  const is = kind !== 'deleted' && (matches?.(stored.object) ?? true);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', stored };
  return was ? { type: 'DELETED', stored: kind === 'deleted' ? stored : leaving(stored, previous) } : undefined;
}

/** What the client last knew of an object that leaves its selection, at the revision at which it left. */
function leaving(now: Stored, previous: Stored): Stored {
  const metadata = { ...previous.object.metadata, resourceVersion: String(now.revision) };
  const object = { ...previous.object, metadata };
  return { key: now.key, revision: now.revision, object, json: Buffer.from(JSON.stringify(object)) };
}

function tooOld(resourceVersion: string): StatusError {
  return expired(`too old resource version: ${resourceVersion === '' ? '0' : resourceVersion}`);
}
