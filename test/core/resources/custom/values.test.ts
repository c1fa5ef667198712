import { describe, expect, test } from 'vitest';
import { withStructuralDefaults } from '../../../../src/api/schema/custom/default.ts';
import { prune } from '../../../../src/api/schema/custom/prune.ts';
import { parseStructural } from '../../../../src/api/schema/custom/structural.ts';
import { listCauses } from '../../../../src/core/resources/custom/lists.ts';
import { valueCauses } from '../../../../src/core/resources/custom/values.ts';

const wrap = (a: object): ReturnType<typeof parseStructural> => parseStructural({ type: 'object', properties: { a } });
const said = (a: object, value: unknown, old?: { readonly a: unknown }): readonly string[] =>
  valueCauses(wrap(a), { a: value }, old).map(({ field, message }) => `${field}: ${message}`);

describe('a value', () => {
  test.for<{ readonly schema: object; readonly value: unknown; readonly says: readonly string[] }>([
    { schema: { type: 'integer' }, value: 1, says: [] },
    {
      schema: { type: 'integer' },
      value: 1.5,
      says: ['a: Invalid value: "number": a in body must be of type integer: "number"'],
    },
    { schema: { type: 'number' }, value: 1, says: [] },
    {
      schema: { type: 'boolean' },
      value: 'true',
      says: ['a: Invalid value: "string": a in body must be of type boolean: "string"'],
    },
    {
      schema: { type: 'string' },
      value: null,
      says: ['a: Invalid value: "null": a in body must be of type string: "null"'],
    },
    { schema: { type: 'string', nullable: true }, value: null, says: [] },
    {
      schema: { type: 'object' },
      value: [],
      says: ['a: Invalid value: "array": a in body must be of type object: "array"'],
    },
    { schema: { 'x-kubernetes-int-or-string': true }, value: '80%', says: [] },
    {
      schema: { 'x-kubernetes-int-or-string': true },
      value: true,
      says: ['a: Invalid value: "boolean": a in body must be of type integer,string: "boolean"'],
    },
    {
      schema: { type: 'integer', maximum: 10 },
      value: 11,
      says: ['a: Invalid value: 11: a in body should be less than or equal to 10'],
    },
    {
      schema: { type: 'integer', maximum: 2_000_000 },
      value: 3_000_000,
      says: ['a: Invalid value: 3000000: a in body should be less than or equal to 2e+06'],
    },
    {
      schema: { type: 'integer', minimum: 1, exclusiveMinimum: true },
      value: 1,
      says: ['a: Invalid value: 1: a in body should be greater than 1'],
    },
    { schema: { type: 'number', multipleOf: 0.1 }, value: 0.3, says: [] },
    {
      schema: { type: 'integer', multipleOf: 2 },
      value: 3,
      says: ['a: Invalid value: 3: a in body should be a multiple of 2'],
    },
    { schema: { type: 'string', maxLength: 2 }, value: 'abc', says: ['a: Too long: may not be more than 2 bytes'] },
    { schema: { type: 'string', maxLength: 2 }, value: '👍👍', says: [] },
    {
      schema: { type: 'string', minLength: 2 },
      value: 'a',
      says: ['a: Invalid value: "a": a in body should be at least 2 chars long'],
    },
    {
      schema: { type: 'string', pattern: '^a+$' },
      value: 'b',
      says: [`a: Invalid value: "b": a in body should match '^a+$'`],
    },
    {
      schema: { type: 'string', format: 'date-time' },
      value: 'now',
      says: ['a: Invalid value: "now": a in body must be of type date-time: "now"'],
    },
    { schema: { type: 'string', format: 'unheard-of' }, value: 'now', says: [] },
    {
      schema: { type: 'string', enum: ['b', 'a'] },
      value: 'c',
      says: ['a: Unsupported value: "c": supported values: "b", "a"'],
    },
    {
      schema: { type: 'integer', enum: [1, 2] },
      value: 3,
      says: ['a: Unsupported value: 3: supported values: "1", "2"'],
    },
    {
      schema: { type: 'array', items: { type: 'string' }, maxItems: 1 },
      value: ['a', 'b'],
      says: ['a: Too many: 2: must have at most 1 item'],
    },
    {
      schema: { type: 'array', items: { type: 'string' }, minItems: 1 },
      value: [],
      says: ['a: Invalid value: 0: a in body should have at least 1 items'],
    },
    {
      schema: { type: 'array', items: { type: 'string' } },
      value: [1],
      says: ['a[0]: Invalid value: "integer": a[0] in body must be of type string: "integer"'],
    },
    {
      schema: { type: 'object', additionalProperties: { type: 'string' }, maxProperties: 1 },
      value: { b: 'x', c: 'y' },
      says: ['a: Too many: 2: must have at most 1 item'],
    },
    {
      schema: { type: 'object', minProperties: 1 },
      value: {},
      says: ['a: Invalid value: 0: a in body should have at least 1 properties'],
    },
    {
      schema: { type: 'object', properties: { b: { type: 'string' } }, required: ['b'] },
      value: {},
      says: ['a.b: Required value'],
    },
    {
      schema: { type: 'integer', not: { minimum: 5 } },
      value: 6,
      says: ['<nil>: Invalid value: "": "a" must not validate the schema (not)'],
    },
    {
      schema: { type: 'integer', anyOf: [{ maximum: 1 }, { minimum: 5 }] },
      value: 3,
      says: [
        '<nil>: Invalid value: "": "a" must validate at least one schema (anyOf)',
        'a: Invalid value: 3: a in body should be less than or equal to 1',
      ],
    },
    {
      schema: { type: 'integer', oneOf: [{ maximum: 3 }, { minimum: 3 }] },
      value: 3,
      says: ['<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
    },
    {
      schema: { type: 'integer', allOf: [{ maximum: 1 }, { minimum: 2 }] },
      value: 3,
      says: [
        'a: Invalid value: 3: a in body should be less than or equal to 1',
        '<nil>: Invalid value: "": "a" must validate all the schemas (allOf)',
      ],
    },
    {
      schema: { type: 'integer', format: 'int32' },
      value: 3_000_000_000,
      says: ['a: Invalid value: 3000000000: Checked value must be of type integer with format int32 in a'],
    },
  ])('$value of $schema says $says', ({ schema, value, says }) => {
    expect(said(schema, value)).toEqual(says);
  });

  test('that an update leaves as it was is not judged again, also inside of lists with keys', () => {
    const list = {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: { type: 'object', properties: { name: { type: 'string' }, size: { type: 'integer', maximum: 1 } } },
    };
    const old = { a: [{ name: 'x', size: 5 }] };
    expect(
      said(
        list,
        [
          { name: 'y', size: 1 },
          { name: 'x', size: 5 },
        ],
        old,
      ),
    ).toEqual([]);
    expect(said(list, [{ name: 'x', size: 6 }], old)).toHaveLength(1);
    expect(
      said({ ...list, 'x-kubernetes-list-type': 'atomic' }, [{ name: 'x', size: 5 }, { name: 'y' }], old),
    ).toHaveLength(1);
  });

  test('with more text than its patterns can be run on in time is refused as a whole', () => {
    const list = { type: 'array', items: { type: 'string', pattern: '^(?:[a-z]?){1000}$' } };
    const value = Array.from({ length: 1_000 }, (_, index) => `${'a'.repeat(2_000)}${index}`);
    expect(said(list, value)).toEqual([
      '<nil>: Invalid value: "": the object is too large to be checked against the schema of its kind',
    ]);
  });

  test.for(['^(a+)+$', '^(a|aa)+$', '(x+x+)+y', '^([a-zA-Z0-9]+\\s?)*$'])(
    'the pattern %s takes no longer for a hostile text',
    (pattern) => {
      expect(said({ type: 'string', pattern }, `${'a'.repeat(20_000)}!`)).toHaveLength(1);
    },
  );
});

describe('lists without doubles', () => {
  const list = (type: string, items: object, keys: readonly string[] = []): ReturnType<typeof parseStructural> =>
    wrap({ type: 'array', items, 'x-kubernetes-list-type': type, 'x-kubernetes-list-map-keys': keys });
  const items = { type: 'object', properties: { k: { type: 'string', default: 'd' }, v: { type: 'integer' } } };
  test.for<{
    readonly what: string;
    readonly schema: object;
    readonly value: readonly unknown[];
    readonly says: readonly string[];
  }>([
    {
      what: 'a set',
      schema: list('set', { type: 'string' }),
      value: ['a', 'b', 'a'],
      says: ['a[2]: Duplicate value: "a"'],
    },
    {
      what: 'a map',
      schema: list('map', items, ['k']),
      value: [
        { k: 'x', v: 1 },
        { k: 'x', v: 2 },
      ],
      says: ['a[1]: Duplicate value: {"k":"x"}'],
    },
    {
      what: 'a map whose key has a default',
      schema: list('map', items, ['k']),
      value: [{ k: 'd' }, {}],
      says: ['a[1]: Duplicate value: {}'],
    },
    { what: 'an atomic list', schema: list('atomic', { type: 'string' }), value: ['a', 'a'], says: [] },
  ])('$what', ({ schema, value, says }) => {
    const causes = listCauses(schema as ReturnType<typeof parseStructural>, { a: value });
    expect(causes.map(({ field, message }) => `${field}: ${message}`)).toEqual(says);
  });
});

describe('pruning', () => {
  const free = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  test.for<{
    readonly what: string;
    readonly schema: object;
    readonly value: unknown;
    readonly keeps: unknown;
    readonly drops: readonly string[];
  }>([
    {
      what: 'a field that is not declared',
      schema: { type: 'object', properties: { b: { type: 'string' } } },
      value: { b: 'x', c: 1 },
      keeps: { b: 'x' },
      drops: ['a.c'],
    },
    {
      what: 'what is inside of lists',
      schema: { type: 'array', items: { type: 'object' } },
      value: [{ x: 1 }],
      keeps: [{}],
      drops: ['a[0].x'],
    },
    {
      what: 'nothing of a map',
      schema: { type: 'object', additionalProperties: { type: 'string' } },
      value: { x: 'y' },
      keeps: { x: 'y' },
      drops: [],
    },
    {
      what: 'nothing of what keeps unknown fields',
      schema: free,
      value: { x: { y: 1 } },
      keeps: { x: { y: 1 } },
      drops: [],
    },
    {
      what: 'declared parts of what keeps unknown fields',
      schema: { ...free, properties: { b: { type: 'object' } } },
      value: { b: { x: 1 }, c: 1 },
      keeps: { b: {}, c: 1 },
      drops: ['a.b.x'],
    },
    {
      what: 'no identity of an embedded object',
      schema: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } },
      value: { apiVersion: 'v1', kind: 'X', metadata: { name: 'x' }, data: 1 },
      keeps: { apiVersion: 'v1', kind: 'X', metadata: { name: 'x' } },
      drops: ['a.data'],
    },
    {
      what: 'names of the prototype',
      schema: { type: 'object', properties: {} },
      value: JSON.parse('{"__proto__":{"x":1},"constructor":1,"toString":2}'),
      keeps: {},
      drops: ['a.__proto__', 'a.constructor', 'a.toString'],
    },
  ])('drops $what', ({ schema, value, keeps, drops }) => {
    const pruned = prune(wrap(schema), { a: value });
    expect(pruned).toEqual({ object: { a: keeps }, unknown: drops });
  });

  test('shares what it does not change', () => {
    const value = { a: { b: { c: 1 } } };
    expect(prune(wrap(free), value).object).toBe(value);
  });
});

describe('defaulting', () => {
  test.for<{ readonly what: string; readonly schema: object; readonly value: object; readonly gives: object }>([
    { what: 'a missing value', schema: { type: 'integer', default: 1 }, value: {}, gives: { a: 1 } },
    { what: 'nothing that is there', schema: { type: 'integer', default: 1 }, value: { a: 0 }, gives: { a: 0 } },
    {
      what: 'defaults inside of a default',
      schema: { type: 'object', default: {}, properties: { b: { type: 'integer', default: 2 } } },
      value: {},
      gives: { a: { b: 2 } },
    },
    {
      what: 'nothing inside of what is missing',
      schema: { type: 'object', properties: { b: { type: 'integer', default: 2 } } },
      value: {},
      gives: {},
    },
    {
      what: 'items of lists',
      schema: { type: 'array', items: { type: 'object', properties: { b: { type: 'integer', default: 2 } } } },
      value: { a: [{}] },
      gives: { a: [{ b: 2 }] },
    },
    {
      what: 'values of maps',
      schema: {
        type: 'object',
        additionalProperties: { type: 'object', properties: { b: { type: 'integer', default: 2 } } },
      },
      value: { a: { x: {} } },
      gives: { a: { x: { b: 2 } } },
    },
    { what: 'a null that may not be', schema: { type: 'integer', default: 1 }, value: { a: null }, gives: { a: 1 } },
    {
      what: 'no null that may be',
      schema: { type: 'integer', default: 1, nullable: true },
      value: { a: null },
      gives: { a: null },
    },
    {
      what: 'nothing for a null without default, which goes',
      schema: { type: 'integer' },
      value: { a: null },
      gives: {},
    },
  ])('gives $what', ({ schema, value, gives }) => {
    expect(withStructuralDefaults(wrap(schema), value as Record<string, unknown>)).toEqual(gives);
  });

  test('that would fill an object with more than it can hold is refused', () => {
    const inner = {
      type: 'object',
      properties: { b: { type: 'array', items: { type: 'integer' }, default: Array.from({ length: 5_000 }, () => 1) } },
    };
    const many = Array.from({ length: 1_000 }, () => ({}));
    expect(() => withStructuralDefaults(wrap({ type: 'array', items: inner }), { a: many })).toThrow(
      /would add more than/,
    );
  });
});
