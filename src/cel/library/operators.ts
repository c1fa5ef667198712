import type { Functions, Overload } from '../environment.ts';
import {
  bool,
  bytes,
  double,
  duration,
  dyn,
  int,
  listOf,
  mapOf,
  optionalOf,
  param,
  string,
  timestamp,
  uint,
  type Type,
} from '../types.ts';
import { global, library } from './define.ts';

/**
 * The types of the operators; the evaluator knows what they do. Source: cel-spec, doc/langdef.md, "List of Standard
 * Definitions", with the comparisons across number types that Kubernetes turns on.
 */
const A = param('A');
const B = param('B');

const arithmetic = (name: string, ...types: readonly (readonly [string, Type])[]): Overload[] =>
  types.map(([suffix, type]) => global(`${name}_${suffix}`, [type, type], type));
const numbers = [
  ['int64', int],
  ['uint64', uint],
  ['double', double],
] as const;

const ordered: readonly (readonly [string, Type])[] = [
  ['bool', bool],
  ['int64', int],
  ['uint64', uint],
  ['double', double],
  ['string', string],
  ['bytes', bytes],
  ['timestamp', timestamp],
  ['duration', duration],
];
const order = (name: string): Overload[] => [
  ...ordered.map(([suffix, type]) => global(`${name}_${suffix}`, [type, type], bool)),
  ...numbers.flatMap(([left, a]) =>
    numbers.filter(([right]) => right !== left).map(([right, b]) => global(`${name}_${left}_${right}`, [a, b], bool)),
  ),
];

export const operators: Functions = library({
  '_?_:_': [global('conditional', [bool, A, A], A)],
  '_&&_': [global('logical_and', [bool, bool], bool)],
  '_||_': [global('logical_or', [bool, bool], bool)],
  '!_': [global('logical_not', [bool], bool)],
  '@not_strictly_false': [global('not_strictly_false', [bool], bool)],
  '_==_': [global('equals', [A, A], bool)],
  '_!=_': [global('not_equals', [A, A], bool)],
  '_<_': order('less'),
  '_<=_': order('less_equals'),
  '_>_': order('greater'),
  '_>=_': order('greater_equals'),
  '_+_': [
    global('add_bytes', [bytes, bytes], bytes),
    global('add_double', [double, double], double),
    global('add_duration_duration', [duration, duration], duration),
    global('add_duration_timestamp', [duration, timestamp], timestamp),
    global('add_timestamp_duration', [timestamp, duration], timestamp),
    global('add_int64', [int, int], int),
    global('add_list', [listOf(A), listOf(A)], listOf(A)),
    global('add_string', [string, string], string),
    global('add_uint64', [uint, uint], uint),
  ],
  '_-_': [
    ...arithmetic('subtract', ...numbers),
    global('subtract_duration_duration', [duration, duration], duration),
    global('subtract_timestamp_duration', [timestamp, duration], timestamp),
    global('subtract_timestamp_timestamp', [timestamp, timestamp], duration),
  ],
  '_*_': arithmetic('multiply', ...numbers),
  '_/_': arithmetic('divide', ...numbers),
  '_%_': arithmetic('modulo', ['int64', int], ['uint64', uint]),
  '-_': [global('negate_double', [double], double), global('negate_int64', [int], int)],
  '@in': [global('in_list', [A, listOf(A)], bool), global('in_map', [A, mapOf(A, B)], bool)],
  '_[_]': [
    global('index_list', [listOf(A), int], A),
    global('index_map', [mapOf(A, B), A], B),
    global('optional_list_index_value', [optionalOf(listOf(A)), int], optionalOf(A)),
    global('optional_map_index_value', [optionalOf(mapOf(A, B)), A], optionalOf(B)),
  ],
  '_[?_]': [
    global('list_optindex_optional_int', [listOf(A), int], optionalOf(A)),
    global('optional_list_optindex_optional_int', [optionalOf(listOf(A)), int], optionalOf(A)),
    global('map_optindex_optional_value', [mapOf(A, B), A], optionalOf(B)),
    global('optional_map_optindex_optional_value', [optionalOf(mapOf(A, B)), A], optionalOf(B)),
  ],
  '_?._': [global('select_optional_field', [dyn, string], optionalOf(dyn))],
  'cel.@mapInsert': [
    global('@mapInsert_map_key_value', [mapOf(A, B), A, B], mapOf(A, B)),
    global('@mapInsert_map_map', [mapOf(A, B), mapOf(A, B)], mapOf(A, B)),
  ],
});
