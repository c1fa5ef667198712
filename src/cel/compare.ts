import { Duration, Timestamp } from './time.ts';
import { typeName } from './types.ts';
import {
  Double,
  isMap,
  isOpaque,
  keyOf,
  List,
  Optional,
  TypeValue,
  Uint,
  type MapValue,
  type Value,
} from './values.ts';

type Charge = (cost: number) => void;
const free: Charge = () => undefined;
/** Upstream counts how large two values are, not what is inside of them; here that costs this much for each part. */
const perPart = 0.1;
/** And for each character of a text inside. */
const perInnerCharacter = 0.01;

function partCost(value: Value): number {
  return typeof value === 'string' ? perPart + value.length * perInnerCharacter : perPart;
}

/**
 * Whether two values are equal. What is inside of them is charged while it is compared. Numbers compare by what they are worth, whatever their types; values of different types
 * are unequal; NaN equals nothing. Source: cel-spec, doc/langdef.md, "Equality".
 */
export function equalValues(a: Value, b: Value, charge: Charge = free): boolean {
  if (typeof a === 'string' || typeof a === 'boolean' || a === null) return a === b;
  const [left, right] = [worth(a), worth(b)];
  if (left !== undefined) return right !== undefined && compareWorth(left, right) === 0;
  if (right !== undefined) return false;
  if (a instanceof List) return b instanceof List && equalLists(a, b, charge);
  if (isMap(a)) return isMap(b) && equalMaps(a, b, charge);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.allNanos === b.allNanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && typeName(a.type) === typeName(b.type);
  if (a instanceof Optional) {
    if (!(b instanceof Optional)) return false;
    if (a.value === undefined || b.value === undefined) return a.value === b.value;
    return equalValues(a.value, b.value, charge);
  }
  return isOpaque(a) && isOpaque(b) && a.type.name === b.type.name && a.equals(b);
}

/** Negative, zero or positive as `a` comes before, with or after `b`; undefined where they have no order (NaN, other types). */
export function compareValues(a: Value, b: Value): number | undefined {
  const [left, right] = [worth(a), worth(b)];
  if (left !== undefined && right !== undefined) return compareWorth(left, right);
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (a instanceof Timestamp && b instanceof Timestamp) {
    return a.seconds === b.seconds ? a.nanos - b.nanos : a.seconds - b.seconds;
  }
  if (a instanceof Duration && b instanceof Duration) return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  return undefined;
}

/** What a number is worth, undefined for what is no number. */
function worth(value: Value): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (value instanceof Double || value instanceof Uint) return value.value;
  return undefined;
}

/** Integers exactly; with a double, as doubles. A bigint that meets a number is either beyond all exact ones or one itself. */
function compareWorth(a: number | bigint, b: number | bigint): number | undefined {
  if (typeof a !== typeof b) return compareWorth(Number(a), Number(b));
  if (a < b) return -1;
  if (a > b) return 1;
  return Number.isNaN(a) || Number.isNaN(b) ? undefined : 0;
}

/** By code point, which differs from UTF-16 order where surrogates meet U+E000 and above. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    const [xSurrogate, ySurrogate] = [x >= 0xd800 && x < 0xe000, y >= 0xd800 && y < 0xe000];
    return xSurrogate === ySurrogate ? x - y : xSurrogate ? 1 : -1;
  }
  return a.length - b.length;
}

function equalLists(a: List, b: List, charge: Charge): boolean {
  if (a.size !== b.size) return false;
  const kind = a.type?.listType ?? b.type?.listType;
  if (kind !== undefined) return equalUnordered(a, b, charge);
  for (let i = 0; i < a.size; i++) {
    const item = a.at(i);
    charge(partCost(item));
    if (!equalValues(item, b.at(i), charge)) return false;
  }
  return true;
}

/** Sets and keyed lists: the same elements, in any order. */
function equalUnordered(a: List, b: List, charge: Charge): boolean {
  for (const item of a) charge(2 * partCost(item));
  const contains = membership(b, charge);
  for (const item of a) if (!contains(item)) return false;
  const back = membership(a, charge);
  for (const item of b) if (!back(item)) return false;
  return true;
}

/** Answers whether a value equals one in `list`; strings, booleans and numbers in constant time. */
export function membership(list: List, charge: Charge = free): (value: Value) => boolean {
  const keys = new Set<unknown>();
  const others: Value[] = [];
  for (const item of list) {
    const key = keyOf(item);
    if (key === undefined) others.push(item);
    else keys.add(key);
  }
  return (value) => {
    const key = keyOf(value);
    return key === undefined ? others.some((other) => equalValues(value, other, charge)) : keys.has(key);
  };
}

function equalMaps(a: MapValue, b: MapValue, charge: Charge): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    const [left, right] = [a.get(key), b.get(key)];
    if (left === undefined || right === undefined) return false;
    charge(partCost(left));
    if (!equalValues(left, right, charge)) return false;
  }
  return true;
}
