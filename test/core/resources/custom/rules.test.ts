import { describe, expect, test } from 'vitest';
import { parseStructural } from '../../../../src/api/schema/custom/structural.ts';
import { ruleCauses } from '../../../../src/core/resources/custom/rule-causes.ts';
import { ruleFaults } from '../../../../src/core/resources/custom/rule-faults.ts';

type Rules = readonly Readonly<Record<string, unknown>>[];

/** A kind with a spec of these properties, and rules on the spec. */
function schemaOf(properties: object, rules: Rules = [], rootRules: Rules = []) {
  return parseStructural({
    type: 'object',
    properties: { spec: { type: 'object', properties, 'x-kubernetes-validations': rules } },
    'x-kubernetes-validations': rootRules,
  });
}

const texts = (causes: readonly { field: string; message: string }[]): string[] =>
  causes.map((cause) => `${cause.field}: ${cause.message}`);
const int = { type: 'integer' };
const text = (maxLength: number) => ({ type: 'string', maxLength });

describe('the faults of declared rules', () => {
  const faults = (properties: object, ...rules: Rules): string[] =>
    texts(ruleFaults(schemaOf(properties, rules), 'schema'));
  const at = 'schema.properties[spec].x-kubernetes-validations[0]';

  test('a sound rule has none', () => {
    expect(faults({ a: int, b: int }, { rule: 'self.a <= self.b', message: 'a first' })).toEqual([]);
  });

  test('a rule that does not compile is told with its place', () => {
    expect(faults({ a: int }, { rule: 'self.nope > 1' })).toEqual([
      `${at}.rule: Invalid value: {"rule":"self.nope > 1"}: compilation failed: ERROR: <input>:1:5: undefined field 'nope'\n | self.nope > 1\n | ....^`,
    ]);
  });

  test.for<[string, Readonly<Record<string, unknown>>, string]>([
    ['a rule has to be a condition', { rule: 'self.a' }, 'cel expression must evaluate to a bool'],
    ['a rule has to be there', { rule: ' ' }, `${at}.rule: Required value: rule is not specified`],
    ['a message is text', { rule: 'true', messageExpression: '1' }, 'messageExpression must evaluate to a string'],
    ['a rule of two lines needs a message', { rule: 'true &&\ntrue' }, `${at}.message: Required value`],
    ['a message has one line', { rule: 'true', message: 'a\nb' }, 'message must not contain line breaks'],
    ['a reason is one of four', { rule: 'true', reason: 'Nope' }, `${at}.reason: Unsupported value: "Nope"`],
    ['a field path leads to a field', { rule: 'true', fieldPath: '.nope' }, 'does not refer to a valid field'],
    [
      'an optional oldSelf has to be used',
      { rule: 'true', optionalOldSelf: true },
      'must not be set to true if rule does not use oldSelf',
    ],
  ])('%s', ([, rule, message]) => {
    expect(faults({ a: int }, rule).join('\n')).toContain(message);
  });

  test('a rule that could cost too much is refused, and bounds make it cheap enough', () => {
    const rule = { rule: 'self.items.all(x, self.items.exists(y, x == y))' };
    const unbounded = { items: { type: 'array', items: { type: 'string' } } };
    expect(faults(unbounded, rule)[0]).toContain(
      `${at}.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`,
    );
    expect(faults({ items: { type: 'array', maxItems: 50, items: text(20) } }, rule)).toEqual([]);
  });

  test('a rule inside a list counts once for each item', () => {
    const item = { ...text(50_000), 'x-kubernetes-validations': [{ rule: "self.matches('^[a-z]+$')" }] };
    expect(faults({ items: { type: 'array', maxItems: 10, items: item } })).toEqual([]);
    expect(faults({ items: { type: 'array', maxItems: 1000, items: item } })[0]).toContain(
      'estimated rule cost exceeds budget',
    );
  });

  test('what changed cannot be asked inside a list whose items nobody can tell apart', () => {
    const item = { ...text(10), 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] };
    expect(faults({ items: { type: 'array', maxItems: 10, items: item } })[0]).toContain(
      'oldSelf cannot be used on the uncorrelatable portion of the schema within schema.properties[spec].properties[items]',
    );
  });
});

describe('what rules say about a value', () => {
  const causes = (properties: object, rules: Rules, spec: unknown, old?: unknown): string[] =>
    texts(ruleCauses(schemaOf(properties, rules), { spec }, old === undefined ? undefined : { spec: old }));

  test.for<[string, object, Readonly<Record<string, unknown>>, unknown, unknown, readonly string[]]>([
    ['a rule that holds says nothing', { a: int }, { rule: 'self.a > 1' }, { a: 2 }, undefined, []],
    [
      'a rule that does not hold refuses, with itself as the message',
      { a: int },
      { rule: 'self.a > 1' },
      { a: 1 },
      undefined,
      ['spec: Invalid value: "object": failed rule: self.a > 1'],
    ],
    [
      'a message takes its place',
      { a: int },
      { rule: 'self.a > 1', message: 'more, please' },
      { a: 1 },
      undefined,
      ['spec: Invalid value: "object": more, please'],
    ],
    [
      'a message may be computed',
      { a: int },
      { rule: 'self.a > 1', message: 'static', messageExpression: "'a is ' + string(self.a)" },
      { a: 1 },
      undefined,
      ['spec: Invalid value: "object": a is 1'],
    ],
    [
      'a computed message that fails gives way to the written one',
      { a: int },
      { rule: 'self.a > 1', message: 'static', messageExpression: 'string(1 / (self.a - 1))' },
      { a: 1 },
      undefined,
      ['spec: Invalid value: "object": static'],
    ],
    [
      'reason and fieldPath say how and where',
      { a: int },
      { rule: 'has(self.a)', reason: 'FieldValueRequired', fieldPath: '.a', message: 'needed' },
      {},
      undefined,
      ['spec.a: Required value: needed'],
    ],
    [
      'a failure to evaluate refuses',
      { a: int },
      { rule: 'self.a > 1' },
      {},
      undefined,
      ['spec: Invalid value: "object": no such key: a evaluating rule: self.a > 1'],
    ],
    [
      'a transition rule is not judged on creation',
      { a: int },
      { rule: 'self.a >= oldSelf.a' },
      { a: 1 },
      undefined,
      [],
    ],
    [
      'a transition rule is judged on update',
      { a: int },
      { rule: 'self.a >= oldSelf.a', message: 'grows' },
      { a: 1 },
      { a: 2 },
      ['spec: Invalid value: "object": grows'],
    ],
    [
      'an optional oldSelf is judged on creation too',
      { a: int },
      { rule: 'oldSelf.hasValue() || self.a == 1', optionalOldSelf: true, message: 'starts at 1' },
      { a: 2 },
      undefined,
      ['spec: Invalid value: "object": starts at 1'],
    ],
    ['what is unchanged may stay, valid or not', { a: int }, { rule: 'self.a > 1' }, { a: 1 }, { a: 1 }, []],
    ['numbers of JSON are ints', { a: int }, { rule: 'self.a / 2 == 2' }, { a: 5 }, undefined, []],
    [
      'text in a format is what the format says',
      { at: { type: 'string', format: 'date-time' }, for: { type: 'string', format: 'duration' } },
      { rule: "self.at + self.__for__ == timestamp('2024-01-01T01:00:00Z')" },
      { at: '2024-01-01T00:00:00Z', for: '1h' },
      undefined,
      [],
    ],
    [
      'sets are equal in any order',
      { s: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } } },
      { rule: "self.s == ['b', 'a'] && (self.s + ['a', 'c']).size() == 3" },
      { s: ['a', 'b'] },
      undefined,
      [],
    ],
    [
      'names that are no identifiers are escaped',
      { 'a-b': int, namespace: int, 'x.y/z': int },
      { rule: 'self.a__dash__b + self.__namespace__ + self.x__dot__y__slash__z == 6' },
      { 'a-b': 1, namespace: 2, 'x.y/z': 3 },
      undefined,
      [],
    ],
    [
      'a number or text is what it is',
      { port: { 'x-kubernetes-int-or-string': true } },
      { rule: "type(self.port) == int ? self.port > 0 : self.port.matches('^[0-9]+%$')" },
      { port: '5%' },
      undefined,
      [],
    ],
  ])('%s', ([, properties, rule, spec, old, expected]) => {
    expect(causes(properties, [rule], spec, old)).toEqual(expected);
  });

  test('items of a map-like list are compared with what they were', () => {
    const item = {
      type: 'object',
      properties: { name: text(10), size: int },
      'x-kubernetes-validations': [{ rule: 'self.size >= oldSelf.size', message: 'may not shrink' }],
    };
    const items = {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: item,
    };
    const old = {
      items: [
        { name: 'a', size: 2 },
        { name: 'b', size: 2 },
      ],
    };
    const next = {
      items: [
        { name: 'b', size: 1 },
        { name: 'c', size: 1 },
        { name: 'a', size: 3 },
      ],
    };
    expect(causes({ items }, [], next, old)).toEqual(['spec.items[0]: Invalid value: "object": may not shrink']);
  });

  test('rules on the root see the name', () => {
    const schema = schemaOf({}, [], [{ rule: "self.metadata.name.startsWith('x')", message: 'starts with x' }]);
    expect(texts(ruleCauses(schema, { metadata: { name: 'a' } }, undefined))).toEqual([
      '<nil>: Invalid value: "object": starts with x',
    ]);
  });

  test('rules that run for too long together are stopped, and the object is refused', () => {
    const rule = { rule: 'self.a.all(x, self.a.all(y, x + y != 0))' };
    const found = causes(
      { a: { type: 'array', items: int } },
      Array.from({ length: 20 }, () => rule),
      {
        a: Array.from({ length: 1000 }, (_, index) => index + 1),
      },
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('no further validation rules will be run');
  });
});
