/**
 * Strategic merge patch: a merge patch that knows from the schema which lists merge, and by which key, and takes
 * directives where merging is not what is meant:
 *
 *   $patch: replace | delete | merge     on an object, or as an element of a merging list
 *   $deleteFromPrimitiveList/FIELD       takes values out of a merging list of scalars
 *   $setElementOrder/FIELD               the order the client wants; without it, that of the list in the patch
 *   $retainKeys                          fields that stay; all others of the object go
 *
 * Source: Kubernetes design "strategic merge patch" and its behaviour in kube-apiserver.
 */
import { badRequest } from '../../../api/status.ts';
import type { Fields } from '../../../std/value.ts';
import { equal, isFields } from '../../../std/value.ts';
import { inElementOrder } from './element-order.ts';

/** What a strategic merge has to know of a type; the type table answers it. */
export interface MergeShape {
  /** The shape of a field (or of a map's values), undefined where nothing is known of it. */
  field(name: string): MergeShape | undefined;
  /** The shape of a list's elements. */
  readonly items: MergeShape | undefined;
  /** The field that names an element of a merging list of objects. */
  readonly mergeKey: string | undefined;
  /** Whether this list merges with the present one (it replaces it otherwise). */
  readonly merges: boolean;
  /** Whether this object is taken whole from the patch. */
  readonly replaces: boolean;
}

const directive = '$patch';
const retainKeys = '$retainKeys';
const setOrder = '$setElementOrder/';
const deleteFrom = '$deleteFromPrimitiveList/';

/** `original` after `patch`. Neither is changed. Throws BadRequest for a directive that cannot be followed. */
export function strategicPatch(original: Fields, patch: Fields, shape: MergeShape | undefined): Fields {
  const how = patch[directive];
  if (how === 'replace') return cleaned(withoutDirective(patch));
  if (how === 'delete') return {};
  if (how !== undefined && how !== 'merge') throw unknownDirective(how);
  const result = new Map(Object.entries(retained(original, patch)));
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$')) continue;
    if (value === null) result.delete(name);
    else result.set(name, mergeValue(result.get(name), value, shape?.field(name)));
  }
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith(deleteFrom)) takeOut(result, name.slice(deleteFrom.length), value);
  }
  for (const [name, value] of Object.entries(patch)) {
    if (!name.startsWith(setOrder)) continue;
    const field = name.slice(setOrder.length);
    putInOrder(result, { field, wanted: value, original, patch, shape: shape?.field(field) });
  }
  return Object.fromEntries(result);
}

function mergeValue(old: unknown, value: unknown, shape: MergeShape | undefined): unknown {
  if (isFields(value)) {
    if (!isFields(old)) return strategicPatch({}, value, shape);
    return shape?.replaces === true && value[directive] !== 'merge'
      ? cleaned(withoutDirective(value))
      : strategicPatch(old, value, shape);
  }
  if (!Array.isArray(value)) return value;
  if (shape?.merges !== true) return value.map(cleanedValue);
  return mergeList(Array.isArray(old) ? old : [], value, shape);
}

function mergeList(old: readonly unknown[], patch: readonly unknown[], shape: MergeShape): readonly unknown[] {
  const { mergeKey } = shape;
  if (mergeKey === undefined) {
    const merged: unknown[] = [...old];
    for (const value of patch) if (!merged.some((present) => equal(present, value))) merged.push(value);
    return inElementOrder(merged, { wanted: patch, live: old, keyOf: scalar });
  }
  if (patch.some((element) => isFields(element) && element[directive] === 'replace')) {
    return patch.filter((element) => !isFields(element) || element[directive] === undefined).map(cleanedValue);
  }
  let merged = [...old];
  for (const element of patch) {
    if (!isFields(element)) throw badRequest(`a list that merges by ${mergeKey} takes objects only`);
    const key = element[mergeKey];
    const how = element[directive];
    if (key === undefined) throw badRequest(`an element of the patch does not contain declared merge key: ${mergeKey}`);
    const isSame = (present: unknown): boolean => isFields(present) && equal(present[mergeKey], key);
    if (how === 'delete') merged = merged.filter((present) => !isSame(present));
    else if (how === 'merge') throw badRequest('merging lists cannot yet be specified in the patch');
    else if (how !== undefined) throw unknownDirective(how);
    else {
      const index = merged.findIndex(isSame);
      const present = merged[index];
      const next = strategicPatch(isFields(present) ? present : {}, element, shape.items);
      if (index < 0) merged.push(next);
      else merged[index] = next;
    }
  }
  const wanted = patch.filter((element) => isFields(element) && element[directive] === undefined);
  return inElementOrder(merged, { wanted, live: old, keyOf: keyBy(mergeKey) });
}

/** `original` with only the fields that $retainKeys names, if the patch has it. */
function retained(original: Fields, patch: Fields): Fields {
  const keep = patch[retainKeys];
  if (keep === undefined) return original;
  if (!Array.isArray(keep)) throw badRequest('$retainKeys is a list of field names');
  const stray = Object.keys(patch).find(
    (name) => !name.startsWith('$') && patch[name] !== null && !keep.includes(name),
  );
  if (stray !== undefined) throw badRequest(`$retainKeys does not contain ${stray}, which the patch sets`);
  return Object.fromEntries(Object.entries(original).filter(([name]) => keep.includes(name)));
}

function takeOut(result: Map<string, unknown>, field: string, values: unknown): void {
  if (!Array.isArray(values)) throw badRequest(`${deleteFrom}${field} is a list`);
  const present = result.get(field);
  if (!Array.isArray(present)) return;
  const left = present.filter((item) => !values.some((value) => equal(item, value)));
  if (left.length === 0) result.delete(field);
  else result.set(field, left);
}

function putInOrder(
  result: Map<string, unknown>,
  at: {
    readonly field: string;
    readonly wanted: unknown;
    readonly original: Fields;
    readonly patch: Fields;
    readonly shape: MergeShape | undefined;
  },
): void {
  const merged = result.get(at.field);
  if (!Array.isArray(at.wanted)) throw badRequest(`${setOrder}${at.field} is a list`);
  if (!Array.isArray(merged) || at.shape?.merges !== true) return;
  const keyOf = keyBy(at.shape.mergeKey);
  const known = new Set(at.wanted.map(keyOf));
  const patched = Array.isArray(at.patch[at.field]) ? (at.patch[at.field] as readonly unknown[]) : []; // checked just before
  const stray = patched.find(
    (element) => !(isFields(element) && element[directive] !== undefined) && !known.has(keyOf(element)),
  );
  if (stray !== undefined) {
    throw badRequest(`the list in the patch does not match ${setOrder}${at.field}: it has no ${String(keyOf(stray))}`);
  }
  const before = at.original[at.field];
  result.set(at.field, inElementOrder(merged, { wanted: at.wanted, live: Array.isArray(before) ? before : [], keyOf }));
}

/** What names an element of a merging list: its merge key, or the value itself. */
function keyBy(mergeKey: string | undefined): (element: unknown) => unknown {
  return (element) => (mergeKey !== undefined && isFields(element) ? scalar(element[mergeKey]) : scalar(element));
}

function scalar(value: unknown): unknown {
  return typeof value === 'object' ? JSON.stringify(value) : value;
}

function withoutDirective(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== directive));
}

/** New content has nothing to be merged with: directives and nulls in it mean nothing and are left out. */
function cleaned(fields: Fields): Fields {
  const entries = Object.entries(fields).filter(([name, value]) => !name.startsWith('$') && value !== null);
  return Object.fromEntries(entries.map(([name, value]) => [name, cleanedValue(value)]));
}

function cleanedValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cleanedValue);
  return isFields(value) ? cleaned(value) : value;
}

function unknownDirective(how: unknown): Error {
  return badRequest(`unknown patch type ${JSON.stringify(how)} in $patch`);
}
