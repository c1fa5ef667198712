/**
 * The types that rules in CEL see of a structural schema, with how large each part can become: what the schema bounds, or
 * else what fits into one request. Source: Kubernetes, apiserver, cel/common/schemas.
 */
import type { Structural } from '../../../api/schema/custom/structural.ts';
import { escapeName } from '../../../cel/escape.ts';
import {
  bool,
  double,
  int,
  type ListType,
  type ObjectField,
  type ObjectType,
  type ScalarType,
  type SizedType,
  type Type,
} from '../../../cel/types.ts';

/** The largest request, in bytes. */
const maxRequest = 3 * 1024 * 1024;

/** A type, and the fewest bytes that a value of it takes as JSON. */
export interface Declared {
  readonly type: Type;
  readonly minSize: number;
  /** The parts of a list, a map or an object, by which rules inside of it are typed. */
  readonly element?: Declared;
  readonly fields?: ReadonlyMap<string, Declared>;
}

/**
 * What rules see of `schema`; undefined for parts that no rule can speak of (unknown fields, kinds without a schema).
 * `root`: it is a resource, so it has apiVersion, kind, and of its metadata the name and generateName. `name` names its
 * type, and with it those inside of it.
 */
export function declaredOf(schema: Structural, root = false, name = 'selfType'): Declared | undefined {
  if (schema.intOrString) {
    const maxSize = schema.maxLength === undefined ? maxRequest - 2 : schema.maxLength * 4;
    return { type: { kind: 'dyn', maxSize }, minSize: 1 };
  }
  switch (schema.type) {
    case 'array':
      return listOf(schema, name);
    case 'object':
      return typeof schema.additional === 'object'
        ? mapOf(schema, schema.additional, name)
        : objectOf(schema, root, name);
    case 'string':
      return textOf(schema);
    case 'boolean':
      return { type: bool, minSize: 4 };
    case 'number':
      return { type: double, minSize: 1 };
    case 'integer':
      return { type: int, minSize: 1 };
    default:
      return undefined;
  }
}

function listOf(schema: Structural, name: string): Declared | undefined {
  const { items } = schema;
  const element = items === undefined ? undefined : declaredOf(items, items.embedded, `${name}.@idx`);
  if (element === undefined) return undefined;
  const maxSize = schema.maxItems ?? Math.floor((maxRequest - 2) / (element.minSize + 1));
  const list: ListType = { kind: 'list', element: element.type, maxSize };
  const { listType } = schema;
  const isSpecial = listType === 'set' || listType === 'map';
  return { type: isSpecial ? { ...list, listType, keys: schema.mapKeys } : list, minSize: 2, element };
}

function mapOf(schema: Structural, values: Structural, name: string): Declared | undefined {
  const element = declaredOf(values, values.embedded, `${name}.@elem`);
  if (element === undefined) return undefined;
  const maxSize = schema.maxProperties ?? Math.floor((maxRequest - 2) / (element.minSize + 6));
  // Keys count nothing, as upstream.
  const key: SizedType = { kind: 'string', maxSize: 0 };
  return { type: { kind: 'map', key, value: element.type, maxSize }, minSize: 2, element };
}

const plainText: Declared = { type: { kind: 'string', maxSize: maxRequest - 2 }, minSize: 2 };

function objectOf(schema: Structural, root: boolean, name: string): Declared {
  const fields = new Map<string, Declared>();
  let minSize = 2;
  for (const [key, property] of schema.properties) {
    const field = declaredOf(property, property.embedded, `${name}.${key}`);
    if (field === undefined) continue;
    fields.set(key, field);
    if (schema.required.includes(key) && property.default === undefined) minSize += key.length + field.minSize + 4;
  }
  if (root) {
    const metadata = new Map([
      ['name', plainText],
      ['generateName', plainText],
    ]);
    fields.set('apiVersion', plainText).set('kind', plainText);
    fields.set('metadata', { type: objectType(`${name}.metadata`, metadata), minSize: 2, fields: metadata });
  }
  return { type: objectType(name, fields), minSize, fields };
}

function objectType(name: string, fields: ReadonlyMap<string, Declared>): ObjectType {
  const named = new Map<string, ObjectField>();
  for (const [key, { type }] of fields) {
    const escaped = escapeName(key);
    if (escaped !== undefined) named.set(escaped, { type, key });
  }
  return { kind: 'object', name, field: (field) => named.get(field) };
}

function textOf(schema: Structural): Declared {
  const scalar = (kind: ScalarType['kind'], maxSize: number, minSize: number): Declared => ({
    type: { kind, maxSize },
    minSize,
  });
  if (schema.format === 'duration') return scalar('duration', 32, 3);
  if (schema.format === 'date') return scalar('timestamp', 12, 12);
  if (schema.format === 'date-time') return scalar('timestamp', 32, 21);
  if (schema.format === 'byte') {
    return { type: { kind: 'bytes', maxSize: schema.maxLength ?? maxRequest - 2 }, minSize: 2 };
  }
  return { type: { kind: 'string', maxSize: textSize(schema) }, minSize: 2 };
}

/** In bytes: a bound counts characters, which may take four each. */
function textSize(schema: Structural): number {
  if (schema.maxLength !== undefined) return schema.maxLength * 4;
  if (schema.enum === undefined) return maxRequest - 2;
  return Math.max(0, ...schema.enum.map((choice) => (typeof choice === 'string' ? choice.length : 0)));
}

/** How often something can occur in one request that takes at least `minSize` bytes each time. */
export function mostPerRequest(minSize: number): number {
  return Math.floor(maxRequest / (minSize + 1));
}
