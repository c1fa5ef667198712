/**
 * Values as the evaluator holds them. An int is a number while that is exact and a bigint beyond 2^53, always in the
 * smaller of the two, so that integers of JSON need no conversion and `===` compares ints; doubles are the rare case and
 * are boxed. Lists and maps are views: JSON from the store is given a type when it is looked at and is not copied.
 */
import { intOf } from './literals.ts';
import { Duration, parseDate, parseDuration, parseTimestamp, Timestamp } from './time.ts';
import {
  bool,
  bytes,
  double,
  duration,
  dyn,
  int,
  listOf,
  mapOf,
  nullType,
  optionalOf,
  string,
  timestamp,
  typeType,
  uint,
  type ListType,
  type ObjectType,
  type Type,
} from './types.ts';

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint
  | Double
  | Uint8Array
  | List
  | MapValue
  | Lazy
  | Timestamp
  | Duration
  | TypeValue
  | Optional
  | Opaque;

/** A key of a map. */
export type Key = string | boolean | number | bigint | Uint;
export type MapValue = Dict | Fields | Struct;

/** Why an expression has no value. It is returned, not thrown: `||` and `&&` may absorb it. */
export class Failure {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

export type Result = Value | Failure;

export class Uint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }

  toString(): string {
    return String(this.value);
  }
}

export class Double {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export class TypeValue {
  readonly type: Type;

  constructor(type: Type) {
    this.type = type;
  }
}

export class Optional {
  /** Undefined when it holds nothing. */
  readonly value: Value | undefined;

  constructor(value: Value | undefined) {
    this.value = value;
  }
}

/** A value that only a library's functions can look into. */
export interface Opaque {
  readonly type: Type & { readonly kind: 'opaque' };
  equals(other: Opaque): boolean;
  /** What its size counts as in costs; 1 when left out. */
  readonly size?: number;
}

/** A list: of values, or of JSON that is read as `elements` says. */
export class List {
  readonly type: ListType | undefined;
  private readonly items: unknown[];
  private readonly elements: Type | undefined;

  private constructor(items: unknown[], elements: Type | undefined, type: ListType | undefined) {
    this.items = items;
    this.elements = elements;
    this.type = type;
  }

  static of(values: Value[]): List {
    return new List(values, undefined, undefined);
  }

  /** `type` left out means that the elements are read as JSON says. */
  static json(items: unknown[], type?: ListType): List {
    return new List(items, type?.element ?? dyn, type);
  }

  get size(): number {
    return this.items.length;
  }

  /** `index` must be below the size. */
  at(index: number): Value {
    const item = this.items[index];
    return this.elements === undefined ? (item as Value) : adapt(item, this.elements);
  }

  *[Symbol.iterator](): Generator<Value> {
    for (let i = 0; i < this.items.length; i++) yield this.at(i);
  }

  /** Adds what `other` holds. Only whoever made the list, of values and not of JSON, may call it. */
  append(other: List): void {
    for (const value of other) this.items.push(value);
  }
}

/** What an int, uint or double key is called in a map: equal numbers are one key. */
export function keyOf(value: Value): string | boolean | number | bigint | undefined {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'bigint') return value;
  if (value instanceof Uint) return value.value <= 9007199254740991n ? Number(value.value) : value.value;
  if (value instanceof Double && Number.isInteger(value.value)) {
    return Number.isSafeInteger(value.value) ? value.value + 0 : BigInt(value.value);
  }
  return undefined;
}

export function isKey(value: Value): value is Key {
  return keyOf(value) !== undefined && !(value instanceof Double);
}

/** A map that an expression made. */
export class Dict {
  private readonly entries: Map<string | boolean | number | bigint, readonly [Key, Value]> = new Map();

  static of(entries: Iterable<readonly [string, Value]>): Dict {
    const dict = new Dict();
    for (const [key, value] of entries) dict.add(key, value);
    return dict;
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: Value): Value | undefined {
    const name = keyOf(key);
    return name === undefined ? undefined : this.entries.get(name)?.[1];
  }

  keys(): Key[] {
    return [...this.entries.values()].map(([key]) => key);
  }

  /** Adds one entry; false when the key is there already. Only whoever made the map may call it. */
  add(key: Key, value: Value): boolean {
    const name = keyOf(key);
    if (name === undefined || this.entries.has(name)) return false;
    this.entries.set(name, [key, value]);
    return true;
  }

  copy(): Dict {
    const dict = new Dict();
    for (const [key, value] of this.entries.values()) dict.add(key, value);
    return dict;
  }
}

/** A JSON object, read as a map or as an object whose fields have types. Members that are undefined do not count. */
export class Fields {
  readonly raw: Readonly<Record<string, unknown>>;
  /** Undefined for a map. */
  readonly object: ObjectType | undefined;
  private readonly values: Type;

  constructor(raw: Readonly<Record<string, unknown>>, type: Type) {
    this.raw = raw;
    this.object = type.kind === 'object' ? type : undefined;
    this.values = type.kind === 'map' ? type.value : dyn;
  }

  get size(): number {
    return this.keys().length;
  }

  get(key: Value): Value | undefined {
    if (typeof key !== 'string') return undefined;
    const field = this.object?.field(key);
    if (this.object !== undefined && field === undefined) return undefined;
    const name = field?.key ?? key;
    if (!Object.hasOwn(this.raw, name)) return undefined;
    const value = this.raw[name];
    return value === undefined ? undefined : adapt(value, field?.type ?? this.values);
  }

  /** Kept for as long as the JSON is: asking for the size of a large map again must not cost what it cost first. */
  keys(): readonly string[] {
    const known = keysOf.get(this.raw);
    if (known !== undefined) return known;
    const keys = Object.keys(this.raw).filter((key) => this.raw[key] !== undefined);
    keysOf.set(this.raw, keys);
    return keys;
  }
}

const keysOf = new WeakMap<object, readonly string[]>();

/** An object whose fields are worked out when they are asked for, each once. It can only be selected from. */
export class Lazy {
  readonly object: ObjectType;
  private readonly read: (name: string) => Result | undefined;
  private readonly known: Map<string, Result | undefined> = new Map();

  /** `read` gives a field's value, undefined when there is none. */
  constructor(object: ObjectType, read: (name: string) => Result | undefined) {
    this.object = object;
    this.read = read;
  }

  field(name: string): Result | undefined {
    if (!this.known.has(name)) this.known.set(name, this.read(name));
    return this.known.get(name);
  }
}

/** An object that an expression made: `Object.spec{replicas: 1}`. */
export class Struct {
  readonly object: ObjectType;
  private readonly fields: ReadonlyMap<string, Value>;

  constructor(object: ObjectType, fields: ReadonlyMap<string, Value>) {
    this.object = object;
    this.fields = fields;
  }

  get size(): number {
    return this.fields.size;
  }

  get(key: Value): Value | undefined {
    return typeof key === 'string' ? this.fields.get(key) : undefined;
  }

  keys(): string[] {
    return [...this.fields.keys()];
  }
}

export function isMap(value: unknown): value is MapValue {
  return value instanceof Fields || value instanceof Dict || value instanceof Struct;
}

export function isOpaque(value: unknown): value is Opaque {
  return typeof value === 'object' && value !== null && 'equals' in value && typeof value.equals === 'function';
}

/** The type of a value at run time; what lists and maps hold is dyn. */
export function typeOfValue(value: Value): Type {
  if (typeof value === 'boolean') return bool;
  if (typeof value === 'number' || typeof value === 'bigint') return int;
  if (typeof value === 'string') return string;
  if (value === null) return nullType;
  if (value instanceof Uint) return uint;
  if (value instanceof Double) return double;
  if (value instanceof Uint8Array) return bytes;
  if (value instanceof List) return listOf(dyn);
  if (value instanceof Timestamp) return timestamp;
  if (value instanceof Duration) return duration;
  if (value instanceof TypeValue) return typeType;
  if (value instanceof Optional) return optionalOf(dyn);
  if (value instanceof Dict) return mapOf(dyn, dyn);
  if (value instanceof Lazy) return value.object;
  if (value instanceof Fields || value instanceof Struct) return value.object ?? mapOf(dyn, dyn);
  return value.type;
}

/**
 * The JSON value `raw` as a value of `type`. Nothing is copied; lists and objects are read when they are looked into.
 * JSON that does not fit its type is read as what it is. A whole number is an int unless the type says double.
 */
export function adapt(raw: unknown, type: Type): Value {
  if (typeof raw === 'string') return text(raw, type);
  if (typeof raw === 'number') return number(raw, type);
  if (typeof raw === 'boolean') return raw;
  if (typeof raw === 'bigint') return intOf(raw) ?? new Double(Number(raw));
  if (Array.isArray(raw)) return List.json(raw, type.kind === 'list' ? type : undefined);
  return typeof raw === 'object' && raw !== null ? new Fields(raw as Readonly<Record<string, unknown>>, type) : null;
}

function number(raw: number, type: Type): Value {
  if (type.kind === 'double' || !Number.isInteger(raw)) return new Double(raw);
  if (Number.isSafeInteger(raw)) return raw + 0;
  return intOf(BigInt(raw)) ?? new Double(raw);
}

function text(raw: string, type: Type): Value {
  if (type.kind === 'timestamp') return parseTimestamp(raw) ?? parseDate(raw) ?? raw;
  if (type.kind === 'duration') return parseDuration(raw) ?? raw;
  return type.kind === 'bytes' ? new Uint8Array(Buffer.from(raw, 'base64')) : raw;
}

/** What a caller handed in as a variable: a value as it is, a function's answer, JSON by its type. */
export function bind(given: unknown, type: Type): Result {
  if (typeof given === 'function') return (given as () => Result)();
  if (given instanceof Failure || isValueObject(given)) return given;
  return adapt(given, type);
}

function isValueObject(given: unknown): given is Exclude<Value, null | boolean | number | bigint | string> {
  return (
    given instanceof Uint ||
    given instanceof Double ||
    given instanceof Uint8Array ||
    given instanceof List ||
    isMap(given) ||
    given instanceof Lazy ||
    given instanceof Timestamp ||
    given instanceof Duration ||
    given instanceof TypeValue ||
    given instanceof Optional ||
    isOpaque(given)
  );
}
