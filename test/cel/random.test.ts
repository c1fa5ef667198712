import { expect, test } from 'vitest';
import { compile } from '../../src/cel/compile.ts';
import { kubernetesEnvironment } from '../../src/cel/kubernetes.ts';
import { matches } from '../../src/cel/matches.ts';
import { dyn, formatType, int, listOf, mapOf, string, type ObjectType, type Type } from '../../src/cel/types.ts';
import { isMap, List, Optional, type Value } from '../../src/cel/values.ts';

const object: ObjectType = {
  kind: 'object',
  name: 'item',
  field: (name) => {
    const type = { count: int, name: string, tags: listOf(string), next: dyn }[name];
    return type === undefined ? undefined : { type, key: name };
  },
};
const variables = { n: int, s: string, l: listOf(int), m: mapOf(string, string), d: dyn, o: object };
const bindings = {
  n: 3,
  s: 'abc',
  l: [1, 2, 3],
  m: { a: 'b' },
  d: { x: [1, 'two', 3.5, null], y: { z: true } },
  o: { count: 1, name: 'x', tags: ['t'], next: { count: 2 } },
};
const environment = kubernetesEnvironment(variables);

/** A small generator with a seed, so that what fails once fails again. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const leaves = [
  'n',
  's',
  'l',
  'm',
  'd',
  'o',
  '1',
  '-5',
  '2u',
  '1.5',
  '"a"',
  'b"x"',
  'true',
  'null',
  '[]',
  '{}',
  '[1]',
  "'1h'",
];
const operators = ['+', '-', '*', '/', '%', '==', '!=', '<', '>=', '&&', '||', 'in'];
const methods = [
  'size()',
  'contains("a")',
  'startsWith("a")',
  'matches("[a-z]+")',
  'sum()',
  'isSorted()',
  'count',
  'name',
  'x',
  '?x',
];
const macros = [
  'all(v, E)',
  'exists(v, E)',
  'map(v, E)',
  'filter(v, E)',
  'exists_one(v, E)',
  'transformMap(k, v, E)',
  'transformList(k, v, E)',
];
const functions = [
  'string',
  'int',
  'double',
  'uint',
  'size',
  'type',
  'dyn',
  'bytes',
  'duration',
  'quantity',
  'optional.of',
];

function expression(pick: (below: number) => number, depth: number, names: readonly string[] = []): string {
  const choose = (options: readonly string[]): string => options[pick(options.length)] ?? '1';
  if (depth === 0) return choose([...leaves, ...names, ...names]);
  const inner = (extra: readonly string[] = []): string => expression(pick, depth - 1, [...names, ...extra]);
  switch (pick(8)) {
    case 0:
    case 1:
      return `(${inner()} ${choose(operators)} ${inner()})`;
    case 2:
      return `(${inner()} ? ${inner()} : ${inner()})`;
    case 3:
      return `${inner()}.${choose(methods)}`;
    case 4:
      return `${inner()}.${choose(macros).replace('E', inner(['v']))}`;
    case 5:
      return `${choose(functions)}(${inner()})`;
    case 6:
      return `${inner()}[${inner()}]`;
    default:
      return choose([`[${inner()}, ${inner()}]`, `{"k": ${inner()}}`, `!${inner()}`, `has(${inner()}.x)`]);
  }
}

/** Whether a value is of a type, also in what it holds. */
function holds(type: Type, value: Value): boolean {
  if (type.kind === 'dyn') return true;
  if (value === null) return ['null', 'opaque', 'object', 'duration', 'timestamp'].includes(type.kind);
  if (!matches(type, value)) return false;
  if (type.kind === 'list' && value instanceof List) return [...value].every((item) => holds(type.element, item));
  if (type.kind === 'map' && isMap(value))
    return value.keys().every((key) => holds(type.value, value.get(key) ?? null));
  if (value instanceof Optional && type.kind === 'opaque') {
    return value.value === undefined || holds(type.params[0] ?? dyn, value.value);
  }
  return true;
}

test('a random expression never throws, and its value is of the type that was promised', () => {
  const pick = generator(20_261_122);
  const wrong: string[] = [];
  let values = 0;
  for (let round = 0; round < 6000; round++) {
    const source = expression(pick, 1 + pick(4));
    const made = compile(source, environment);
    if ('issues' in made) continue;
    const outcome = made.compiled.evaluate(bindings, { remaining: 100_000 });
    if (outcome.kind !== 'value') continue;
    values++;
    if (!holds(made.compiled.outputType, outcome.result))
      wrong.push(`${source}: ${formatType(made.compiled.outputType)}`);
    const { cost } = made.compiled;
    if (cost !== undefined && outcome.cost < 0) wrong.push(`${source}: cost ${outcome.cost}`);
  }
  expect(wrong).toEqual([]);
  expect(values).toBeGreaterThan(200);
});

test('random text never throws', () => {
  const pick = generator(7);
  const parts = [
    ...leaves,
    ...operators,
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '.',
    '?',
    ':',
    ',',
    '"',
    "'",
    '\\',
    '\n',
    '😀',
    '`',
    '@',
    'r"',
    '0x',
    '1e',
  ];
  for (let round = 0; round < 3000; round++) {
    const source = Array.from({ length: 1 + pick(12) }, () => parts[pick(parts.length)] ?? '').join(
      pick(2) === 0 ? '' : ' ',
    );
    expect(() => compile(source, environment)).not.toThrow();
  }
});
