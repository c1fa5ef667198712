import { calculate, negate, noOverload, type Operator } from './arithmetic.ts';
import { compareValues, equalValues, membership } from './compare.ts';
import type { Step } from './plan.ts';
import { selectCost, sizeOf, traversal } from './run-cost.ts';
import { Dict, Failure, Fields, isMap, keyOf, Lazy, List, Optional, type Result, type Value } from './values.ts';

/** What an operator with one operand does, undefined for a name that is none. */
export function unaryOperator(name: string, operand: Step): Step | undefined {
  switch (name) {
    case '!_':
      return (frame) => {
        const value = operand(frame);
        frame.meter.charge(1);
        if (typeof value === 'boolean') return !value;
        return value instanceof Failure ? value : noOverload;
      };
    case '-_':
      return (frame) => {
        const value = operand(frame);
        frame.meter.charge(1);
        return value instanceof Failure ? value : negate(value);
      };
    case '@not_strictly_false':
      return (frame) => {
        const value = operand(frame);
        frame.meter.charge(1);
        return value !== false;
      };
    default:
      return undefined;
  }
}

const arithmetic: ReadonlyMap<string, Operator> = new Map([
  ['_+_', '+'],
  ['_-_', '-'],
  ['_*_', '*'],
  ['_/_', '/'],
  ['_%_', '%'],
]);
const orders: ReadonlyMap<string, (order: number) => boolean> = new Map([
  ['_<_', (order) => order < 0],
  ['_<=_', (order) => order <= 0],
  ['_>_', (order) => order > 0],
  ['_>=_', (order) => order >= 0],
]);

/** What an operator with two operands does, undefined for a name that is none. `known`: the right one, where constant. */
export function binaryOperator(name: string, left: Step, right: Step, known: Value | undefined): Step | undefined {
  const operator = arithmetic.get(name);
  if (operator !== undefined) {
    return both(left, right, (a, b, charge) => {
      charge(operator === '+' ? sumCost(a, b) : 1);
      return calculate(operator, a, b);
    });
  }
  const holds = orders.get(name);
  if (holds !== undefined) {
    return both(left, right, (a, b, charge) => {
      charge(typeof a === 'string' || a instanceof Uint8Array ? smaller(a, b) : 1);
      const order = compareValues(a, b);
      if (order !== undefined) return holds(order);
      return isNaNPair(a, b) ? false : noOverload;
    });
  }
  switch (name) {
    case '_==_':
    case '_!=_':
      return both(left, right, (a, b, charge) => {
        charge(smaller(a, b));
        return equalValues(a, b, charge) === (name === '_==_');
      });
    case '_&&_':
      return logical(left, right, false);
    case '_||_':
      return logical(left, right, true);
    case '@in':
      return known instanceof List ? inKnown(left, known) : both(left, right, contains);
    case '_[_]':
      return both(left, right, (container, key, charge) => {
        charge(selectCost);
        if (!(container instanceof Optional)) return index(container, key);
        if (container.value === undefined) return container;
        const value = index(container.value, key);
        return value instanceof Failure ? new Optional(undefined) : new Optional(value);
      });
    case '_[?_]':
      return both(left, right, (container, key, charge) => {
        charge(selectCost);
        const inner = container instanceof Optional ? container.value : container;
        if (inner === undefined) return container;
        if (!(inner instanceof List) && !isMap(inner)) return noOverload;
        const value = index(inner, key);
        return new Optional(value instanceof Failure ? undefined : value);
      });
    default:
      return undefined;
  }
}

type Charge = (cost: number) => void;

function both(left: Step, right: Step, apply: (a: Value, b: Value, charge: Charge) => Result): Step {
  return (frame) => {
    const a = left(frame);
    if (a instanceof Failure) return a;
    const b = right(frame);
    if (b instanceof Failure) return b;
    return apply(a, b, (cost) => frame.meter.charge(cost));
  };
}

/** `&&` with `decides` false, `||` with true: either side may decide, and then the other side's failure does not count. */
function logical(left: Step, right: Step, decides: boolean): Step {
  return (frame) => {
    const a = left(frame);
    if (a === decides) return decides;
    const b = right(frame);
    if (b === decides) return decides;
    if (a === !decides && b === !decides) return !decides;
    if (a instanceof Failure) return a;
    return b instanceof Failure ? b : noOverload;
  };
}

/** Chosen: copying as much takes about as long as a call. */
const longList = 1000;

function smaller(a: Value, b: Value): number {
  // A text at most half as long as another has no more characters than it; counting those of the other could take long.
  if (typeof a === 'string' && typeof b === 'string') {
    if (a.length * 2 <= b.length) return traversal(sizeOf(a));
    if (b.length * 2 <= a.length) return traversal(sizeOf(b));
  }
  return traversal(Math.min(sizeOf(a), sizeOf(b)));
}

/** Upstream joins lists for one unit, and does not copy them; here long ones cost a tenth of a unit per element. */
function sumCost(a: Value, b: Value): number {
  if (typeof a === 'string' || a instanceof Uint8Array) return traversal(sizeOf(a) + sizeOf(b));
  const size = a instanceof List && b instanceof List ? a.size + b.size : 0;
  return size > longList ? Math.floor(size / 10) : 1;
}

function isNaNPair(a: Value, b: Value): boolean {
  const numeric = (value: Value): boolean =>
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    (typeof value === 'object' && value !== null && 'value' in value && !(value instanceof Optional));
  return numeric(a) && numeric(b);
}

function contains(value: Value, container: Value, charge: Charge): Result {
  if (container instanceof List) {
    charge(container.size);
    for (const item of container) if (equalValues(value, item, charge)) return true;
    return false;
  }
  charge(1);
  return isMap(container) ? container.get(value) !== undefined : noOverload;
}

/** A list that never changes is looked through once. */
function inKnown(left: Step, list: List): Step {
  const has = membership(list);
  return (frame) => {
    const value = left(frame);
    return value instanceof Failure ? value : has(value);
  };
}

function index(container: Value, key: Value): Result {
  if (container instanceof List) {
    const position = keyOf(key);
    if (typeof key === 'string' || typeof key === 'boolean' || position === undefined) return noOverload;
    const at = Number(position);
    if (at < 0 || at >= container.size) return new Failure(`index out of bounds: ${String(position)}`);
    return container.at(at);
  }
  if (!isMap(container)) return noOverload;
  const found = container.get(key);
  if (found !== undefined) return found;
  return keyOf(key) === undefined && key instanceof Object
    ? noKey(key)
    : new Failure(`no such key: ${String(keyOf(key))}`);
}

function noKey(key: object): Failure {
  return 'value' in key ? new Failure(`no such key: ${String(key.value)}`) : noOverload;
}

/** `operand.name`; through an optional it gives an optional. */
export function field(operand: Result, name: string): Result {
  if (operand instanceof Fields || operand instanceof Dict) {
    return operand.get(name) ?? new Failure(`no such key: ${name}`);
  }
  if (operand instanceof Failure) return operand;
  if (operand instanceof Optional) return optionalField(operand, name);
  if (operand instanceof Lazy) return operand.field(name) ?? new Failure(`no such key: ${name}`);
  if (isMap(operand)) return operand.get(name) ?? new Failure(`no such key: ${name}`);
  return noOverload;
}

/** `operand.?name`. */
export function optionalField(operand: Result, name: string): Result {
  if (operand instanceof Failure) return operand;
  const inner = operand instanceof Optional ? operand.value : operand;
  if (inner === undefined) return operand;
  if (inner instanceof Lazy) {
    const value = inner.field(name);
    return value instanceof Failure ? value : new Optional(value);
  }
  return isMap(inner) ? new Optional(inner.get(name)) : noOverload;
}

/** `has(operand.name)`. */
export function hasField(operand: Result, name: string): Result {
  if (operand instanceof Failure) return operand;
  const inner = operand instanceof Optional ? operand.value : operand;
  if (inner === undefined) return false;
  if (inner instanceof Lazy) return inner.field(name) !== undefined;
  return isMap(inner) ? inner.get(name) !== undefined : noOverload;
}
