import { calculate, noOverload } from '../arithmetic.ts';
import { compareValues, equalValues } from '../compare.ts';
import type { Functions, Overload } from '../environment.ts';
import { Duration } from '../time.ts';
import { bool, bytes, double, duration, int, listOf, param, string, timestamp, uint, type Type } from '../types.ts';
import { Double, Failure, List, Uint, type Result, type Value } from '../values.ts';
import { library, member } from './define.ts';

/** Sums, extremes and places in lists. Source: Kubernetes, apiserver, cel/library/lists. */
const T = param('T');
const comparable: readonly (readonly [string, Type])[] = [
  ['int', int],
  ['uint', uint],
  ['double', double],
  ['bool', bool],
  ['duration', duration],
  ['timestamp', timestamp],
  ['string', string],
  ['bytes', bytes],
];
const summable: readonly (readonly [string, Type, Value])[] = [
  ['int', int, 0],
  ['uint', uint, new Uint(0n)],
  ['double', double, new Double(0)],
  ['duration', duration, Duration.of(0n) ?? null],
];
const each = (name: string, result: (type: Type) => Type, call: (list: List) => Result): Overload[] =>
  comparable.map(([suffix, type]) =>
    member(`list_${suffix}_${name}`, [listOf(type)], result(type), ([list]) => call(list as List)),
  );

export const lists: Functions = library({
  isSorted: each('is_sorted_bool', () => bool, isSorted),
  min: each(
    'min',
    (type) => type,
    (list) => extreme(list, 'min', (order) => order < 0),
  ),
  max: each(
    'max',
    (type) => type,
    (list) => extreme(list, 'max', (order) => order > 0),
  ),
  sum: summable.map(([suffix, type, zero]) =>
    member(`list_${suffix}_sum_${suffix}`, [listOf(type)], type, ([list]) => sum(list as List, zero)),
  ),
  indexOf: [member('list_a_index_of_int', [listOf(T), T], int, ([list, value = null]) => find(list as List, value, 1))],
  lastIndexOf: [
    member('list_a_last_index_of_int', [listOf(T), T], int, ([list, value = null]) => find(list as List, value, -1)),
  ],
});

function isSorted(list: List): Result {
  for (let i = 1; i < list.size; i++) {
    const order = compareValues(list.at(i - 1), list.at(i));
    if (order === undefined) return noOverload;
    if (order > 0) return false;
  }
  return true;
}

function extreme(list: List, name: string, better: (order: number) => boolean): Result {
  if (list.size === 0) return new Failure(`${name} called on empty list`);
  let best = list.at(0);
  for (let i = 1; i < list.size; i++) {
    const value = list.at(i);
    const order = compareValues(value, best);
    if (order === undefined) return noOverload;
    if (better(order)) best = value;
  }
  return best;
}

function sum(list: List, zero: Value): Result {
  let total: Value | undefined;
  for (const value of list) {
    if (total === undefined) {
      total = value;
      continue;
    }
    const next: Result = calculate('+', total, value);
    if (next instanceof Failure) return next;
    total = next;
  }
  return total ?? zero;
}

function find(list: List, value: Value, step: 1 | -1): number {
  for (let i = step > 0 ? 0 : list.size - 1; i >= 0 && i < list.size; i += step) {
    if (equalValues(list.at(i), value)) return i;
  }
  return -1;
}
