import { describe, expect, test } from 'vitest';
import type { Labels } from '../../src/api/selector.ts';
import { formatSelector, isLabelKey, matchesLabels, parseLabelSelector, selectorOf } from '../../src/api/selector.ts';

const labels: Labels = { app: 'web', tier: 'front', 'example.com/n': '5' };

describe('a selector as text', () => {
  test.for<[string, boolean]>([
    ['', true],
    ['app=web', true],
    ['app==web', true],
    [' app = web ', true],
    ['app=web,tier=back', false],
    ['app!=web', false],
    ['none!=web', true],
    ['app in (web, api)', true],
    ['app in (api)', false],
    ['app notin (api,db)', true],
    ['none notin (x)', true],
    ['app', true],
    ['none', false],
    ['!none', true],
    ['!app', false],
    ['example.com/n>4', true],
    ['example.com/n<5', false],
    ['app>4', false],
    ['none=', false],
    ['constructor', false],
    ['app,!none,tier in (front)', true],
  ])('%s → %s', ([text, selected]) => {
    expect(matchesLabels(parseLabelSelector(text), labels)).toBe(selected);
  });

  test.for<[string, string]>([
    ['app in', "found '', expected: '('"],
    ['app in (a', "found '', expected: ',' or ')'"],
    ['app=a b', "found 'b', expected: ',' or 'end of string'"],
    ['app foo', "found 'foo', expected: in, notin, =, ==, !=, gt, lt"],
    ['app,', "expected: identifier after ','"],
    ['=a', "found '=', expected: !, identifier, or 'end of string'"],
    ['-app=a', 'Invalid value: "-app"'],
    ['app=-a', 'values[0][app]: Invalid value: "-a"'],
    ['app>x', 'the value must be an integer'],
  ])('%s is refused', ([text, why]) => {
    expect(() => parseLabelSelector(text)).toThrow(why);
  });

  test('is printed with its keys in order, and reads back the same', () => {
    const text = formatSelector(parseLabelSelector('tier in (b,a),app=web,!old,new,x!=1'));
    expect(text).toBe('app=web,new,!old,tier in (a,b),x!=1');
    expect(formatSelector(parseLabelSelector(text))).toBe(text);
  });
});

describe('a selector as an object', () => {
  test('absent selects nothing, empty selects everything', () => {
    expect(matchesLabels(selectorOf(undefined), labels)).toBe(false);
    expect(matchesLabels(selectorOf({}), labels)).toBe(true);
  });

  test('matchLabels and matchExpressions must all hold', () => {
    const selector = {
      matchLabels: { app: 'web' },
      matchExpressions: [{ key: 'tier', operator: 'In', values: ['front'] }],
    };
    expect(matchesLabels(selectorOf(selector), labels)).toBe(true);
    expect(matchesLabels(selectorOf(selector), { app: 'web' })).toBe(false);
  });

  test('an operator that nobody knows selects nothing', () => {
    expect(selectorOf({ matchExpressions: [{ key: 'a', operator: 'Near' }] })).toBe('nothing');
  });
});

test('a label key may have a DNS prefix', () => {
  expect(['a', 'a.b/c', 'A_b'].every(isLabelKey)).toBe(true);
  expect(['', '/a', 'A.b/c', 'a/b/c', `a/${'x'.repeat(64)}`].some(isLabelKey)).toBe(false);
});
