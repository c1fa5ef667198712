import { equalValues } from '../compare.ts';
import type { Functions } from '../environment.ts';
import { Duration, Timestamp } from '../time.ts';
import { bool, optionalOf, param, type Type } from '../types.ts';
import { Double, Failure, isMap, List, Optional, Uint, type Value } from '../values.ts';
import { global, library, member } from './define.ts';

/** Values that may be missing. `optMap` and `optFlatMap` are macros. Source: cel-go, OptionalTypes, version 1. */
const T = param('T');
const none = new Optional(undefined);

export const optionals: Functions = library({
  'optional.of': [global('optional_of', [T], optionalOf(T), ([value]) => new Optional(value))],
  'optional.ofNonZeroValue': [
    global('optional_ofNonZeroValue', [T], optionalOf(T), ([value = null]) =>
      isZero(value) ? none : new Optional(value),
    ),
  ],
  'optional.none': [global('optional_none', [], optionalOf(T), () => none)],
  hasValue: [member('optional_hasValue', [optionalOf(T)], bool, ([optional]) => held(optional) !== undefined)],
  value: [member('optional_value', [optionalOf(T)], T, ([optional]) => held(optional) ?? valueOrFailure(optional))],
  or: [
    member('optional_or_optional', [optionalOf(T), optionalOf(T)], optionalOf(T), ([optional = null, other = null]) =>
      held(optional) === undefined ? other : optional,
    ),
  ],
  orValue: [
    member('optional_orValue_value', [optionalOf(T), T], T, ([optional, other = null]) => {
      const value = held(optional);
      return value === undefined ? other : value;
    }),
  ],
});

export const optionalTypes: ReadonlyMap<string, Type> = new Map([['optional_type', optionalOf(T)]]);

function held(value: Value | undefined): Value | undefined {
  return value instanceof Optional ? value.value : undefined;
}

/** null is a value too. */
function valueOrFailure(value: Value | undefined): Value | Failure {
  return value instanceof Optional && value.value === null ? null : new Failure('optional.none() dereference');
}

/** Whether a value is what its type starts as: 0, '', empty, null. */
function isZero(value: Value): boolean {
  if (value === null || value === false || value === '' || value === 0) return true;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof List || isMap(value)) return value.size === 0;
  if (value instanceof Optional) return value.value === undefined;
  if (value instanceof Uint || value instanceof Double) return equalValues(value, 0);
  if (value instanceof Duration) return value.nanos === 0n;
  return value instanceof Timestamp && value.allNanos === 0n;
}
