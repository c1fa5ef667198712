import { expect, test } from 'vitest';
import { compile } from '../../src/cel/compile.ts';
import { escapeName, unescapeName } from '../../src/cel/escape.ts';
import { kubernetesEnvironment } from '../../src/cel/kubernetes.ts';
import { dyn, int, type ObjectType } from '../../src/cel/types.ts';
import { Failure, Lazy } from '../../src/cel/values.ts';
import { evaluated, shown } from './support/evaluate.ts';

const variables: ObjectType = {
  kind: 'object',
  name: 'variables',
  field: (name) => (['a', 'broken'].includes(name) ? { type: int, key: name } : undefined),
};

test('a lazy field is worked out once, when it is first asked for', () => {
  const asked: string[] = [];
  const lazy = new Lazy(variables, (name) => {
    asked.push(name);
    return name === 'a' ? 2 : new Failure('it broke');
  });
  const run = (source: string): string => {
    const made = compile(source, kubernetesEnvironment({ variables }));
    if ('issues' in made) throw new Error(made.issues[0]?.message);
    return shown(made.compiled.evaluate({ variables: lazy }, { remaining: 1000 }));
  };
  expect(run('true || variables.a > 1')).toBe('true');
  expect(asked).toEqual([]);
  expect(run('variables.a + variables.a')).toBe('int 4');
  expect(run('variables.broken > 1')).toBe('error: it broke');
  expect(run('variables.broken > 1 || variables.a == 2')).toBe('true');
  expect(asked).toEqual(['a', 'broken']);
});

test.for<[unknown, string]>([
  [5, 'int 5'],
  [-0, 'int 0'],
  [1.5, 'double 1.5'],
  [1e300, 'double 1e+300'],
  [[1, 'a', null], '[int 1, "a", null]'],
  [{ a: undefined, b: [true] }, '{"b": [true]}'],
])('JSON %j is read as %s', ([json, value]) => {
  expect(evaluated('d', { d: dyn }, { d: json })).toBe(value);
});

test('integers keep every digit of 64 bits, and fail beyond', () => {
  expect(evaluated('d + 1', { d: int }, { d: 9007199254740991 })).toBe('int 9007199254740992');
  expect(evaluated('(d + 1) * 1023', { d: int }, { d: 9007199254740991 })).toBe('int 9214364837600034816');
  expect(evaluated('(d + 1) * 1024', { d: int }, { d: 9007199254740991 })).toBe('error: integer overflow');
  expect(evaluated('-9223372036854775808 / -1')).toBe('error: integer overflow');
  expect(evaluated('-7 / 2 * 10 + -7 % 2')).toBe('int -31');
});

test.for<[string, string]>([
  ['a', 'a'],
  ['in', '__in__'],
  ['a-b.c/d', 'a__dash__b__dot__c__slash__d'],
  ['a__b', 'a__underscores__b'],
])('%s is written %s', ([name, escaped]) => {
  expect(escapeName(name)).toBe(escaped);
  expect(unescapeName(escaped)).toBe(name);
});

test('a name that no expression can speak of has no spelling', () => {
  expect(escapeName('1a')).toBeUndefined();
  expect(escapeName('a b')).toBeUndefined();
  expect(unescapeName('__nope__')).toBeUndefined();
});
