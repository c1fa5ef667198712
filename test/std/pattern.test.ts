import { describe, expect, test } from 'vitest';
import { compilePattern, findsPattern, isPatternKept } from '../../src/std/pattern.ts';

const finds = (pattern: string, text: string): boolean | string => {
  const made = compilePattern(pattern);
  return made.kind === 'refused' ? made.why : findsPattern(made.regex, text);
};

describe('a pattern', () => {
  test.for<[string, string, boolean]>([
    ['^a+$', 'aaa', true],
    ['^a+$', 'aab', false],
    ['b', 'abc', true],
    ['^[][(){}]{2}$', '[{', true],
    ['^\\Q[\\E(x)$', '[x', true],
  ])('%s on %s: %s', ([pattern, text, found]) => {
    expect(finds(pattern, text)).toBe(found);
  });

  test('that repeats a class of many characters is as large as one that repeats a character', () => {
    expect(finds('^(?:[abcdefghijklmnopqrstuvwxyz0123456789]?){1000}$', 'a1')).toBe(true);
  });

  test.for<[string, string, string]>([
    ['longer than is read', 'a'.repeat(10_001), 'it is longer than 10000 characters'],
    ['larger than is compiled', 'a{1000}'.repeat(11), 'error parsing regexp: expression too large'],
    [
      'larger than is kept',
      `${'a?'.repeat(3_000)}${'b{1000}'.repeat(4)}`,
      'error parsing regexp: expression too large',
    ],
    ['with what RE2 does not have', '(?=a)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
  ])('%s is refused, and says why', ([, pattern, why]) => {
    expect(finds(pattern, 'a')).toBe(why);
  });

  test('is kept once compiled, until many others need its place', () => {
    const pattern = '^kept-for-a-while$';
    expect(isPatternKept(pattern)).toBe(false);
    compilePattern(pattern);
    expect(isPatternKept(pattern)).toBe(true);
    for (let other = 0; other < 10_000; other++) compilePattern(`other-${other}`);
    expect(isPatternKept(pattern)).toBe(false);
  });
});
