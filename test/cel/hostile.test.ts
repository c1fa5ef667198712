import { describe, expect, test } from 'vitest';
import { compile, type Outcome } from '../../src/cel/compile.ts';
import { kubernetesEnvironment } from '../../src/cel/kubernetes.ts';
import { dyn, listOf, string } from '../../src/cel/types.ts';
import { shown } from './support/evaluate.ts';

const environment = kubernetesEnvironment({ any: dyn, text: string, texts: listOf(string) });
const many = Array.from({ length: 1000 }, (_, index) => `item-${index}`);

function issuesOf(source: string): string {
  const made = compile(source, environment);
  return 'issues' in made ? (made.issues[0]?.message ?? '') : 'compiled';
}

function run(source: string, bindings: Readonly<Record<string, unknown>> = {}): Outcome {
  const made = compile(source, environment);
  if ('issues' in made) throw new Error(made.issues[0]?.message);
  return made.compiled.evaluate(bindings, { remaining: 10_000_000 });
}

/** Each takes at most a second or two of an idle processor; the timeout is for machines that are busy. */
describe('a hostile expression is refused, or stopped by its cost', { timeout: 20_000 }, () => {
  test.for<[string, string, string]>([
    [
      '100 000 nested parentheses',
      '('.repeat(49_999) + '1' + ')'.repeat(49_999),
      'expression recursion limit exceeded: 250',
    ],
    ['100 000 opening brackets', '['.repeat(99_999), 'expression recursion limit exceeded: 250'],
    [
      'more than 100 000 characters',
      ' '.repeat(100_001),
      'expression code point size exceeds limit: size: 100001, limit 100000',
    ],
    ['a chain of 25 000 sums', `1${'+1'.repeat(25_000)}`, 'expression recursion limit exceeded: 1000'],
    ['a chain of 30 000 selections', `any${'.a'.repeat(30_000)}`, 'expression recursion limit exceeded: 1000'],
    ['30 000 minus signs', `${'-'.repeat(30_001)}any`, 'compiled'],
    ['10 000 terms of one operator', Array.from({ length: 10_000 }, () => 'any').join('||'), 'compiled'],
    ['a broken string of 100 000 characters', `"${'\\x41'.repeat(20_000)}`, ''],
  ])('%s', ([, source, message]) => {
    expect(issuesOf(source)).toContain(message);
  });

  test.for<[string, string]>([
    ['a chain of sums', `1${'+1'.repeat(990)}`],
    ['a chain of selections', `has(any.a) || any${'.a'.repeat(990)} == 1`],
    ['nested lists', `${'['.repeat(240)}1${']'.repeat(240)}.size()`],
    ['nested loops', `${'[1].map(x, '.repeat(200)}1${')'.repeat(200)}`],
    ['nested choices', `${'false ? 1 : '.repeat(200)}1`],
    ['nested conditions', `${'(true && '.repeat(240)}true${')'.repeat(240)}`],
  ])('%s as deep as allowed is compiled and evaluated', ([, source]) => {
    const made = compile(source, environment);
    expect('issues' in made ? made.issues[0]?.message : 'compiled').toMatch(/^(compiled|expression recursion)/);
    const outcome = 'issues' in made ? undefined : made.compiled.evaluate({ any: {} }, { remaining: 1_000_000 });
    expect(['value', 'failure', undefined]).toContain(outcome?.kind);
  });

  test('a type that doubles with every link of a chain stays small', () => {
    const links = Array.from({ length: 60 }, (_, index) => `.map(x${index}, {x${index}: x${index}})`).join('');
    expect(['compiled', 'found no matching overload']).toContain(issuesOf(`[1]${links}`));
  });

  test('loops in loops are stopped', () => {
    const nested = 'texts.all(a, texts.all(b, texts.all(c, texts.all(d, a + b + c + d != ""))))';
    expect(shown(run(nested, { texts: many }))).toContain('cost limit exceeded');
  });

  test('text that doubles with every link of a chain is stopped', () => {
    const links = Array.from({ length: 60 }, (_, index) => `.optMap(x${index}, x${index} + x${index})`).join('');
    expect(shown(run(`optional.of(text)${links}`, { text: 'aaaaaaaaaa' }))).toContain('cost limit exceeded');
  });

  test('a list that doubles with every link of a chain is stopped', () => {
    const links = Array.from({ length: 60 }, (_, index) => `.optMap(x${index}, x${index} + x${index})`).join('');
    expect(shown(run(`optional.of(texts)${links}.value().size()`, { texts: many }))).toContain('cost limit exceeded');
  });

  test('text that grows by replacing is stopped', () => {
    const links = Array.from({ length: 30 }, (_, index) => `.optMap(x${index}, x${index}.replace("", x${index}))`).join(
      '',
    );
    expect(shown(run(`optional.of(text)${links}`, { text: 'aaaaaaaaaa' }))).toContain('cost limit exceeded');
  });

  test('a pattern with nested repetition takes linear time', () => {
    expect(shown(run("text.matches('^(a+)+$')", { text: `${'a'.repeat(100_000)}b` }))).toBe('false');
    expect(shown(run("text.matches('(x+x+)+y')", { text: 'x'.repeat(100_000) }))).toBe('false');
  });

  test('a pattern that stands for too many states is refused', () => {
    expect(shown(run("text.matches(dyn('(((a{30}){30}){30}){30}'))", { text: 'a' }))).toContain('error parsing regexp');
    expect(
      shown(
        run("text.matches(dyn('a{1000}b{1000}c{1000}d{1000}e{1000}f{1000}g{1000}h{1000}i{1000}j{1000}k{1000}'))", {
          text: 'a',
        }),
      ),
    ).toContain('expression too large');
  });

  test('many heavy patterns are stopped by what they cost', () => {
    expect(
      shown(run("texts.all(t, !text.matches(t + '(x?){900}(y?){900}'))", { text: 'x'.repeat(2000), texts: many })),
    ).toContain('cost limit exceeded');
  });

  test.for<[string, string, Readonly<Record<string, unknown>>]>([
    [
      'values that take long to compare',
      'any[0] == any[1]',
      { any: Array.from({ length: 2 }, () => [Array.from({ length: 50_000 }, (_, index) => `some text ${index}`)]) },
    ],
    ['text that takes long to count', 'text.size() > 0', { text: '😀'.repeat(200_000) }],
    ['text that takes long to walk through', 'text.charAt(150000) != ""', { text: '😀'.repeat(200_000) }],
    [
      'a map that takes long to count',
      'any.size() > 0',
      { any: Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, index])) },
    ],
    ['zones that take long to look up', "timestamp(0).getHours('Europe/Berlin') == 1", {}],
  ])('%s cost what they take', ([, condition, bindings]) => {
    const source = `texts.all(a, texts.all(b, ${condition}))`;
    expect(shown(run(source, { texts: many, ...bindings }))).toContain('cost limit exceeded');
  });

  test('names like __proto__ are only names', () => {
    expect(shown(run('any.__proto__ == 1', { any: JSON.parse('{"__proto__": 1}') }))).toBe('true');
    expect(shown(run('has(any.constructor) || has(any.toString)', { any: {} }))).toBe('false');
  });

  test('widths in formats are bounded', () => {
    expect(shown(run("'%.999999999f'.format([1.0])"))).toContain('out of range');
  });
});
