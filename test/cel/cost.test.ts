import { describe, expect, test } from 'vitest';
import { compile } from '../../src/cel/compile.ts';
import { kubernetesEnvironment } from '../../src/cel/kubernetes.ts';
import {
  bool,
  bytes,
  int,
  listOf,
  mapOf,
  string,
  type ListType,
  type ObjectType,
  type Type,
} from '../../src/cel/types.ts';

const text = (maxSize: number): Type => ({ kind: 'string', maxSize });
const list = (element: Type, maxSize: number): ListType => ({ kind: 'list', element, maxSize });
const map = (value: Type, maxSize: number, key: Type = string): Type => ({ kind: 'map', key, value, maxSize });
const item: ObjectType = {
  kind: 'object',
  name: 'item',
  field: (name) =>
    name === 'count' ? { type: int, key: name } : name === 'name' ? { type: text(10), key: name } : undefined,
};

function compiled(source: string, variables: Readonly<Record<string, Type>>) {
  const made = compile(source, kubernetesEnvironment(variables));
  if ('issues' in made) throw new Error(made.issues[0]?.message);
  return made.compiled;
}

/** Figures of upstream's own estimator for the same expressions. */
describe('what an expression can cost is estimated as upstream estimates it', () => {
  test.for<[string, Readonly<Record<string, Type>>, number, number]>([
    ['"Hello World!"', {}, 0, 0],
    ['input', { input: listOf(int) }, 1, 1],
    ["input['key']", { input: mapOf(string, string) }, 2, 2],
    ['input.count', { input: item }, 2, 2],
    ['has(input.count)', { input: item }, 1, 1],
    ['has(input.a.b)', { input: mapOf(string, mapOf(string, string)) }, 2, 2],
    ['[1, 2, 3]', {}, 10, 10],
    ['{"a": 1, "b": 2, "c": 3}', {}, 30, 30],
    ['input.all(x, true)', { input: list(item, 100) }, 2, 302],
    ['input.all(x, x.all(y, true))', { input: list(list(item, 10), 50) }, 2, 1752],
    ['[1, 2, 3].all(x, true)', {}, 20, 20],
    ["input.matches('[0-9]')", { input: text(500) }, 3, 103],
    ["'123'.matches('[0-9]')", {}, 2, 2],
    ['true || false', {}, 0, 0],
    ['a || b || c || d', { a: bool, b: bool, c: bool, d: bool }, 1, 4],
    ['1 == 2', {}, 1, 1],
    ['2 in [1, 2, 3]', {}, 13, 13],
    ['1 + 1', {}, 1, 1],
    ['true ? 1 : 2', {}, 0, 0],
    ['size("123")', {}, 1, 1],
    ['string(input)', { input: { kind: 'bytes', maxSize: 500 } }, 1, 51],
    ['string(input) == string(input)', { input: { kind: 'bytes', maxSize: 500 } }, 3, 152],
    ['bytes(input) == bytes(input)', { input: text(500) }, 3, 302],
    ['input.contains(arg)', { input: text(500), arg: text(500) }, 2, 2502],
    ['input.startsWith(arg)', { input: string, arg: text(500) }, 2, 52],
    ['input.size()', { input: string }, 2, 2],
    ['(x > 2 ? a : b).all(y, true)', { x: int, a: list(item, 1), b: list(item, 1) }, 4, 7],
    ['input.all(k, input[k].count > 3)', { input: map(item, 10) }, 2, 82],
    ['input.all(k, input[k].all(x, true))', { input: map(map(string, 10), 5) }, 2, 187],
    ['input.all(k, k.contains(k))', { input: map(string, 5, text(10)) }, 2, 32],
    ['input.all(k, input[k].all(k, true) && k.contains(k))', { input: map(map(string, 2), 2, text(5)) }, 2, 34],
    ['(a + b).all(x, true)', { a: list(int, 10), b: list(int, 10) }, 4, 64],
    ['"abcdefg".contains(a + b)', { a: text(10), b: text(10) }, 2, 6],
    ["'at ' + string(n)", { n: int }, 3, 5],
    ['a.size() == b.size()', { a: listOf(int), b: listOf(int) }, 5, 5],
  ])('%s', ([source, variables, min, max]) => {
    expect(compiled(source, variables).cost).toEqual({ min, max });
  });

  test('data without a bound makes a loop in a loop cost more than any limit', () => {
    const { cost } = compiled('a.all(x, a.all(y, x == y))', { a: list(text(3_000_000), 1_000_000) });
    expect(cost?.max).toBeGreaterThan(10_000_000);
  });
});

/**
 * Figures of upstream's own evaluator for the same expressions and values, but that literals cost nothing where they are
 * constant, and that upstream does not count names that are chosen by a condition or that index (marked: one more here).
 */
describe('what an evaluation costs is counted as upstream counts it', () => {
  const long = 'x'.repeat(500);
  test.for<[string, Readonly<Record<string, Type>>, Readonly<Record<string, unknown>>, number]>([
    ["input['key']", { input: mapOf(string, string) }, { input: { key: 'v' } }, 2],
    ['input[3 - 3]', { input: listOf(string) }, { input: ['v'] }, 3],
    ['has(input.a.b)', { input: mapOf(string, mapOf(string, string)) }, { input: { a: { b: '' } } }, 2],
    ["input.matches('[0-9]')", { input: string }, { input: long }, 103],
    ['a || b || c || d', { a: bool, b: bool, c: bool, d: bool }, { a: false, b: false, c: false, d: true }, 4],
    ["'12345678901234567890' == '123456789012345678901234567890'", {}, {}, 2],
    ['bytes(input)', { input: string }, { input: long }, 51],
    ['input.contains(arg)', { input: string, arg: string }, { input: long, arg: long }, 2502],
    ['input.startsWith(arg)', { input: string, arg: string }, { input: 'idc', arg: long }, 3],
    ['(x > 2 ? a : b).all(y, true)', { x: int, a: listOf(int), b: listOf(int) }, { x: 1, a: [1], b: [1] }, 6 + 1],
    ['input.all(k, input[k].count > 3)', { input: mapOf(string, item) }, { input: { val: { count: 4 } } }, 9 + 1],
    ['"abcdefg".contains(a + b)', { a: string, b: string }, { a: 'val1', b: 'val2222222' }, 6],
    ['(1 > 2 ? 5 : 3) > 1', {}, {}, 2],
    ['(1 > 2 || 2 > 1) == true', {}, {}, 3],
    ["[{'k1': x}, {'k2': 2}].all(x, true)", { x: int }, { x: 1 }, 78],
  ])('%s', ([source, variables, bindings, cost]) => {
    expect(compiled(source, variables).evaluate(bindings, { remaining: 1_000_000 })).toMatchObject({
      kind: 'value',
      cost,
    });
  });

  test('an evaluation takes what it cost from the budget, and no more than is there', () => {
    const budget = { remaining: 10 };
    const sum = compiled('1 + 2 + 3', {});
    sum.evaluate({}, budget);
    expect(budget.remaining).toBe(8);
    const loop = compiled('a.all(x, x > 0)', { a: listOf(int) });
    const outcome = loop.evaluate({ a: [1, 2, 3, 4] }, budget);
    expect(outcome.kind).toBe('exceeded');
    expect(budget.remaining).toBeLessThanOrEqual(0);
  });

  test('a variable that may be a number or text is charged by what it is', () => {
    expect(compiled('a == a', { a: bytes }).evaluate({ a: 'AAAA' }, { remaining: 100 })).toMatchObject({ cost: 3 });
  });
});
