/**
 * What changed between two values of one kind, as sets of fields: added, modified, removed. This is what moves ownership,
 * at every write of every object, so parts that are the same value are passed over and nothing is made for what is equal.
 */
import type { ListSchema, ObjectSchema, Schema } from '../../../api/schema/form.ts';
import type { Fields } from '../../../std/value.ts';
import { equal, isFields } from '../../../std/value.ts';
import type { Granularity } from './extract.ts';
import { granularityOf } from './extract.ts';
import type { FieldSet } from './field-set.ts';
import { isEmptySet, leaf, nodeOf } from './field-set.ts';
import { elementOf, fieldElement } from './path-element.ts';

export interface Delta {
  /** Added or modified: what a writer takes as its own. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

/** Nothing changed. */
export const noDelta: Delta = { changed: leaf, removed: leaf };

/** What nobody owns: who an object is, and what the server counts. Source: apiserver's field manager. */
const unowned: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
]);

/** What changed from `before` to `after`, apart from what nobody owns. */
export function compare(schema: ObjectSchema, before: Fields, after: Fields): Delta {
  if (before === after) return noDelta;
  const found: Found = { changed: undefined, removed: undefined };
  // Of a whole object most is as it was, which is found quicker than what changed.
  const seen = (name: string): boolean =>
    name !== 'apiVersion' && name !== 'kind' && name !== 'metadata' && !equal(before[name], after[name]);
  const how = granularityOf(schema, after);
  if (how.kind !== 'fields') return noDelta;
  compareFields(how, before, after, found, seen);
  const metadata: Found = { changed: undefined, removed: undefined };
  const ofMetadata = granularityOf(how.of('metadata').schema, {});
  if (ofMetadata.kind === 'fields') {
    const [was, is] = [before['metadata'], after['metadata']].map((value) => (isFields(value) ? value : {}));
    if (was !== is) compareFields(ofMetadata, was ?? {}, is ?? {}, metadata, (name) => !unowned.has(name));
  }
  put(found, fieldElement('metadata'), metadata, undefined);
  return { changed: found.changed ?? leaf, removed: found.removed ?? leaf };
}

/** `set` without what nobody owns. */
export function owned(set: FieldSet): FieldSet {
  const { 'f:apiVersion': _version, 'f:kind': _kind, 'f:metadata': metadata, ...rest } = set;
  if (metadata === undefined) return rest;
  const kept = Object.fromEntries(
    Object.entries(metadata).filter(([element]) => element !== '.' && !unowned.has(element.slice(2))),
  );
  return isEmptySet(kept) ? rest : { ...rest, 'f:metadata': kept };
}

interface Found {
  changed: Record<string, FieldSet> | undefined;
  removed: Record<string, FieldSet> | undefined;
}

/** How a value itself came or went. */
type Fate = 'changed' | 'removed' | undefined;

/** Notes under `element` what was found below it. */
function put(into: Found, element: string, inner: Found, fate: Fate): void {
  const changed = nodeOf(fate === 'changed', inner.changed);
  if (changed !== undefined) (into.changed ??= {})[element] = changed;
  const removed = nodeOf(fate === 'removed', inner.removed);
  if (removed !== undefined) (into.removed ??= {})[element] = removed;
}

function compareValue(schema: Schema, before: unknown, after: unknown, into: Found, element: string): void {
  if (before === after) return;
  const how = granularityOf(schema, after);
  const was = schema.kind === 'any' || schema.kind === 'raw' ? granularityOf(schema, before) : how;
  if (was.kind !== how.kind && before !== undefined && after !== undefined) {
    // Free JSON that became something else: a new value, and parts that came or went.
    const inner: Found = { changed: undefined, removed: undefined };
    if (how.kind === 'fields') compareFields(how, {}, isFields(after) ? after : {}, inner, always);
    if (was.kind === 'fields') compareFields(was, isFields(before) ? before : {}, {}, inner, always);
    put(into, element, inner, 'changed');
    return;
  }
  const granular = how.kind === 'whole' ? was : how; // of the side that is there
  const fate = before === undefined ? 'changed' : after === undefined ? 'removed' : undefined;
  if (granular.kind === 'whole' || (isBlank(before) && isBlank(after))) {
    if (fate !== undefined || !equal(before, after)) put(into, element, nothing, fate ?? 'changed');
    return;
  }
  const inner: Found = { changed: undefined, removed: undefined };
  if (granular.kind === 'fields') {
    compareFields(granular, isFields(before) ? before : {}, isFields(after) ? after : {}, inner, always);
  } else if (fate !== undefined || !equal(before, after)) {
    compareItems(granular.list, Array.isArray(before) ? before : [], Array.isArray(after) ? after : [], inner);
  }
  if (fate !== undefined || inner.changed !== undefined || inner.removed !== undefined) {
    put(into, element, inner, fate);
  }
}

const nothing: Found = { changed: undefined, removed: undefined };
const always = (): boolean => true;

/** Two values without parts are compared whole, so that {} and null stay different. */
function isBlank(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (!isFields(value)) return false;
  for (const _ in value) return false;
  return true;
}

function compareFields(
  how: Extract<Granularity, { kind: 'fields' }>,
  before: Fields,
  after: Fields,
  into: Found,
  counts: (name: string) => boolean,
): void {
  for (const name of Object.keys(after)) {
    const is = after[name];
    const was = Object.hasOwn(before, name) ? before[name] : undefined;
    if (is !== was && is !== undefined && counts(name)) {
      compareValue(how.of(name).schema, was, is, into, fieldElement(name));
    }
  }
  for (const name of Object.keys(before)) {
    const was = before[name];
    if (was === undefined || (Object.hasOwn(after, name) && after[name] !== undefined) || !counts(name)) continue;
    compareValue(how.of(name).schema, was, undefined, into, fieldElement(name));
  }
}

function compareItems(list: ListSchema, before: readonly unknown[], after: readonly unknown[], into: Found): void {
  const was = byElement(list, before);
  const is = byElement(list, after);
  for (const [element, items] of is) compareItem(list, element, was.get(element) ?? [], items, into);
  for (const [element, items] of was) if (!is.has(element)) compareItem(list, element, items, [], into);
}

/** What occurs once is compared part by part; what occurs more often is one value, owned as one. */
function compareItem(
  list: ListSchema,
  element: string,
  before: readonly unknown[],
  after: readonly unknown[],
  into: Found,
): void {
  if (before.length <= 1 && after.length <= 1) {
    compareValue(list.items, before[0], after[0], into, element);
    return;
  }
  if (before.length >= 2 && after.length >= 2) {
    if (!equal(before, after)) put(into, element, nothing, 'changed');
    return;
  }
  const inner: Found = { changed: undefined, removed: undefined };
  if (after.length === 1) compareValue(list.items, undefined, after[0], inner, element);
  if (before.length === 1) compareValue(list.items, before[0], undefined, inner, element);
  const changed = after.length >= 2 ? leaf : inner.changed?.[element];
  const removed = before.length >= 2 ? leaf : inner.removed?.[element];
  if (changed !== undefined) (into.changed ??= {})[element] = changed;
  if (removed !== undefined) (into.removed ??= {})[element] = removed;
}

function byElement(list: ListSchema, items: readonly unknown[]): Map<string, unknown[]> {
  const found = new Map<string, unknown[]>();
  for (const item of items) {
    const element = elementOf(list, item);
    if (element === undefined) continue; // an item that nothing names is nobody's
    const same = found.get(element);
    if (same === undefined) found.set(element, [item]);
    else same.push(item);
  }
  return found;
}
