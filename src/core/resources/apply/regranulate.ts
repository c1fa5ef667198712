/**
 * Sets that were made under an earlier form of a kind. A part that is owned whole now (atomic) but was owned piece by piece
 * is owned as one. A list that an applier owned whole and that has items now is owned by all its items; of an object the
 * same cannot be told from one that was applied empty, so it stays as it is.
 * Source: Kubernetes, "Compatibility across topology changes" of server-side apply.
 */
import type { Schema } from '../../../api/schema/form.ts';
import type { Fields } from '../../../std/value.ts';
import { isFields } from '../../../std/value.ts';
import { fieldSetOf, granularityOf } from './extract.ts';
import type { FieldSet } from './field-set.ts';
import { isEmptySet, leaf } from './field-set.ts';
import type { Entries } from './managers.ts';
import { elementOf, fieldElement } from './path-element.ts';

/** `entries` by the present form `schema` of `live`. Entries that fit already are the same values. */
export function regranulated(schema: Schema, live: Fields, entries: Entries): Entries {
  return entries.map((entry) => {
    const fields = fitted(schema, live, entry.fieldsV1, entry.operation === 'Apply');
    return fields === entry.fieldsV1 ? entry : { ...entry, fieldsV1: fields };
  });
}

function fitted(schema: Schema, value: unknown, set: FieldSet, isApplied: boolean): FieldSet {
  const how = granularityOf(schema, value);
  if (how.kind === 'whole') return set;
  let changed: Record<string, FieldSet> | undefined;
  const fit = (element: string, inner: Schema, part: unknown): void => {
    const node = Object.hasOwn(set, element) ? set[element] : undefined;
    if (node === undefined) return;
    const next = fittedNode(inner, part, node, isApplied);
    if (next !== node) (changed ??= { ...set })[element] = next;
  };
  if (how.kind === 'fields' && isFields(value)) {
    for (const [name, part] of Object.entries(value)) fit(fieldElement(name), how.of(name).schema, part);
  }
  if (how.kind === 'items' && Array.isArray(value)) {
    for (const item of value) fit(elementOf(how.list, item) ?? '', how.list.items, item);
  }
  return changed ?? set;
}

function fittedNode(schema: Schema, value: unknown, node: FieldSet, isApplied: boolean): FieldSet {
  if (schema.kind === 'any' || schema.kind === 'raw') return node; // no form, nothing to have changed
  const how = granularityOf(schema, value);
  if (how.kind === 'whole') return isEmptySet(node) ? node : leaf;
  if (!isEmptySet(node)) return fitted(schema, value, node, isApplied);
  const pieces = how.kind === 'items' && isApplied ? fieldSetOf(schema, value) : leaf;
  return isEmptySet(pieces) ? node : pieces;
}
