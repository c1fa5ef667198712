import { isMap, List, Optional, isOpaque, type Value } from './values.ts';

/**
 * What calls cost at run time, in upstream's units. Work on text is charged a tenth of a unit per character.
 * Source: cel-go, interpreter/runtimecost; Kubernetes, apiserver, cel/library/cost.
 */
export const perCharacter = 0.1;
/** Of a pattern: how many states a character is taken for. */
export const perPatternCharacter = 0.25;

export const selectCost = 1;
export const listCost = 10;
export const mapCost = 30;
export const structCost = 40;
/** An authorization check: two are allowed within the limit of one expression. */
const checkCost = 350_000;

/** How large a value counts: characters, bytes, elements, entries; 1 for all else. */
export function sizeOf(value: Value | undefined): number {
  if (typeof value === 'string') return textSize(value);
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof List || isMap(value)) return value.size;
  if (value instanceof Optional && value.value !== undefined) return sizeOf(value.value);
  return isOpaque(value) ? (value.size ?? 1) : 1;
}

const leadSurrogate = /[\ud800-\udbff]/;

/** In code points. */
export function textSize(text: string): number {
  let size = text.length;
  if (!leadSurrogate.test(text)) return size;
  for (let i = 0; i < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800) size--;
  }
  return size;
}

/** Text of this many characters, read once. */
export function traversal(size: number): number {
  return Math.ceil(size * perCharacter);
}

/** Searching a text for a pattern. */
export function matchingCost(text: Value, pattern: Value): number {
  return traversal(1 + sizeOf(text)) * Math.ceil(sizeOf(pattern) * perPatternCharacter);
}

type Args = readonly Value[];
const argument =
  (index: number, factor = 1) =>
  (args: Args): number =>
    Math.ceil(sizeOf(args[index]) * factor * perCharacter);
const nominal = (): number => 1;
const elements = (args: Args): number => treeSize(args[0] ?? null);
const matching = (args: Args): number => matchingCost(args[0] ?? '', args[1] ?? '');

type CallCost = (args: Args, overload: string) => number;

const byFunction: ReadonlyMap<string, CallCost> = new Map<string, CallCost>([
  ['check', () => checkCost],
  ...['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf'].map((name): [string, CallCost] => [name, elements]),
  ...['url', 'lowerAscii', 'upperAscii', 'substring', 'trim'].map((name): [string, CallCost] => [name, argument(0)]),
  ...['cidr', 'isIP', 'isCIDR', 'quantity', 'isQuantity'].map((name): [string, CallCost] => [name, argument(0)]),
  ...['replace', 'split', 'ip.isCanonical'].map((name): [string, CallCost] => [name, argument(0, 2)]),
  ...['find', 'findAll', 'matches'].map((name): [string, CallCost] => [name, matching]),
  ['ip', (args, overload) => (overload === 'cidr_ip' ? 1 : argument(0)(args))],
  ['containsIP', (args, overload) => contained(args, overload === 'cidr_contains_ip_string')],
  [
    'containsCIDR',
    (args, overload) => contained(args, overload === 'cidr_contains_cidr_string') + traversal(sizeOf(args[0])) + 1,
  ],
  ...['startsWith', 'endsWith'].map((name): [string, CallCost] => [name, argument(0)]),
  ['contains', (args, overload) => (overload === 'contains_string' ? argument(0)(args) * argument(1)(args) : 1)],
  ['format', (args, overload) => (overload === 'string_format' ? argument(0)(args) : 1)],
  ['strings.quote', argument(0)],
  ['string', (args, overload) => (overload === 'bytes_to_string' ? argument(0)(args) : 1)],
  ['bytes', (args, overload) => (overload === 'string_to_bytes' ? argument(0)(args) : 1)],
  ['sets.contains', (args) => 1 + pairs(args)],
  ['sets.intersects', (args) => 1 + pairs(args)],
  ['sets.equivalent', (args) => 1 + 2 * pairs(args)],
  ['validate', (args) => traversal(1 + sizeOf(args[1])) * Math.ceil(sizeOf(args[0]) * perPatternCharacter)],
  ['semver', argument(0)],
  ['isSemver', argument(0)],
]);

/** What calling a function with these arguments costs, charged before it is called. `join` is charged after. */
export function callCost(name: string, overload: string, args: Args): number {
  return (byFunction.get(name) ?? nominal)(args, overload);
}

function contained(args: Args, parses: boolean): number {
  return traversal(2 * sizeOf(args[0])) + (parses ? traversal(sizeOf(args[1])) : 0);
}

function pairs(args: Args): number {
  return sizeOf(args[0]) * sizeOf(args[1]);
}

/** The cost of walking through all of a value. */
function treeSize(value: Value): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return Math.floor(sizeOf(value) * perCharacter);
  if (value instanceof List) {
    let size = 0;
    for (const item of value) size += treeSize(item);
    return size;
  }
  if (isMap(value)) {
    let size = 0;
    for (const key of value.keys()) size += treeSize(key) + treeSize(value.get(key) ?? null);
    return size;
  }
  return 1;
}
