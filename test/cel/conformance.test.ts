import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compile, compileUnchecked } from '../../src/cel/compile.ts';
import { kubernetesEnvironment } from '../../src/cel/kubernetes.ts';
import { formatType } from '../../src/cel/types.ts';
import { readType, readValue, show, type Written } from './support/written.ts';

interface Case {
  readonly name: string;
  readonly expr: string;
  readonly container?: string;
  readonly types?: Readonly<Record<string, string>>;
  readonly bindings?: Readonly<Record<string, Written>>;
  readonly unchecked?: boolean;
  readonly checkOnly?: boolean;
  readonly value?: Written;
  readonly type?: string;
  readonly error?: boolean;
}

const { cases } = JSON.parse(readFileSync(new URL('conformance.json', import.meta.url), 'utf8')) as { cases: Case[] };
/**
 * Cases that are not expected to hold, by their names' beginnings. The fixture itself names the files left out (`notServed`) and
 * the cases that need protobuf messages (`needProtobufMessages`), which the API has none of.
 */
const excluded: readonly (readonly [string, string])[] = [
  ['string_ext/reverse/', 'strings version 3: the API turns on version 2'],
  ['network_ext/ipv4/ipv4_equals_ipv6', 'the API refuses IPv4 inside IPv6'],
  ['network_ext/ipv4/ipv4_not_equals_ipv6', 'the API refuses IPv4 inside IPv6'],
  ['fields/quoted_map_fields/', 'identifiers in backquotes: not part of the language as the API uses it'],
];
const isExcluded = ({ name }: Case): boolean => excluded.some(([prefix]) => name.startsWith(prefix));
const files = [...new Set(cases.filter((one) => !isExcluded(one)).map((one) => one.name.split('/')[0] ?? ''))];

function run(one: Case): string {
  const types = Object.entries(one.types ?? {}).map(([name, type]) => [name, readType(type)] as const);
  const environment = {
    ...kubernetesEnvironment(Object.fromEntries(types)),
    mixedLiterals: true,
    ...(one.container === undefined ? {} : { container: one.container }),
  };
  const made = (one.unchecked === true ? compileUnchecked : compile)(one.expr, environment);
  if ('issues' in made) return one.error === true ? '' : (made.issues[0]?.message ?? 'issues');
  const type = formatType(made.compiled.outputType);
  if (one.type !== undefined && one.type !== type) return `type ${type} instead of ${one.type}`;
  if (one.value === undefined && one.error !== true) return '';
  const bindings = Object.fromEntries(
    Object.entries(one.bindings ?? {}).map(([name, value]) => [name, readValue(value)]),
  );
  const outcome = made.compiled.evaluate(bindings, { remaining: 1e7 });
  if (one.error === true) return outcome.kind === 'failure' ? '' : `${outcome.kind} instead of an error`;
  if (outcome.kind !== 'value') return outcome.message;
  const expected = show(readValue(one.value ?? {}));
  return show(outcome.result) === expected ? '' : `${show(outcome.result)} instead of ${expected}`;
}

describe.each(files)('%s', (file) => {
  test('gives what the specification says', () => {
    const failed = cases
      .filter((one) => one.name.startsWith(`${file}/`) && !isExcluded(one))
      .map((one) => ({ one, problem: run(one) }))
      .filter(({ problem }) => problem !== '')
      .map(({ one, problem }) => `${one.name}: ${one.expr}: ${problem}`);
    expect(failed).toEqual([]);
  });
});

test('all of the fixture is run, apart from what is excluded by name', () => {
  expect(cases).toHaveLength(1502);
  expect(cases.filter(isExcluded)).toHaveLength(11);
  for (const [prefix] of excluded) expect(cases.some(({ name }) => name.startsWith(prefix))).toBe(true);
});
