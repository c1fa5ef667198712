/**
 * A structural schema in the internal form, so that what is written against that form (apply above all) works on custom
 * kinds as on built-in ones. An object without declared properties that keeps unknown fields is an open struct without
 * fields: whatever lies in it has no schema.
 */
import { builtin } from '../builtin.ts';
import type { Field, ObjectSchema, Schema } from '../form.ts';
import { field, lazyObject } from '../form.ts';
import type { Structural } from './structural.ts';

/** The form of a custom kind whose root is `schema`: apiVersion, kind and metadata are there whatever it declares. */
export function customForm(schema: Structural): ObjectSchema {
  return lazyObject({ name: '', group: '', atomic: false, open: schema.preserveUnknown }, () => ({
    own: [...identity(), ...fieldsIn(schema, new Set(['apiVersion', 'kind', 'metadata']))],
    embedded: [],
  }));
}

function identity(): readonly Field[] {
  return [
    field('apiVersion', { kind: 'string' }),
    field('kind', { kind: 'string' }),
    field('metadata', builtin('meta/v1', 'ObjectMeta')),
  ];
}

function fieldsIn(schema: Structural, taken: ReadonlySet<string>): readonly Field[] {
  return [...schema.properties]
    .filter(([name]) => !taken.has(name))
    .map(([name, property]) =>
      field(name, formOf(property), {
        optional: !schema.required.includes(name),
        default: property.default,
        omitZero: false,
      }),
    );
}

function formOf(schema: Structural): Schema {
  if (schema.intOrString) return { kind: 'int-or-string' };
  switch (schema.type) {
    case 'object':
      return structOrMap(schema);
    case 'array':
      return {
        kind: 'list',
        items: schema.items === undefined ? { kind: 'any' } : formOf(schema.items),
        listType: schema.listType === 'map' || schema.listType === 'set' ? schema.listType : 'atomic',
        mapKeys: schema.mapKeys,
      };
    case 'integer':
      return { kind: 'integer', bits: schema.format === 'int32' ? 32 : 64 };
    case 'number':
    case 'string':
    case 'boolean':
      return { kind: schema.type };
    default:
      return { kind: 'any' };
  }
}

function structOrMap(schema: Structural): Schema {
  const atomic = schema.mapType === 'atomic';
  const { additional } = schema;
  if (additional !== undefined && additional !== false) {
    return { kind: 'map', values: additional === true ? { kind: 'any' } : formOf(additional), atomic };
  }
  return lazyObject({ name: '', group: '', atomic, open: schema.preserveUnknown }, () => ({
    own: schema.embedded
      ? [...identity(), ...fieldsIn(schema, new Set(['apiVersion', 'kind', 'metadata']))]
      : fieldsIn(schema, new Set()),
    embedded: [],
  }));
}
