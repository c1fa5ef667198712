import { expect, test } from 'vitest';
import { canonicalJson } from '../../src/std/json.ts';

test.for<readonly [unknown, string]>([
  [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
  [{ a: undefined, b: -0 }, '{"b":0}'],
  [[undefined, Number.NaN, 1e21, 0.1], '[null,null,1e+21,0.1]'],
  [{ '\u20ac': 1, '\r': 2, '1': 3, '\u{1f600}': 4, '\ufb33': 5 }, '{"\\r":2,"1":3,"€":1,"\u{1f600}":4,"\ufb33":5}'], // the order of RFC 8785 §3.2.3
  ['a"\\\n\u2028', JSON.stringify('a"\\\n\u2028')],
])('%j is written as %s', ([value, text]) => {
  expect(canonicalJson(value)).toBe(text);
});

test('nesting that would overflow the stack is refused by name', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  expect(() => canonicalJson(deep)).toThrow('nested deeper than 1000 levels');
});
