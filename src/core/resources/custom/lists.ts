/** Lists that are sets or maps hold no item twice. Source: apiextensions.k8s.io/v1, x-kubernetes-list-type. */
import type { Structural } from '../../../api/schema/custom/structural.ts';
import type { FieldCause } from '../../../api/status.ts';
import { isFields } from '../../../std/value.ts';
import { duplicate } from '../validate/causes.ts';
import { keyOf } from './values.ts';

/** The duplicates in every set and map of `value`. */
export function listCauses(schema: Structural, value: unknown, path = ''): readonly FieldCause[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    return [
      ...duplicatesIn(schema, value, path),
      ...(items === undefined ? [] : value.flatMap((item, index) => listCauses(items, item, `${path}[${index}]`))),
    ];
  }
  if (!isFields(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const below = schema.properties.get(name) ?? schema.additional;
    return typeof below === 'object' ? listCauses(below, inner, path === '' ? name : `${path}.${name}`) : [];
  });
}

function duplicatesIn(schema: Structural, list: readonly unknown[], path: string): readonly FieldCause[] {
  if (schema.listType !== 'set' && schema.listType !== 'map') return [];
  const seen = new Set<string>();
  return list.flatMap((item, index) => {
    const key = schema.listType === 'map' ? keyOf(schema, item) : canonical(item);
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [duplicate(`${path}[${index}]`, schema.listType === 'map' ? keysOf(schema, item) : item)];
  });
}

/** The same text for values that are equal, whatever the order of their fields. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isFields(value)) return JSON.stringify(value);
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`).join(',')}}`;
}

function keysOf(schema: Structural, item: unknown): unknown {
  const fields = isFields(item) ? item : {};
  return Object.fromEntries(
    schema.mapKeys.filter((name) => Object.hasOwn(fields, name)).map((name) => [name, fields[name]]),
  );
}
