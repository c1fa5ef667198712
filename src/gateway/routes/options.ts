/** Query parameters of the resource API, parsed where they come in. Pure. Throw BadRequest that names the parameter. */
import type { FieldCause } from '../../api/status.ts';
import { badRequest, invalid } from '../../api/status.ts';
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

/** Longest name of a field manager, bytes. Source: apimachinery, FieldManagerMaxLength. */
const longestManager = 128;

/** What is written, as far as it decides which parameters may come with it. */
export type WriteKind = 'create' | 'update' | 'delete' | 'patch' | 'apply';

/**
 * `userAgent` names the manager of the fields where the query does not; never of an apply, which must say.
 * Throws Invalid for a manager that is none, and for `force` where nothing can be forced.
 */
export function writeOptions(query: URLSearchParams, userAgent: string, kind: WriteKind): WriteOptions {
  const manager = query.get('fieldManager') ?? '';
  const causes = managerCauses(manager);
  if (kind === 'apply' && manager === '') {
    causes.push(cause('fieldManager', 'FieldValueRequired', 'Required value: is required for apply patch'));
  }
  if (kind === 'patch' && query.has('force')) {
    causes.push(cause('force', 'FieldValueForbidden', 'Forbidden: may not be specified for non-apply patch'));
  }
  if (causes.length > 0) throw invalid('meta.k8s.io', optionKinds[kind], '', causes);
  return {
    dryRun: dryRun(query),
    fieldManager: manager === '' ? managerOf(userAgent) : manager,
    fieldValidation: fieldValidation(query),
    force: isTrue(query.get('force')),
  };
}

const optionKinds: Readonly<Record<WriteKind, string>> = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  delete: 'DeleteOptions',
  patch: 'PatchOptions',
  apply: 'PatchOptions',
};

function cause(field: string, reason: string, message: string): FieldCause {
  return { field, reason, message };
}

/** What a Go program calls printable: no spaces but the plain one, no controls, nothing unassigned. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

function managerCauses(manager: string): FieldCause[] {
  const causes: FieldCause[] = [];
  if (Buffer.byteLength(manager) > longestManager) {
    causes.push(cause('fieldManager', 'FieldValueTooLong', `Too long: may not be more than ${longestManager} bytes`));
  }
  const wrong = unprintable.exec(manager);
  if (wrong !== null) {
    const code = (wrong[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    const text = `invalid character U+${code} (at position ${wrong.index})`;
    causes.push(
      cause('fieldManager', 'FieldValueInvalid', `Invalid value: ${JSON.stringify(manager.slice(0, 200))}: ${text}`),
    );
  }
  return causes;
}

/** The program that a User-Agent begins with: its printable characters, as many as a manager may have. */
function managerOf(userAgent: string): string {
  let name = '';
  for (const character of userAgent.split('/')[0] ?? '') {
    if (unprintable.test(character)) continue;
    if (Buffer.byteLength(name + character) > longestManager) break;
    name += character;
  }
  return name;
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
