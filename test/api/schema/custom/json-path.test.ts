import { describe, expect, test } from 'vitest';
import { fieldNames, parseJsonPath, valuesAt } from '../../../../src/api/schema/custom/json-path.ts';

const object = {
  metadata: { name: 'a', labels: { 'a.b/c': 'dotted', plain: 'x' } },
  spec: {
    replicas: 3,
    hosts: ['one', 'two', 'three'],
    ports: [
      { name: 'http', port: 80 },
      { name: 'tls', port: 443 },
    ],
  },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Old', status: 'False' },
    ],
  },
};

test.for<{ readonly path: string; readonly finds: readonly unknown[] }>([
  { path: '.spec.replicas', finds: [3] },
  { path: '{.spec.replicas}', finds: [3] },
  { path: '$.spec.replicas', finds: [3] },
  { path: '.', finds: [object] },
  { path: '.spec.nothing', finds: [] },
  { path: '.spec.replicas.deeper', finds: [] },
  { path: '.spec.hosts[0]', finds: ['one'] },
  { path: '.spec.hosts[-1]', finds: ['three'] },
  { path: '.spec.hosts[9]', finds: [] },
  { path: '.spec.hosts[1:]', finds: ['two', 'three'] },
  { path: '.spec.hosts[-1:]', finds: ['three'] },
  { path: '.spec.hosts[*]', finds: ['one', 'two', 'three'] },
  { path: String.raw`.metadata.labels.a\.b/c`, finds: ['dotted'] },
  { path: `.metadata.labels['a.b/c']`, finds: ['dotted'] },
  { path: '.metadata.labels["plain"]', finds: ['x'] },
  { path: '.status.conditions[?(@.type=="Ready")].status', finds: ['True'] },
  { path: `.status.conditions[?(@.type != 'Ready')].status`, finds: ['False'] },
  { path: '.spec.ports[?(@.port>100)].name', finds: ['tls'] },
  { path: '.spec.ports[?(@.missing)].name', finds: [] },
  { path: '..port', finds: [443, 80] },
  { path: '.constructor', finds: [] },
])('$path finds $finds', ({ path, finds }) => {
  const parsed = parseJsonPath(path);
  expect(parsed && valuesAt(parsed, object)).toEqual(finds);
});

test.for(['spec[', '.a[?(b)]', '.a[x]', '.a..', '.a[?(@.x==y)]', '.a[1', '.a'.repeat(100)])('%s is no path', (path) => {
  expect(parseJsonPath(path)).toBeUndefined();
});

describe('bounds', () => {
  test('a path that asks for everything in everything ends', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 500; i++) deep = { a: deep, b: [deep] };
    const path = parseJsonPath('..a..a..a');
    expect(path && valuesAt(path, deep).length).toBeLessThanOrEqual(10_000);
  });
});

test('only a path of plain fields has names', () => {
  const names = (text: string): readonly string[] | undefined => {
    const path = parseJsonPath(text);
    return path && fieldNames(path);
  };
  expect(names('.spec.replicas')).toEqual(['spec', 'replicas']);
  expect(names('.spec.hosts[0]')).toBeUndefined();
});
