import type { Functions, Overload } from '../environment.ts';
import { intOf } from '../literals.ts';
import { textSize } from '../run-cost.ts';
import { civil, Duration, parseDuration, parseTimestamp, Timestamp, zoneOffset, type Civil } from '../time.ts';
import {
  bool,
  bytes,
  double,
  duration,
  dyn,
  int,
  listOf,
  mapOf,
  param,
  string,
  timestamp,
  typeOf,
  uint,
  type Type,
} from '../types.ts';
import {
  Double,
  Failure,
  List,
  TypeValue,
  typeOfValue,
  Uint,
  type MapValue,
  type Result,
  type Value,
} from '../values.ts';
import { global, library, member } from './define.ts';
import { formatDouble } from './number-text.ts';
import { matchesPattern } from './pattern.ts';

/**
 * Sizes, conversions, text and time. Each function is called with what its overload declares, so the casts below hold.
 * Source: cel-spec, doc/langdef.md, "List of Standard Definitions".
 */
const range = new Failure('range error converting to integer');
const A = param('A');

const size = ([value]: readonly Value[]): Result => {
  if (typeof value === 'string') return textSize(value);
  if (value instanceof Uint8Array) return value.length;
  return (value as List | MapValue).size;
};
const same = ([value]: readonly Value[]): Result => value ?? null;
const asInt = (value: bigint): Result => intOf(value) ?? range;
const asUint = (value: bigint): Result => (value < 0n || value >= 2n ** 64n ? range : new Uint(value));
const whole = (value: number): bigint | undefined => (Number.isFinite(value) ? BigInt(Math.trunc(value)) : undefined);
const conversion = (from: string, to: string): Failure =>
  new Failure(`type conversion error from '${from}' to '${to}'`);

const intOfText = (text: string): Result =>
  /^[+-]?\d{1,40}$/.test(text) ? asInt(BigInt(text.replace(/^\+/, ''))) : conversion('string', 'int');
const uintOfText = (text: string): Result =>
  /^\d{1,40}$/.test(text) ? asUint(BigInt(text)) : conversion('string', 'uint');
const doubleOfText = (text: string): Result => {
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (special !== null) {
    const value = special[2]?.toLowerCase() === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY;
    return new Double(special[1] === '-' ? -value : value);
  }
  const plain = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text);
  return plain ? new Double(Number(text)) : conversion('string', 'double');
};
const boolOfText = (text: string): Result => {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text) ? false : conversion('string', 'bool');
};

const fatal = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const textOfBytes = (raw: Uint8Array): Result => {
  try {
    return fatal.decode(raw);
  } catch {
    return new Failure('invalid UTF-8 in bytes, cannot convert to string'); // the only thing a decoder throws for
  }
};

/** Looking into a calendar takes longer than what upstream's unit stands for. */
const zoneCost = 9;

const accessor = (name: string, read: (civil: Civil, time: Timestamp) => number): [string, Overload[]] => [
  name,
  [
    member(`timestamp_to_${name}`, [timestamp], int, ([time]) => {
      const at = time as Timestamp;
      return read(civil(at, 0), at);
    }),
    member(`timestamp_to_${name}_with_tz`, [timestamp, string], int, ([time, zone], meter) => {
      const at = time as Timestamp;
      meter.charge(zoneCost);
      const offset = zoneOffset(zone as string, at);
      return offset === undefined ? new Failure(`unknown time zone ${zone as string}`) : read(civil(at, offset), at);
    }),
  ],
];
const durationAccessor = (name: string, nanosPerUnit: bigint): Overload =>
  member(`duration_to_${name}`, [duration], int, ([span]) => Number((span as Duration).nanos / nanosPerUnit));

const timeFunctions = Object.fromEntries([
  accessor('getFullYear', (at) => at.year),
  accessor('getMonth', (at) => at.month),
  accessor('getDate', (at) => at.day),
  accessor('getDayOfMonth', (at) => at.day - 1),
  accessor('getDayOfYear', (at) => at.dayOfYear),
  accessor('getDayOfWeek', (at) => at.dayOfWeek),
  accessor('getHours', (at) => at.hour),
  accessor('getMinutes', (at) => at.minute),
  accessor('getSeconds', (at) => at.second),
  accessor('getMilliseconds', (_, time) => Math.floor(time.nanos / 1_000_000)),
]);
timeFunctions['getHours']?.push(durationAccessor('getHours', 3_600_000_000_000n));
timeFunctions['getMinutes']?.push(durationAccessor('getMinutes', 60_000_000_000n));
timeFunctions['getSeconds']?.push(durationAccessor('getSeconds', 1_000_000_000n));
timeFunctions['getMilliseconds']?.push(
  member('duration_to_getMilliseconds', [duration], int, ([span]) =>
    Number(((span as Duration).nanos / 1_000_000n) % 1000n),
  ),
);

const sizes = (id: string, type: Type): Overload[] => [
  global(`size_${id}`, [type], int, size),
  member(`${id}_size`, [type], int, size),
];

export const core: Functions = library({
  ...timeFunctions,
  size: [
    ...sizes('bytes', bytes),
    ...sizes('list', listOf(A)),
    ...sizes('map', mapOf(A, param('B'))),
    ...sizes('string', string),
  ],
  type: [global('type', [A], typeOf(A), ([value]) => new TypeValue(typeOfValue(value ?? null)))],
  dyn: [global('to_dyn', [A], dyn, same)],
  bool: [
    global('bool_to_bool', [bool], bool, same),
    global('string_to_bool', [string], bool, ([text]) => boolOfText(text as string)),
  ],
  int: [
    global('int64_to_int64', [int], int, same),
    global('double_to_int64', [double], int, ([value]) => {
      const number = (value as Double).value;
      // The bounds themselves are not told apart from what lies beyond them.
      if (!(number > -(2 ** 63)) || !(number < 2 ** 63)) return range;
      return asInt(whole(number) ?? 0n);
    }),
    global('string_to_int64', [string], int, ([text]) => intOfText(text as string)),
    global('timestamp_to_int64', [timestamp], int, ([time]) => (time as Timestamp).seconds),
    global('duration_to_int64', [duration], int, ([span]) => asInt((span as Duration).nanos)),
    global('uint64_to_int64', [uint], int, ([value]) => asInt((value as Uint).value)),
  ],
  uint: [
    global('uint64_to_uint64', [uint], uint, same),
    global('double_to_uint64', [double], uint, ([value]) => {
      const number = (value as Double).value;
      return number >= 0 && number < 2 ** 64 ? asUint(whole(number) ?? 0n) : range;
    }),
    global('int64_to_uint64', [int], uint, ([value]) => asUint(BigInt(value as number | bigint))),
    global('string_to_uint64', [string], uint, ([text]) => uintOfText(text as string)),
  ],
  double: [
    global('double_to_double', [double], double, same),
    global('int64_to_double', [int], double, ([value]) => new Double(Number(value))),
    global('string_to_double', [string], double, ([text]) => doubleOfText(text as string)),
    global('uint64_to_double', [uint], double, ([value]) => new Double(Number((value as Uint).value))),
  ],
  string: [
    global('string_to_string', [string], string, same),
    global('bool_to_string', [bool], string, ([value]) => `${value as boolean}`),
    global('bytes_to_string', [bytes], string, ([value]) => textOfBytes(value as Uint8Array)),
    global('double_to_string', [double], string, ([value]) => formatDouble((value as Double).value)),
    global('duration_to_string', [duration], string, ([value]) => (value as Duration).toString()),
    global('int64_to_string', [int], string, ([value]) => `${value as number | bigint}`),
    global('timestamp_to_string', [timestamp], string, ([value]) => (value as Timestamp).toString()),
    global('uint64_to_string', [uint], string, ([value]) => String((value as Uint).value)),
  ],
  bytes: [
    global('bytes_to_bytes', [bytes], bytes, same),
    global('string_to_bytes', [string], bytes, ([value]) => new TextEncoder().encode(value as string)),
  ],
  timestamp: [
    global('timestamp_to_timestamp', [timestamp], timestamp, same),
    global(
      'int64_to_timestamp',
      [int],
      timestamp,
      ([value]) => Timestamp.of(Number(value)) ?? new Failure('timestamp overflow'),
    ),
    global(
      'string_to_timestamp',
      [string],
      timestamp,
      ([text]) => parseTimestamp(text as string) ?? conversion('string', 'google.protobuf.Timestamp'),
    ),
  ],
  duration: [
    global('duration_to_duration', [duration], duration, same),
    global('int64_to_duration', [int], duration, ([value]) => Duration.of(BigInt(value as number | bigint)) ?? range),
    global(
      'string_to_duration',
      [string],
      duration,
      ([text]) => parseDuration(text as string) ?? conversion('string', 'google.protobuf.Duration'),
    ),
  ],
  contains: [
    member('contains_string', [string, string], bool, ([text, part]) => (text as string).includes(part as string)),
  ],
  startsWith: [
    member('starts_with_string', [string, string], bool, ([text, part]) => (text as string).startsWith(part as string)),
  ],
  endsWith: [
    member('ends_with_string', [string, string], bool, ([text, part]) => (text as string).endsWith(part as string)),
  ],
  matches: [
    global('matches', [string, string], bool, ([text, pattern], meter) =>
      matchesPattern(text as string, pattern as string, meter),
    ),
    member('matches_string', [string, string], bool, ([text, pattern], meter) =>
      matchesPattern(text as string, pattern as string, meter),
    ),
  ],
});

/** The names of types, as expressions may use them. */
export const coreTypes: ReadonlyMap<string, Type> = new Map<string, Type>([
  ['bool', bool],
  ['int', int],
  ['uint', uint],
  ['double', double],
  ['string', string],
  ['bytes', bytes],
  ['list', listOf(dyn)],
  ['map', mapOf(dyn, dyn)],
  ['null_type', { kind: 'null' }],
  ['type', { kind: 'type' }],
  ['google.protobuf.Timestamp', timestamp],
  ['google.protobuf.Duration', duration],
]);
