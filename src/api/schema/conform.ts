/**
 * Makes a parsed value what its schema says: types are checked, fields that are not declared are dropped and named,
 * amounts and times take their one spelling, and zero values are left out or filled in exactly where upstream's
 * output has them (so `resources: {}` and `status: {}` are there, `hostNetwork: false` is not).
 */
import { parseInstant, rfc3339 } from '../../std/clock.ts';
import { canonicalQuantity } from '../../std/quantity.ts';
import { badRequest } from '../status.ts';
import type { Field, ObjectSchema, ScalarSchema, Schema } from './form.ts';

export type Fields = Readonly<Record<string, unknown>>;

export interface Conformed {
  readonly object: Fields;
  /** Paths of fields that the schema does not declare, in order: `spec.containers[0].foo`. */
  readonly unknown: readonly string[];
}

/**
 * `value` in the form of `schema`, as a new value; what nobody looks into (`any`, `raw`) is shared with the input.
 * null is absent. Throws BadRequest naming the field when a value has the wrong type.
 */
export function conform(schema: ObjectSchema, value: unknown): Conformed {
  const unknown: string[] = [];
  const object = conformObject(schema, value, { at: [], owner: schema.name, unknown });
  return { object, unknown };
}

/** Where the walk is. `at` holds names and list positions; it is pushed and popped in place. */
interface Walk {
  readonly at: (string | number)[];
  /** Name of the struct that has the field, for messages. */
  owner: string;
  readonly unknown: string[];
}

function conformObject(schema: ObjectSchema, value: unknown, walk: Walk): Record<string, unknown> {
  if (!isFields(value)) throw mismatch(schema, value, walk);
  const owner = walk.owner;
  walk.owner = schema.name;
  const out: Record<string, unknown> = {};
  const { fields } = schema;
  for (const name of Object.keys(value)) {
    const field = fields.get(name);
    walk.at.push(name);
    if (field === undefined) {
      if (schema.open) put(out, name, value[name]);
      else walk.unknown.push(pathOf(walk.at));
    } else {
      const kept = conformField(field, value[name], walk);
      if (kept !== undefined) out[name] = kept;
    }
    walk.at.pop();
  }
  for (const field of schema.always) {
    if (out[field.name] !== undefined) continue;
    const zero = zeroOf(field.schema, walk);
    if (zero !== undefined) out[field.name] = zero;
  }
  walk.owner = owner;
  return out;
}

function conformField(field: Field, value: unknown, walk: Walk): unknown {
  if (value === null || value === undefined) return undefined;
  const kept = conformValue(field.schema, value, walk);
  return field.omitZero && !field.nullable && isZero(field.schema, kept) ? undefined : kept;
}

function conformValue(schema: Schema, value: unknown, walk: Walk): unknown {
  switch (schema.kind) {
    case 'object':
      return conformObject(schema, value, walk);
    case 'list': {
      if (!Array.isArray(value)) throw mismatch(schema, value, walk);
      return value.map((item: unknown, index) => {
        walk.at.push(index);
        const kept = item === null ? zeroOf(schema.items, walk) : conformValue(schema.items, item, walk);
        walk.at.pop();
        return kept;
      });
    }
    case 'map': {
      if (!isFields(value)) throw mismatch(schema, value, walk);
      const out: Record<string, unknown> = {};
      for (const key of Object.keys(value)) {
        walk.at.push(key);
        const item = value[key];
        put(out, key, item === null ? zeroOf(schema.values, walk) : conformValue(schema.values, item, walk));
        walk.at.pop();
      }
      return out;
    }
    case 'string':
    case 'boolean':
    case 'integer':
    case 'number':
    case 'quantity':
    case 'int-or-string':
    case 'time':
    case 'microtime':
    case 'duration':
    case 'bytes':
    case 'raw':
    case 'any':
      return conformScalar(schema, value, walk);
  }
}

/** One value without parts in its one spelling. `at` is where it stands, for messages. Throws BadRequest for a wrong type. */
export function canonicalScalar(schema: ScalarSchema, value: unknown, at: readonly (string | number)[]): unknown {
  return conformScalar(schema, value, { at: [...at], owner: '', unknown: [] });
}

function conformScalar(schema: ScalarSchema, value: unknown, walk: Walk): unknown {
  switch (schema.kind) {
    case 'string':
    case 'duration':
      if (typeof value !== 'string') throw mismatch(schema, value, walk);
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') throw mismatch(schema, value, walk);
      return value;
    case 'integer':
      if (!isInteger(value, schema.bits)) throw mismatch(schema, value, walk);
      return value;
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) throw mismatch(schema, value, walk);
      return value;
    case 'int-or-string':
      if (typeof value !== 'string' && !isInteger(value, 32)) throw mismatch(schema, value, walk);
      return value;
    case 'quantity': {
      if (typeof value !== 'string' && typeof value !== 'number') throw mismatch(schema, value, walk);
      const canonical = canonicalQuantity(value);
      if (canonical !== undefined) return canonical;
      throw badRequest(
        `quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$' (${pathOf(walk.at)})`,
      );
    }
    case 'time':
    case 'microtime':
      if (typeof value !== 'string') throw mismatch(schema, value, walk);
      return canonicalTime(value, schema.kind, walk);
    case 'bytes':
      if (typeof value !== 'string') throw mismatch(schema, value, walk);
      return canonicalBase64(value, walk);
    case 'raw':
      return value;
    case 'any':
      return schema.object !== undefined && isFields(value) ? conformObject(schema.object(), value, walk) : value;
  }
}

const plainTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const anyTime = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

function canonicalTime(value: string, kind: 'time' | 'microtime', walk: Walk): string {
  const parts = anyTime.exec(value);
  const instant = parts === null ? undefined : parseInstant(`${parts[1]}${parts[3]}`);
  if (parts === null || instant === undefined)
    throw badRequest(
      `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": it is no RFC 3339 time (${pathOf(walk.at)})`,
    );
  if (kind === 'time') return plainTime.test(value) ? value : rfc3339(instant);
  return `${rfc3339(instant).slice(0, 19)}.${(parts[2] ?? '').slice(0, 6).padEnd(6, '0')}Z`;
}

function canonicalBase64(value: string, walk: Walk): string {
  const text = /[\r\n]/.test(value) ? value.replaceAll(/[\r\n]/g, '') : value; // upstream skips line breaks
  const wrong = /[^A-Za-z0-9+/]/.exec(text.replace(/={1,2}$/, ''));
  if (wrong === null && text.length % 4 === 0) return text;
  throw badRequest(`illegal base64 data at input byte ${wrong?.index ?? text.length} (${pathOf(walk.at)})`);
}

function isInteger(value: unknown, bits: number | undefined): boolean {
  if (!Number.isSafeInteger(value)) return false;
  return bits !== 32 || value === Number(value) >> 0;
}

/** What an absent field is, when it is written. undefined for what has no zero to show (times, free JSON). */
function zeroOf(schema: Schema, walk: Walk): unknown {
  switch (schema.kind) {
    case 'object':
      return conformObject(schema, {}, walk);
    case 'list':
      return [];
    case 'map':
      return {};
    case 'string':
    case 'bytes':
      return '';
    case 'boolean':
      return false;
    case 'integer':
    case 'number':
    case 'int-or-string':
      return 0;
    case 'quantity':
      return '0';
    case 'duration':
      return '0s';
    case 'time':
    case 'microtime':
    case 'raw':
    case 'any':
      return undefined;
  }
}

function isZero(schema: Schema, value: unknown): boolean {
  if (value === '' || value === 0 || value === false) return schema.kind !== 'int-or-string';
  if (schema.kind === 'list') return Array.isArray(value) && value.length === 0;
  return schema.kind === 'map' && isFields(value) && Object.keys(value).length === 0;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets a field whose name a client chose; plain assignment to `__proto__` would change the prototype instead. */
function put(out: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(out, key, { value, enumerable: true, writable: true, configurable: true });
  else out[key] = value;
}

function pathOf(at: readonly (string | number)[]): string {
  let path = '';
  for (const part of at) path += typeof part === 'number' ? `[${part}]` : path === '' ? part : `.${part}`;
  return path;
}

function mismatch(schema: Schema, value: unknown, walk: Walk): Error {
  const found = Array.isArray(value)
    ? 'array'
    : typeof value === 'boolean'
      ? 'bool'
      : typeof value === 'number'
        ? schema.kind === 'integer'
          ? `number ${value}`
          : 'number'
        : typeof value;
  const into = walk.at.length === 0 ? 'Go value' : `Go struct field ${walk.owner}.${pathOf(walk.at)}`;
  return badRequest(`json: cannot unmarshal ${found} into ${into} of type ${goName(schema)}`);
}

/** The type as upstream's messages spell it. */
function goName(schema: Schema): string {
  switch (schema.kind) {
    case 'object':
      return schema.name === '' ? 'object' : `${schema.group.slice(schema.group.indexOf('/') + 1)}.${schema.name}`;
    case 'list':
      return `[]${goName(schema.items)}`;
    case 'map':
      return `map[string]${goName(schema.values)}`;
    case 'integer':
      return `int${schema.bits ?? 64}`;
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'quantity':
      return 'resource.Quantity';
    case 'int-or-string':
      return 'intstr.IntOrString';
    case 'time':
      return 'v1.Time';
    case 'microtime':
      return 'v1.MicroTime';
    case 'duration':
      return 'v1.Duration';
    case 'bytes':
      return '[]uint8';
    case 'string':
    case 'raw':
    case 'any':
      return 'string';
  }
}
