import { expect, test } from 'vitest';
import { compile } from '../../src/cel/compile.ts';
import { constructedType, misnamedTypes } from '../../src/cel/construct.ts';
import { toJson } from '../../src/cel/json.ts';
import { kubernetesEnvironment } from '../../src/cel/kubernetes.ts';
import { dyn } from '../../src/cel/types.ts';
import type { Value } from '../../src/cel/values.ts';

const environment = kubernetesEnvironment({ object: dyn }, constructedType);

function value(source: string, object: unknown = {}): Value {
  const made = compile(source, environment);
  if ('issues' in made) throw new Error(made.issues[0]?.message);
  const outcome = made.compiled.evaluate({ object }, { remaining: 1_000_000 });
  if (outcome.kind !== 'value') throw new Error(outcome.message);
  return outcome.result;
}

test.for<[string, unknown]>([
  ['Object{spec: Object.spec{replicas: 3}}', { spec: { replicas: 3 } }],
  ["Object{metadata: Object.metadata{labels: {'a': 'b'}}}", { metadata: { labels: { a: 'b' } } }],
  [
    'Object{spec: Object.spec{?missing: object.?nope, list: [dyn(1.5), true, null]}}',
    { spec: { list: [1.5, true, null] } },
  ],
  ['Object{spec: Object.spec{__namespace__: object.metadata.name}}', { spec: { namespace: 'x' } }],
  [
    "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: {'x': object.metadata}}]",
    [{ op: 'add', path: '/metadata/labels/a~1b', value: { x: { name: 'x' } } }],
  ],
])('%s is that JSON', ([source, json]) => {
  expect(toJson(value(source, { metadata: { name: 'x' } }))).toEqual(json);
});

test('an object is constructed by the name of its place', () => {
  expect(misnamedTypes(value('Object{spec: Object.spec{a: [Object.spec.a{}]}}'))).toEqual([]);
  expect(misnamedTypes(value('Object{spec: Object.status{}}'))).toEqual([
    'unexpected type name "Object.status", expected "Object.spec", which matches field name path from root Object type',
  ]);
});

test('an operation of a patch has the fields of one', () => {
  const made = compile('JSONPatch{op: 1, nope: 2}', environment);
  expect('issues' in made ? made.issues.map((issue) => issue.message) : []).toEqual([
    "expected type of field 'op' is 'string' but provided type is 'int'",
    "undefined field 'nope'",
  ]);
});
