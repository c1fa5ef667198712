/** Query parameters of the resource API, parsed where they come in. Pure. Throw BadRequest that names the parameter. */
import { badRequest } from '../../api/status.ts';
import type { ListOptions, WatchOptions, WriteOptions } from '../../core/resources/resources.ts';
import { isTrue } from '../request-info.ts';

export function listOptions(query: URLSearchParams): ListOptions {
  return {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: count(query, 'limit') ?? 0,
    continue: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
  };
}

/** `jitter` is a number from 0 to 1: watches without a timeout end between half an hour and an hour, as upstream's do. */
export function watchOptions(query: URLSearchParams, jitter: () => number): WatchOptions {
  const initial = query.get('sendInitialEvents');
  return {
    ...listOptions(query),
    allowWatchBookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: initial === null ? undefined : isTrue(initial),
    timeoutSeconds: count(query, 'timeoutSeconds') ?? Math.round(1800 * (1 + jitter())),
  };
}

/** `userAgent` names the manager of the fields where the query does not; never of an apply, which must say. */
export function writeOptions(query: URLSearchParams, userAgent: string, isApply: boolean): WriteOptions {
  return {
    dryRun: dryRun(query),
    fieldManager: query.get('fieldManager') ?? (isApply ? '' : (userAgent.split('/')[0] ?? '').slice(0, 128)),
    fieldValidation: fieldValidation(query),
    force: isTrue(query.get('force')),
  };
}

/** Whether nothing is to be kept. Throws BadRequest for any value but All: a typo must not write. */
export function dryRun(query: URLSearchParams): boolean {
  const values = query.getAll('dryRun');
  const wrong = values.find((value) => value !== 'All' && value !== '');
  if (wrong !== undefined)
    throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(wrong)}: supported values: "All"`);
  return values.includes('All');
}

export function fieldValidation(query: URLSearchParams): WriteOptions['fieldValidation'] {
  const value = query.get('fieldValidation') ?? '';
  if (value === '') return 'Warn';
  if (value === 'Ignore' || value === 'Warn' || value === 'Strict') return value;
  throw badRequest(
    `fieldValidation: Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`,
  );
}

function count(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^\d{1,15}$/.test(value)) throw badRequest(`${name}: must be a whole number that is not negative`);
  return Number(value);
}
