/** What changed between two objects, where it is not plain: items that occur twice, values that change their kind, entries that are nonsense. */
import { describe, expect, test } from 'vitest';
import { builtin } from '../../../../src/api/schema/builtin.ts';
import { compare } from '../../../../src/core/resources/apply/compare.ts';
import { readEntries, withValidEntries } from '../../../../src/core/resources/apply/managers.ts';
import type { Fields } from '../../../../src/std/value.ts';

const pod = (env: readonly object[]): Fields => ({ spec: { containers: [{ name: 'main', env }] } });
const inEnv = (set: object): object => ({
  'f:spec': { 'f:containers': { 'k:{"name":"main"}': { 'f:env': set } } },
});
const a = (value: string): object => ({ name: 'A', value });
const key = 'k:{"name":"A"}';

describe('an item that occurs twice', () => {
  test.for<{ guarantees: string; before: object[]; after: object[]; changed: object; removed: object }>([
    {
      guarantees: 'is one value, unchanged while all of it is',
      before: [a('1'), a('2')],
      after: [a('1'), a('2')],
      changed: {},
      removed: {},
    },
    {
      guarantees: 'is changed as one',
      before: [a('1'), a('2')],
      after: [a('1'), a('3')],
      changed: inEnv({ [key]: {} }),
      removed: {},
    },
    {
      guarantees: 'takes the place of the parts of one',
      before: [a('1')],
      after: [a('1'), a('2')],
      changed: inEnv({ [key]: {} }),
      removed: inEnv({ [key]: { '.': {}, 'f:name': {}, 'f:value': {} } }),
    },
    {
      guarantees: 'gives way to the parts of one',
      before: [a('1'), a('2')],
      after: [a('2')],
      changed: inEnv({ [key]: { '.': {}, 'f:name': {}, 'f:value': {} } }),
      removed: inEnv({ [key]: {} }),
    },
  ])('$guarantees', ({ before, after, changed, removed }) => {
    expect(compare(builtin('v1', 'Pod'), pod(before), pod(after))).toEqual({ changed, removed });
  });

  test('ten thousand of them are compared in a moment', () => {
    const items = Array.from({ length: 10_000 }, (_, n) => ({ name: `N${n}` }));
    const twice = [...items, ...items];
    const { changed } = compare(builtin('v1', 'Pod'), pod(items), pod(twice));
    expect(JSON.stringify(changed).length).toBeGreaterThan(100_000);
  }, 5000);
});

test('free JSON that becomes something else is a new value, and its parts are gone', () => {
  const crd = (value: unknown): Fields => ({
    spec: { versions: [{ name: 'v1', schema: { openAPIV3Schema: { default: value } } }] },
  });
  const { changed, removed } = compare(
    builtin('apiextensions.k8s.io/v1', 'CustomResourceDefinition'),
    crd({ a: 1 }),
    crd('text'),
  );
  expect([changed, removed]).toEqual([{ 'f:spec': { 'f:versions': {} } }, {}]); // versions are atomic: owned as one
  const revision = (data: unknown): Fields => ({ data });
  expect(compare(builtin('apps/v1', 'ControllerRevision'), revision({ a: 1 }), revision('text'))).toEqual({
    changed: { 'f:data': {} },
    removed: { 'f:data': { 'f:a': {} } },
  });
});

describe('after admission', () => {
  const entry = {
    manager: 'm',
    operation: 'Update',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:a': {} },
  };
  const before = readEntries([entry]) ?? [];
  const told: string[] = [];
  const after = (managedFields: readonly object[]): unknown =>
    withValidEntries({ metadata: { managedFields } }, before, (text) => told.push(text)).metadata.managedFields;

  test('entries that a webhook wrote are kept', () => {
    expect(after([{ ...entry, manager: 'other' }])).toMatchObject([{ manager: 'other' }]);
    expect(told).toEqual([]);
  });

  test('nonsense is put right, and the client is told', () => {
    expect(after([{ ...entry, operation: 'Sync' }])).toBe(before);
    expect(told[0]).toContain('.metadata.managedFields was in an invalid state after admission');
  });
});
