import { membership } from './compare.ts';
import { intOf } from './literals.ts';
import { Duration, Timestamp } from './time.ts';
import { Double, Failure, isMap, keyOf, List, Uint, type Result, type Value } from './values.ts';

/**
 * The arithmetic operators. Integers are 64 bits wide and fail when they leave them; mixed types have no arithmetic.
 * Source: cel-spec, doc/langdef.md, "Numeric Values", "Overflow".
 */
export type Operator = '+' | '-' | '*' | '/' | '%';

export const noOverload = new Failure('no such overload');
const overflow = new Failure('integer overflow');
const unsignedOverflow = new Failure('unsigned integer overflow');
const durationRange = new Failure('duration overflow');
const timestampRange = new Failure('timestamp overflow');

/** `a operator b`. */
export function calculate(operator: Operator, a: Value, b: Value): Result {
  if (typeof a === 'number' && typeof b === 'number') {
    const fast = small(operator, a, b);
    if (fast !== undefined) return fast;
  }
  if (isInt(a) && isInt(b)) return integers(operator, BigInt(a), BigInt(b));
  if (a instanceof Double && b instanceof Double) return doubles(operator, a.value, b.value);
  if (a instanceof Uint && b instanceof Uint) return unsigned(operator, a.value, b.value);
  if (operator === '+') return sum(a, b);
  return operator === '-' ? difference(a, b) : noOverload;
}

/** `-a`. */
export function negate(a: Value): Result {
  if (typeof a === 'number') return 0 - a;
  if (typeof a === 'bigint') return intOf(-a) ?? overflow;
  return a instanceof Double ? new Double(-a.value) : noOverload;
}

/** The result for two integers that numbers hold exactly; undefined when it may not be one, or has to fail. */
function small(operator: Operator, a: number, b: number): number | undefined {
  switch (operator) {
    case '+':
      return safe(a + b);
    case '-':
      return safe(a - b);
    case '*':
      return safe(a * b);
    case '/':
      return b === 0 ? undefined : safe((a - (a % b)) / b);
    case '%':
      return b === 0 ? undefined : safe(a % b);
  }
}

/** Adding zero makes of -0 the 0 that integers have. */
function safe(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}

function isInt(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function integers(operator: Operator, a: bigint, b: bigint): Result {
  const result = exact(operator, a, b);
  return result instanceof Failure ? result : (intOf(result) ?? overflow);
}

function unsigned(operator: Operator, a: bigint, b: bigint): Result {
  const result = exact(operator, a, b);
  if (result instanceof Failure) return result;
  return result < 0n || result >= 2n ** 64n ? unsignedOverflow : new Uint(result);
}

function exact(operator: Operator, a: bigint, b: bigint): bigint | Failure {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return b === 0n ? new Failure('division by zero') : a / b;
    case '%':
      return b === 0n ? new Failure('modulus by zero') : a % b;
  }
}

function doubles(operator: Operator, a: number, b: number): Result {
  switch (operator) {
    case '+':
      return new Double(a + b);
    case '-':
      return new Double(a - b);
    case '*':
      return new Double(a * b);
    case '/':
      return new Double(a / b);
    case '%':
      return noOverload;
  }
}

function sum(a: Value, b: Value): Result {
  if (typeof a === 'string') return typeof b === 'string' ? a + b : noOverload;
  if (a instanceof List) return b instanceof List ? concat(a, b) : noOverload;
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? new Uint8Array(Buffer.concat([a, b])) : noOverload;
  if (a instanceof Duration && b instanceof Duration) return Duration.of(a.nanos + b.nanos) ?? durationRange;
  if (a instanceof Timestamp && b instanceof Duration) return Timestamp.ofNanos(a.allNanos + b.nanos) ?? timestampRange;
  if (a instanceof Duration && b instanceof Timestamp) return sum(b, a);
  return noOverload;
}

function difference(a: Value, b: Value): Result {
  if (a instanceof Duration && b instanceof Duration) return Duration.of(a.nanos - b.nanos) ?? durationRange;
  if (!(a instanceof Timestamp)) return noOverload;
  if (b instanceof Timestamp) return Duration.of(a.allNanos - b.allNanos) ?? durationRange;
  return b instanceof Duration ? (Timestamp.ofNanos(a.allNanos - b.nanos) ?? timestampRange) : noOverload;
}

/** What is added to a list that is a set, or a map by some fields of its elements, takes the place of its equals. */
function concat(a: List, b: List): List {
  if (a.type?.listType === 'set') {
    const has = membership(a);
    return List.of([...a, ...[...b].filter((value) => !has(value))]);
  }
  if (a.type?.listType === 'map') return merged(a, b, a.type.keys ?? []);
  const values: Value[] = [];
  for (let i = 0; i < a.size; i++) values.push(a.at(i));
  for (let i = 0; i < b.size; i++) values.push(b.at(i));
  return List.of(values);
}

function merged(a: List, b: List, keys: readonly string[]): List {
  const nameOf = (value: Value): string =>
    isMap(value) ? JSON.stringify(keys.map((key) => keyText(value.get(key)))) : '';
  const values = new Map([...a].map((value) => [nameOf(value), value]));
  for (const value of b) values.set(nameOf(value), value);
  return List.of([...values.values()]);
}

function keyText(value: Value | undefined): string {
  return value === undefined ? '' : `${typeof value} ${String(keyOf(value))}`;
}
