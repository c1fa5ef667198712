/** Gets and lists. The common get answers the store's own value: no copy, no parse, no print. */
import { StatusError, failedWith, notFound } from '../../api/status.ts';
import type { Store, Stored } from '../store/store.ts';
import type { Address } from './address.ts';
import { keyOf, storageName } from './address.ts';
import { formatContinue, parseContinue } from './continue-token.ts';
import { servedFrom } from './faces.ts';
import { freshnessOfGet, freshnessOfList } from './freshness.ts';
import type { ListOptions, ListResult, ReadOptions } from './resources.ts';
import { selectionOf } from './selection.ts';

/**
 * The object that `address` names. Throws NotFound. What it may wait for, the store bounds to seconds: it takes no signal,
 * because a signal for each request costs more than the read.
 */
export async function readOne(
  store: Pick<Store, 'get' | 'list' | 'watch'>,
  address: Address,
  options: ReadOptions,
): Promise<Stored> {
  const { type, of, target } = address;
  const stored = await store.get(keyOf(type, target.namespace, target.name), freshnessOfGet(options));
  if (stored === undefined) throw notFound(of, target.name);
  return servedFrom(type, stored);
}

/**
 * A page of the objects that `address` and `options` select, as of one revision over all pages. A continue token
 * whose revision is compacted is answered Expired with a new token that goes on with what is there now.
 */
export async function readList(
  store: Pick<Store, 'get' | 'list' | 'watch'>,
  address: Address,
  options: ListOptions,
  signal: AbortSignal,
): Promise<ListResult> {
  const { type, target } = address;
  const { matches } = selectionOf(address, options);
  const token = options.continue === '' ? undefined : parseContinue(options.continue);
  if (token !== undefined && options.resourceVersion !== '' && options.resourceVersion !== '0') {
    throw new StatusError('BadRequest', 'specifying resource version is not allowed when using continue');
  }
  const fresh =
    token === undefined
      ? freshnessOfList(options)
      : token.revision === 0n
        ? ({ kind: 'current' } as const)
        : ({ kind: 'exact', revision: token.revision } as const);
  const page = await store
    .list(
      {
        resource: storageName(type),
        namespace: type.namespaced && target.namespace !== '' ? target.namespace : undefined,
        fresh,
        limit: options.limit > 0 ? options.limit : undefined,
        after: token === undefined ? undefined : { namespace: token.namespace, name: token.name },
        matches,
      },
      signal,
    )
    .catch((error: unknown) => {
      if (token === undefined || !failedWith(error, 'Expired')) throw error;
      throw inconsistent(formatContinue({ ...token, revision: 0n }));
    });
  const last = page.items.at(-1)?.key;
  return {
    items: page.items.map((stored) => servedFrom(type, stored)),
    resourceVersion: String(page.revision),
    continue: page.more && last !== undefined ? formatContinue({ ...last, revision: page.revision }) : '',
    remainingItemCount: page.more && matches === undefined ? page.remaining : undefined,
  };
}

/** The client may go on with `token`, but the pages will not be of one revision. */
function inconsistent(token: string): StatusError {
  const message =
    'The provided continue parameter is too old to display a consistent list result. List again without it, or go on with the continue token in this response: pages then show changes made since the first.';
  return new StatusError('Expired', message, { continue: token });
}
