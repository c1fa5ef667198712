/**
 * The types of the language. `dyn` is checked at run time only. A `param` stands for any type within one overload.
 * Lists, maps and text carry how large the data's schema lets them become, which estimates of cost rest on.
 * Source: cel-spec, doc/langdef.md, "Types".
 */
export type Type =
  | ScalarType
  | SizedType
  | ListType
  | MapType
  | ObjectType
  | { readonly kind: 'type'; readonly of?: Type }
  | { readonly kind: 'opaque'; readonly name: string; readonly params: readonly Type[] }
  | { readonly kind: 'param'; readonly name: string };

export interface ScalarType {
  readonly kind: ScalarKind;
  /** How long it can be as text, where it is text in JSON. */
  readonly maxSize?: number;
}

type ScalarKind = 'dyn' | 'error' | 'null' | 'bool' | 'int' | 'uint' | 'double' | 'timestamp' | 'duration';

/** Text. `maxSize` is in code points or bytes. */
export interface SizedType {
  readonly kind: 'string' | 'bytes';
  readonly maxSize?: number;
}

export interface ListType {
  readonly kind: 'list';
  readonly element: Type;
  readonly maxSize?: number;
  /** `set`: order does not count in equality; `map`: elements with the same `keys` are the same element. */
  readonly listType?: 'set' | 'map';
  readonly keys?: readonly string[];
}

export interface MapType {
  readonly kind: 'map';
  readonly key: Type;
  readonly value: Type;
  readonly maxSize?: number;
}

/** A type with named fields. Two are the same when their names are. */
export interface ObjectType {
  readonly kind: 'object';
  readonly name: string;
  /** The field that an expression calls `name`, undefined when there is none. */
  field(name: string): ObjectField | undefined;
  readonly maxSize?: number;
}

export interface ObjectField {
  readonly type: Type;
  /** What the field is called in JSON, where expressions must call it something else (`__in__` for `in`). */
  readonly key: string;
}

const scalar = <K extends ScalarKind | 'string' | 'bytes'>(kind: K): { readonly kind: K } => ({ kind });

export const dyn = scalar('dyn');
export const errorType = scalar('error');
export const nullType = scalar('null');
export const bool = scalar('bool');
export const int = scalar('int');
export const uint = scalar('uint');
export const double = scalar('double');
export const string = scalar('string');
export const bytes = scalar('bytes');
export const timestamp = scalar('timestamp');
export const duration = scalar('duration');
export const typeType: Type = { kind: 'type' };

export function listOf(element: Type): ListType {
  return { kind: 'list', element };
}

export function mapOf(key: Type, value: Type): MapType {
  return { kind: 'map', key, value };
}

export function param(name: string): Type {
  return { kind: 'param', name };
}

export function typeOf(of: Type): Type {
  return { kind: 'type', of };
}

export function opaque(name: string, ...params: readonly Type[]): Type {
  return { kind: 'opaque', name, params };
}

export function optionalOf(of: Type): Type {
  return opaque('optional_type', of);
}

/** What an optional type may hold; undefined for other types. */
export function optionalParam(type: Type): Type | undefined {
  return type.kind === 'opaque' && type.name === 'optional_type' ? type.params[0] : undefined;
}

/** How the field's tools write a type: `list(int)`, `map(string, dyn)`. */
export function formatType(type: Type): string {
  if (type.kind === 'list') return `list(${formatType(type.element)})`;
  if (type.kind === 'map') return `map(${formatType(type.key)}, ${formatType(type.value)})`;
  if (type.kind === 'object' || type.kind === 'param') return type.name;
  if (type.kind === 'type') return type.of === undefined ? 'type' : `type(${formatType(type.of)})`;
  if (type.kind === 'opaque') {
    return type.params.length === 0 ? type.name : `${type.name}(${type.params.map(formatType).join(', ')})`;
  }
  return type.kind === 'error' ? '!error!' : type.kind;
}

const names: ReadonlyMap<string, string> = new Map([
  ['timestamp', 'google.protobuf.Timestamp'],
  ['duration', 'google.protobuf.Duration'],
  ['null', 'null_type'],
]);

/** What `type(x)` of such a value is called: parameters do not count. */
export function typeName(type: Type): string {
  if (type.kind === 'object' || type.kind === 'opaque' || type.kind === 'param') return type.name;
  return names.get(type.kind) ?? type.kind;
}

/** Whether the two are one type, parameters included. */
export function sameType(a: Type, b: Type): boolean {
  if (a === b) return true;
  if (a.kind === 'list') return b.kind === 'list' && sameType(a.element, b.element);
  if (a.kind === 'map') return b.kind === 'map' && sameType(a.key, b.key) && sameType(a.value, b.value);
  if (a.kind === 'object' || a.kind === 'param') return b.kind === a.kind && a.name === b.name;
  if (a.kind === 'type') {
    if (b.kind !== 'type') return false;
    return a.of === undefined || b.of === undefined ? a.of === b.of : sameType(a.of, b.of);
  }
  if (a.kind === 'opaque') {
    return (
      b.kind === 'opaque' &&
      a.name === b.name &&
      a.params.length === b.params.length &&
      a.params.every((type, index) => sameType(type, b.params[index] ?? errorType))
    );
  }
  return a.kind === b.kind;
}
