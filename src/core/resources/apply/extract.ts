/**
 * The set of fields that a value has, by the form of its kind: what an applier owns after applying it. Atomic parts are
 * owned whole, items of lists that merge are owned by name, an empty object is owned as a value.
 */
import type { ListSchema, ScalarSchema, Schema } from '../../../api/schema/form.ts';
import type { Fields } from '../../../std/value.ts';
import { isFields } from '../../../std/value.ts';
import type { FieldSet } from './field-set.ts';
import { leaf, nodeOf } from './field-set.ts';
import { elementOf, fieldElement } from './path-element.ts';

/** JSON that nobody looks into: an object is owned key by key, anything else whole. */
export const freeJson: ScalarSchema = { kind: 'any' };

/** The set of `value`, an object of `schema`. */
export function fieldSetOf(schema: Schema, value: unknown): FieldSet {
  return belowValue(schema, value) ?? leaf;
}

/** How the fields of `schema` are owned, where `value` is one of its: one by one, item by item, or not apart. */
export type Granularity =
  | { readonly kind: 'whole' }
  | {
      readonly kind: 'fields';
      /** The form of a field, and whether the form names it (a key of a map is the client's). */
      readonly of: (name: string) => { readonly schema: Schema; readonly named: boolean };
    }
  | { readonly kind: 'items'; readonly list: ListSchema };

const whole: Granularity = { kind: 'whole' };
const byFreeKey: Granularity = { kind: 'fields', of: () => ({ schema: freeJson, named: false }) };
const granularities = new WeakMap<Schema, Granularity>();

/** How values of `schema` are owned. Free JSON goes by what it holds: an object is owned key by key. */
export function granularityOf(schema: Schema, value: unknown): Granularity {
  if (schema.kind === 'any' || schema.kind === 'raw') {
    if (schema.object !== undefined && isFields(value)) return granularityOf(schema.object(), value);
    return isFields(value) && schema.atomic !== true ? byFreeKey : whole;
  }
  if (schema.kind !== 'object' && schema.kind !== 'list' && schema.kind !== 'map') return whole;
  const known = granularities.get(schema);
  if (known !== undefined) return known;
  const made = granularity(schema);
  granularities.set(schema, made);
  return made;
}

function granularity(schema: Extract<Schema, { kind: 'object' | 'list' | 'map' }>): Granularity {
  switch (schema.kind) {
    case 'object':
      if (schema.atomic) return whole;
      return {
        kind: 'fields',
        of: (name) => {
          const field = schema.fields.get(name);
          return field === undefined ? { schema: freeJson, named: false } : { schema: field.schema, named: true };
        },
      };
    case 'map':
      return schema.atomic ? whole : { kind: 'fields', of: () => ({ schema: schema.values, named: false }) };
    case 'list':
      return schema.listType === 'atomic' ? whole : { kind: 'items', list: schema };
  }
}

/** What is owned below `value`; undefined where it is a leaf, or has nothing. */
function belowValue(schema: Schema, value: unknown): FieldSet | undefined {
  const how = granularityOf(schema, value);
  switch (how.kind) {
    case 'whole':
      return undefined;
    case 'fields':
      return isFields(value) ? belowFields(how, value) : undefined;
    case 'items':
      return Array.isArray(value) ? belowItems(how.list, value) : undefined;
  }
}

function belowFields(how: Extract<Granularity, { kind: 'fields' }>, value: Fields): FieldSet | undefined {
  const set: Record<string, FieldSet> = {};
  for (const name of Object.keys(value)) {
    const inner = value[name];
    if (inner === undefined) continue;
    const { schema, named } = how.of(name);
    // A field that the form names is a member only where it has no parts; a key that the client chose always is.
    const node = nodeOf(!named || isLeaf(schema, inner), belowValue(schema, inner));
    if (node !== undefined) set[fieldElement(name)] = node;
  }
  return set;
}

function isLeaf(schema: Schema, value: unknown): boolean {
  const how = granularityOf(schema, value);
  if (how.kind === 'whole' || value === null) return true;
  // An empty list that merges is nobody's; an empty object is a value.
  return how.kind === 'fields' && isFields(value) && Object.keys(value).length === 0;
}

function belowItems(list: ListSchema, items: readonly unknown[]): FieldSet | undefined {
  const set: Record<string, FieldSet> = {};
  for (const item of items) {
    const element = elementOf(list, item);
    if (element === undefined) continue;
    // What occurs twice is owned as one.
    set[element] = Object.hasOwn(set, element) ? leaf : (nodeOf(true, belowValue(list.items, item)) ?? leaf);
  }
  return set;
}
