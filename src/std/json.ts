/**
 * Canonical JSON: one spelling for each value, so that equal values have equal bytes and a hash of the bytes is a hash of
 * the value. Members are sorted by UTF-16 code units, strings and numbers are written as ECMAScript writes them, and
 * there is no white space. Source: RFC 8785.
 */

/** Nesting beyond this is refused: V8 parses far deeper, but a recursive writer overflows the stack on it. Chosen, not measured. */
const maxDepth = 1000;

/**
 * `value` as canonical JSON. Members that are undefined are left out; undefined elsewhere, functions and numbers that
 * are not finite become null. Throws RangeError when nested deeper than 1000 levels, TypeError on a bigint.
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Number.isFinite(value) ? String(value === 0 ? 0 : value) : 'null';
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      break;
    case 'bigint':
      throw new TypeError('a bigint has no JSON form');
    case 'undefined':
    case 'function':
    case 'symbol':
      return 'null';
  }
  if (value === null) return 'null';
  if (depth >= maxDepth) throw new RangeError(`JSON nested deeper than ${maxDepth} levels`);
  if (Array.isArray(value)) return writeArray(value, depth);
  return writeObject(value, depth);
}

function writeArray(values: readonly unknown[], depth: number): string {
  let text = '[';
  for (let i = 0; i < values.length; i++) text += (i === 0 ? '' : ',') + write(values[i], depth + 1);
  return `${text}]`;
}

function writeObject(object: object, depth: number): string {
  const members = object as Readonly<Record<string, unknown>>;
  let text = '';
  // The default order of sort() is by UTF-16 code units, which is the order of RFC 8785.
  for (const name of Object.keys(members).toSorted()) {
    const member = members[name];
    if (member === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${write(member, depth + 1)}`;
  }
  return `{${text}}`;
}
