/**
 * JSON patch: a list of operations on paths, all or nothing. Source: RFC 6902, pointers by RFC 6901.
 *
 * A copy may double the document, so a short patch could ask for an endless one (CVE-2019-1002100): the bytes that
 * copies add are counted and bounded before they are made.
 */
import { StatusError, badRequest } from '../../../api/status.ts';
import type { Fields } from '../../../std/value.ts';
import { equal, isFields, textOf } from '../../../std/value.ts';

/** Operations in one patch. Source: kube-apiserver's limit. */
const maxOperations = 10_000;

/** Bytes that all copies of one patch may add; the size of the largest request body. */
const maxCopiedBytes = 3 * 1024 * 1024;

/**
 * `document` after `patch`. Throws BadRequest for what is no JSON patch, RequestEntityTooLarge past the limits, and
 * Invalid where an operation does not apply (a missing path, a failed test).
 */
export function jsonPatch(document: Fields, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch is a list of operations');
  if (patch.length > maxOperations) {
    throw new StatusError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
    );
  }
  let value: unknown = document;
  let copiedBytes = 0;
  for (const operation of patch) {
    if (!isFields(operation)) throw badRequest('an operation of a JSON patch is an object');
    if (operation['op'] === 'copy') {
      const source = read(value, pathOf(operation, 'from'));
      copiedBytes += Buffer.byteLength(JSON.stringify(source) ?? '');
      if (copiedBytes > maxCopiedBytes) {
        throw new StatusError('RequestEntityTooLarge', `the copies of a JSON patch exceed ${maxCopiedBytes} bytes`);
      }
    }
    value = applyOne(value, operation);
  }
  return value;
}

function applyOne(document: unknown, operation: Fields): unknown {
  const path = pathOf(operation, 'path');
  switch (operation['op']) {
    case 'add':
      return add(document, path, valueOf(operation));
    case 'replace':
      read(document, path);
      return replace(document, path, valueOf(operation));
    case 'remove':
      return remove(document, path);
    case 'copy':
      return add(document, path, read(document, pathOf(operation, 'from')));
    case 'move': {
      const from = pathOf(operation, 'from');
      if (path.length > from.length && from.every((step, index) => step === path[index])) {
        throw refused(`cannot move ${textOf(operation['from'])} into itself`);
      }
      return add(remove(document, from), path, read(document, from));
    }
    case 'test':
      if (!equal(readOrNull(document, path), valueOf(operation))) {
        throw refused(`testing path ${textOf(operation['path'])}: the value is another`);
      }
      return document;
    default:
      throw badRequest(`unknown operation ${JSON.stringify(operation['op'])} in a JSON patch`);
  }
}

function pathOf(operation: Fields, field: 'path' | 'from'): readonly string[] {
  const pointer = operation[field];
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/'))) {
    throw badRequest(`an operation of a JSON patch needs "${field}", a path such as /spec/replicas`);
  }
  if (pointer === '') return [];
  const steps = pointer.slice(1).split('/');
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function valueOf(operation: Fields): unknown {
  if (!Object.hasOwn(operation, 'value')) {
    throw badRequest(`operation ${textOf(operation['op'])} of a JSON patch needs "value"`);
  }
  return operation['value'];
}

function read(document: unknown, path: readonly string[]): unknown {
  let here = document;
  for (const step of path) {
    if (Array.isArray(here)) here = here[indexIn(here, step, here.length - 1)];
    else if (isFields(here) && Object.hasOwn(here, step)) here = here[step];
    else throw missing(path);
  }
  return here;
}

/** A test against a path that is not there compares with null. */
function readOrNull(document: unknown, path: readonly string[]): unknown {
  const parent = read(document, path.slice(0, -1));
  const last = path.at(-1);
  if (last === undefined || Array.isArray(parent)) return read(document, path);
  return isFields(parent) && Object.hasOwn(parent, last) ? parent[last] : null;
}

function add(document: unknown, path: readonly string[], value: unknown): unknown {
  return change(
    document,
    path,
    (parent, last) => {
      if (!Array.isArray(parent)) return set(parent, last, value);
      const index = last === '-' ? parent.length : indexIn(parent, last, parent.length);
      return parent.toSpliced(index, 0, value);
    },
    value,
  );
}

function replace(document: unknown, path: readonly string[], value: unknown): unknown {
  return change(
    document,
    path,
    (parent, last) => {
      if (!Array.isArray(parent)) return set(parent, last, value);
      return parent.with(indexIn(parent, last, parent.length - 1), value);
    },
    value,
  );
}

function remove(document: unknown, path: readonly string[]): unknown {
  read(document, path);
  return change(
    document,
    path,
    (parent, last) => {
      if (Array.isArray(parent)) return parent.toSpliced(indexIn(parent, last, parent.length - 1), 1);
      return Object.fromEntries(Object.entries(parent).filter(([name]) => name !== last));
    },
    null,
  );
}

type Container = readonly unknown[] | Fields;

/** `document` with the container that holds `path` changed by `edit`; `whole` is the new document for the empty path. */
function change(
  document: unknown,
  path: readonly string[],
  edit: (parent: Container, last: string) => Container,
  whole: unknown,
): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return whole;
  if (!Array.isArray(document) && !isFields(document)) throw missing(path);
  if (rest.length === 0) return edit(document, first);
  if (Array.isArray(document)) {
    const index = indexIn(document, first, document.length - 1);
    return document.with(index, change(document[index], rest, edit, whole));
  }
  if (!Object.hasOwn(document, first)) throw missing(path);
  return set(document, first, change(document[first], rest, edit, whole));
}

/** Through entries, so that a key such as __proto__ is data. */
function set(fields: Container, name: string, value: unknown): Fields {
  return Object.fromEntries([...Object.entries(fields).filter(([key]) => key !== name), [name, value]]);
}

function indexIn(list: readonly unknown[], step: string, last: number): number {
  const index = /^(0|[1-9]\d*)$/.test(step) ? Number(step) : Number.NaN;
  if (!(index <= last)) throw refused(`"${step}" is no index into a list of ${list.length}`);
  return index;
}

function missing(path: readonly string[]): StatusError {
  return refused(`path /${path.join('/')} is missing`);
}

function refused(why: string): StatusError {
  return new StatusError('Invalid', `the server rejected our request due to an error in our request: ${why}`, {
    details: { causes: [{ reason: 'UnexpectedServerResponse', message: why }] },
  });
}
