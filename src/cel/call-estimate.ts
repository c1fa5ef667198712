import type { Expr } from './ast.ts';
import { add, fixed, maxCost, scaled, times, type Range } from './range.ts';
import { perCharacter, perPatternCharacter } from './run-cost.ts';
import type { Type } from './types.ts';

/** A node as estimates see it. */
export interface Estimated {
  readonly expr: Expr | undefined;
  readonly type: Type;
  /** The declared type that a path from a variable leads to. */
  readonly declared: Type | undefined;
  /** What is known of its size from the expression alone. */
  readonly size: Range | undefined;
}

/** A call, its arguments already estimated. */
export interface EstimatedCall {
  readonly name: string;
  readonly overload: string;
  readonly target: Estimated | undefined;
  readonly args: readonly Estimated[];
}

export interface CallEstimate {
  /** Of the call alone. */
  readonly cost: Range;
  /** How large its result is, where that follows from its arguments. */
  readonly size?: Range;
}

const unknown: Range = { min: 0, max: maxCost };
const sizeOf = (node: Estimated | undefined): Range => node?.size ?? unknown;
const read = (size: Range, factor = 1): Range => scaled(size, factor * perCharacter);
const one: CallEstimate = { cost: fixed(1) };
/** An authorization check: two fit into the limit of one expression. */
const check: CallEstimate = { cost: fixed(350_000) };

type Estimate = (call: EstimatedCall) => CallEstimate | undefined;

const firstRead: Estimate = ({ target, args }) => ({ cost: read(sizeOf(target ?? args[0])) });
const sameSize: Estimate = ({ target }) => ({ cost: read(sizeOf(target)), size: sizeOf(target) });
const overElements: Estimate = ({ target }) => {
  const element = elementOf(target);
  if (element === undefined) return { cost: read(sizeOf(target)) };
  const isText = element.type.kind === 'string' || element.type.kind === 'bytes';
  const each = isText ? add(fixed(1), read(sizeOf(element))) : fixed(1);
  return { cost: times(sizeOf(target), each) };
};
const searched: Estimate = ({ target, args }) => {
  const text = read(add(sizeOf(target ?? args[0]), fixed(1)));
  const pattern = scaled(sizeOf(args[target === undefined ? 1 : 0]), perPatternCharacter);
  return { cost: times(text, pattern) };
};
const pairs =
  (factor: number): Estimate =>
  ({ args }) => ({
    cost: add(scaled(times(sizeOf(args[0]), sizeOf(args[1])), factor), fixed(1)),
  });
/** An address is 4 or 16 bytes; a text is read first. */
const contained = (call: EstimatedCall, parses: boolean): Range => {
  const bytes = { min: 4, max: 16 };
  return add(read(add(bytes, bytes)), parses ? read(sizeOf(call.args[0])) : fixed(0));
};

const byFunction: ReadonlyMap<string, Estimate> = new Map<string, Estimate>([
  ['check', () => check],
  ...['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf'].map((name): [string, Estimate] => [
    name,
    overElements,
  ]),
  // Reading a quantity, an address or a version is estimated as one unit, as upstream does; running it is charged fully.
  ...['url', 'strings.quote'].map((name): [string, Estimate] => [name, firstRead]),
  ...['lowerAscii', 'upperAscii', 'substring', 'trim'].map((name): [string, Estimate] => [name, sameSize]),
  ['replace', replaced],
  ['split', split],
  ['join', joinedText],
  ['find', (call) => ({ cost: searched(call)?.cost ?? fixed(1), size: { min: 0, max: sizeOf(call.target).max } })],
  ['findAll', (call) => ({ cost: searched(call)?.cost ?? fixed(1), size: { min: 0, max: sizeOf(call.target).max } })],
  ['matches', searched],
  ['containsIP', (call) => ({ cost: contained(call, call.overload === 'cidr_contains_ip_string') })],
  [
    'containsCIDR',
    (call) => ({
      cost: add(contained(call, call.overload === 'cidr_contains_cidr_string'), read({ min: 4, max: 16 }), fixed(1)),
    }),
  ],
  ['sets.contains', pairs(1)],
  ['sets.intersects', pairs(1)],
  ['sets.equivalent', pairs(2)],
  // As if every named format were a pattern of 128 characters.
  ['validate', ({ args }) => ({ cost: times(read(sizeOf(args[0])), fixed(128 * perPatternCharacter)) })],
  ['startsWith', ({ args }) => ({ cost: read(sizeOf(args[0])) })],
  ['endsWith', ({ args }) => ({ cost: read(sizeOf(args[0])) })],
  [
    'contains',
    ({ target, args }) => (target === undefined ? one : { cost: times(read(sizeOf(target)), read(sizeOf(args[0]))) }),
  ],
  ['format', ({ target, overload }) => (overload === 'string_format' ? { cost: read(sizeOf(target)) } : one)],
]);

const compared: Estimate = ({ args }) => {
  const max = Math.min(sizeOf(args[0]).max, sizeOf(args[1]).max);
  return { cost: read({ min: max > 0 ? 1 : 0, max }) };
};
const summed: Estimate = ({ args }) => ({ cost: read(add(sizeOf(args[0]), sizeOf(args[1]))) });

const byOverload: ReadonlyMap<string, Estimate> = new Map<string, Estimate>([
  ...['less', 'less_equals', 'greater', 'greater_equals'].flatMap((name): [string, Estimate][] => [
    [`${name}_string`, compared],
    [`${name}_bytes`, compared],
  ]),
  ['equals', compared],
  ['not_equals', compared],
  ['add_string', summed],
  ['add_bytes', summed],
  ['in_list', ({ args }) => ({ cost: sizeOf(args[1]) })],
  [
    'string_to_bytes',
    ({ args }) => {
      const size = sizeOf(args[0]);
      return { cost: read(size), size: times(size, { min: 1, max: 4 }) };
    },
  ],
  [
    'bytes_to_string',
    ({ args }) => {
      const size = sizeOf(args[0]);
      return { cost: read(size), size: { min: Math.floor(size.min / 4), max: size.max } };
    },
  ],
]);

/** How long numbers and the like are as text. Upstream leaves it open, so that a message which names a number costs without bound. */
const textSizes: ReadonlyMap<string, number> = new Map([
  ['bool_to_string', 5],
  ['int64_to_string', 20],
  ['uint64_to_string', 20],
  ['double_to_string', 24],
  ['duration_to_string', 25],
  ['timestamp_to_string', 35],
]);

/** What a call can cost, its arguments not counted, and how large its result can be. */
export function callEstimate(call: EstimatedCall): CallEstimate {
  const max = textSizes.get(call.overload);
  if (max !== undefined) return { ...one, size: { min: 1, max } };
  return byFunction.get(call.name)?.(call) ?? byOverload.get(call.overload)?.(call) ?? one;
}

/** One element of a list, undefined for what is no list. */
function elementOf(list: Estimated | undefined): Estimated | undefined {
  if (list?.type.kind !== 'list') return undefined;
  const declared: Type | undefined = list.declared?.kind === 'list' ? list.declared.element : undefined;
  return { expr: undefined, type: list.type.element, declared, size: declaredSize(declared) };
}

/** A replacement can make a text longer (or shorter) by as many times as what it replaces can occur. */
function replaced({ target, args }: EstimatedCall): CallEstimate {
  const [size, from, to] = [sizeOf(target), sizeOf(args[0]), sizeOf(args[1])];
  let [most, keptMost, least, keptLeast] = [0, 0, 0, 0];
  if (from.min === 0) [most, keptMost] = [size.max + 1, size.max];
  else if (to.max <= from.min) keptMost = size.max;
  else most = Math.ceil(size.max / from.min);
  if (from.max === 0) [least, keptLeast] = [size.min + 1, size.min];
  else if (from.max <= to.min) keptLeast = size.min;
  else least = Math.ceil(size.min / from.max);
  const result = add(times({ min: least, max: most }, to), { min: keptLeast, max: keptMost });
  return { cost: read(size, 2), size: result };
}

function split({ target, args }: EstimatedCall): CallEstimate {
  const size = sizeOf(target);
  const limit = args[1]?.expr;
  const most =
    limit?.kind === 'literal' && typeof limit.value === 'number' && limit.value >= 0 ? limit.value : size.max;
  return { cost: read(size, 2), size: { min: 0, max: most } };
}

function joinedText({ target, args }: EstimatedCall): CallEstimate {
  const count = sizeOf(target);
  const element = elementOf(target);
  let size = element === undefined ? fixed(0) : times(count, sizeOf(element));
  if (args[0] !== undefined) {
    const between = { min: Math.max(0, count.min - 1), max: Math.max(0, count.max - 1) };
    size = add(size, times(sizeOf(args[0]), between));
  }
  return { cost: read(size), size };
}

/** How large data of a declared type can be; numbers and booleans count nothing. */
export function declaredSize(type: Type | undefined): Range | undefined {
  if (type === undefined) return undefined;
  if ('maxSize' in type && type.maxSize !== undefined) return { min: 0, max: type.maxSize };
  if (type.kind === 'bool' || type.kind === 'int' || type.kind === 'uint' || type.kind === 'double') return fixed(0);
  return type.kind === 'object' ? { min: 0, max: maxCost } : undefined;
}
