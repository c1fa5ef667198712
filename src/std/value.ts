/**
 * Reading and comparing values as they come from JSON. Nothing here changes what it is given.
 */

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether `value` is a JSON object (no list, no null). */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `value` as an object; the empty one where it is none. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** `value` as a list; the empty one where it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** `value` as text; '' where it is none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Whether two JSON values are the same. The order of an object's fields does not count. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) if (!equal(a[index], b[index])) return false;
    return true;
  }
  if (!isFields(a) || !isFields(b)) return false;
  // Every write compares whole objects: no lists of keys are made.
  let surplus = 0;
  for (const key in a) {
    if (a[key] === undefined) continue;
    if (!Object.hasOwn(b, key) || !equal(a[key], b[key])) return false;
    surplus++;
  }
  for (const key in b) if (b[key] !== undefined) surplus--;
  return surplus === 0;
}

/** `fields` without those named. */
export function without(fields: object, ...names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** What lies at `path`, or undefined where some part of it is missing. Numbers in a path index lists. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value;
  for (const step of path) {
    if (typeof step === 'number') here = listOf(here)[step];
    else here = isFields(here) && Object.hasOwn(here, step) ? here[step] : undefined;
  }
  return here;
}

/** A copy of `fields` in which `path` holds `value` (undefined takes it away); objects on the way are made where missing. */
export function withAt(fields: Fields, path: readonly string[], value: unknown): Record<string, unknown> {
  const [first, ...rest] = path;
  if (first === undefined) return { ...fields };
  if (rest.length > 0) {
    const inner = fieldsOf(fields[first]);
    if (value === undefined && !isFields(fields[first])) return { ...fields };
    return { ...fields, [first]: withAt(inner, rest, value) };
  }
  return value === undefined ? without(fields, first) : { ...fields, [first]: value };
}
