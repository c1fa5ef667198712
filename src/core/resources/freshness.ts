/** What resourceVersion and resourceVersionMatch of a read ask for. Source: Kubernetes API concepts, "Resource versions". */
import { StatusError, badRequest } from '../../api/status.ts';
import type { Freshness } from '../store/store.ts';
import type { ListOptions, ReadOptions } from './resources.ts';

/** A resourceVersion as a revision. Throws BadRequest for text that is none. */
export function revisionOf(text: string): bigint {
  if (!/^\d{1,19}$/.test(text))
    throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(text)}: not a resourceVersion of this server`);
  return BigInt(text);
}

/** How fresh a get has to be: unset is what is committed now, 0 whatever is known, else not older. */
export function freshnessOfGet({ resourceVersion }: ReadOptions): Freshness {
  if (resourceVersion === '') return { kind: 'current' };
  const revision = revisionOf(resourceVersion);
  return revision === 0n ? { kind: 'any' } : { kind: 'at-least', revision };
}

/** How fresh a list (without continue token) has to be. Throws Invalid for combinations that have no meaning. */
export function freshnessOfList({ resourceVersion, resourceVersionMatch }: ListOptions): Freshness {
  if (resourceVersionMatch !== '') {
    if (resourceVersion === '') {
      throw forbiddenMatch('resourceVersionMatch is forbidden unless resourceVersion is provided');
    }
    if (resourceVersionMatch === 'Exact') {
      const revision = revisionOf(resourceVersion);
      if (revision === 0n) throw forbiddenMatch('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
      return { kind: 'exact', revision };
    }
    if (resourceVersionMatch !== 'NotOlderThan') {
      throw new StatusError(
        'Invalid',
        `resourceVersionMatch: Unsupported value: ${JSON.stringify(resourceVersionMatch)}: supported values: "Exact", "NotOlderThan"`,
      );
    }
  }
  return freshnessOfGet({ resourceVersion, resourceVersionMatch });
}

function forbiddenMatch(why: string): StatusError {
  return new StatusError('Invalid', `resourceVersionMatch: Forbidden: ${why}`);
}
