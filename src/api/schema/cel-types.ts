/** The types by which expressions in CEL see objects of the API, read from the one form that every kind has. */
import { escapeName } from '../../cel/escape.ts';
import {
  bool,
  bytes,
  double,
  dyn,
  int,
  listOf,
  mapOf,
  string,
  timestamp,
  type ObjectField,
  type ObjectType,
  type Type,
} from '../../cel/types.ts';
import type { ObjectSchema, ScalarKind, Schema } from './form.ts';

/** What has several forms in JSON (amounts, a number or a name) is dyn, and checked when an expression runs. */
const scalars: Readonly<Record<ScalarKind, Type>> = {
  string,
  boolean: bool,
  integer: int,
  number: double,
  quantity: dyn,
  'int-or-string': dyn,
  time: timestamp,
  microtime: timestamp,
  duration: string,
  bytes,
  raw: dyn,
  any: dyn,
};

const objects = new WeakMap<ObjectSchema, ObjectType>();

/** The type of values of `schema`. Objects are looked into when an expression asks for a field: some types hold themselves. */
export function celTypeOf(schema: Schema): Type {
  if (schema.kind === 'object') return objectType(schema);
  if (schema.kind === 'list') return listType(schema);
  return schema.kind === 'map' ? mapOf(string, celTypeOf(schema.values)) : scalars[schema.kind];
}

function listType({ items, listType: kind, mapKeys }: Schema & { readonly kind: 'list' }): Type {
  const list = listOf(celTypeOf(items));
  return kind === 'atomic' ? list : { ...list, listType: kind, keys: mapKeys };
}

function objectType(schema: ObjectSchema): ObjectType {
  const known = objects.get(schema);
  if (known !== undefined) return known;
  let fields: ReadonlyMap<string, ObjectField> | undefined;
  const type: ObjectType = {
    kind: 'object',
    name: schema.name === '' ? 'object' : schema.name,
    field: (name) => {
      fields ??= fieldsOf(schema);
      return fields.get(name) ?? (schema.open ? { type: dyn, key: name } : undefined);
    },
  };
  objects.set(schema, type);
  return type;
}

function fieldsOf(schema: ObjectSchema): ReadonlyMap<string, ObjectField> {
  const fields = new Map<string, ObjectField>();
  for (const [key, field] of schema.fields) {
    const name = escapeName(key);
    if (name !== undefined) fields.set(name, { type: celTypeOf(field.schema), key });
  }
  return fields;
}
