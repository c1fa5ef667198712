import { describe, expect, test } from 'vitest';
import { builtin } from '../../../src/api/schema/builtin.ts';
import type { Schema } from '../../../src/api/schema/form.ts';
import { findKind, findSubresource, findType, servedTypes } from '../../../src/api/schema/kinds.ts';

describe('the kind table', () => {
  test.for(servedTypes().map((type) => ({ title: `${type.apiVersion} ${type.resource}`, type })))(
    '$title has a schema with metadata and is found by resource and by kind',
    ({ type }) => {
      expect([...type.schema.fields.keys()]).toEqual(expect.arrayContaining(['apiVersion', 'kind', 'metadata']));
      expect(findType(type.group, type.version, type.resource)).toBe(type);
      expect(findKind(type.apiVersion, type.kind)).toBe(type);
      for (const sub of type.subresources) expect(sub.schema.fields.size).toBeGreaterThan(0);
    },
  );

  test('the second face of a kind is stored where the first is', () => {
    expect(findType('events.k8s.io', 'v1', 'events')?.storage).toEqual({
      group: '',
      version: 'v1',
      resource: 'events',
    });
    expect(findType('autoscaling', 'v1', 'horizontalpodautoscalers')?.storage.version).toBe('v2');
  });

  test('what is not served is not found', () => {
    expect(findType('', 'v1', 'pod')).toBeUndefined();
    expect(findType('', 'v1', 'constructor')).toBeUndefined();
    expect(findKind('v2', 'Pod')).toBeUndefined();
  });

  test('a subresource carries the kind of its bodies', () => {
    const pods = findType('', 'v1', 'pods');
    const eviction = pods && findSubresource(pods, 'eviction');
    expect(eviction).toMatchObject({ group: 'policy', version: 'v1', kind: 'Eviction' });
  });
});

describe('the form of built-in types', () => {
  test('fields of embedded structs stand beside the own ones, and keep their message in protobuf', () => {
    const volume = builtin('v1', 'Volume');
    expect(volume.fields.has('emptyDir')).toBe(true);
    expect(volume.own.map((f) => f.name)).toEqual(['name']);
    expect(volume.embedded.map((part) => part.number)).toEqual([2]);
  });

  test('lists know their keys and merge keys', () => {
    const containers = builtin('v1', 'PodSpec').fields.get('containers');
    expect(containers).toMatchObject({ patchMergeKey: 'name', patchStrategy: ['merge'], optional: false });
    expect(containers?.schema).toMatchObject({ kind: 'list', listType: 'map', mapKeys: ['name'] });
  });

  test('every type that a served kind leads to can be built', () => {
    const seen = new Set<Schema>();
    const walk = (schema: Schema): void => {
      if (seen.has(schema)) return;
      seen.add(schema);
      if (schema.kind === 'object') for (const f of schema.fields.values()) walk(f.schema);
      if (schema.kind === 'list') walk(schema.items);
      if (schema.kind === 'map') walk(schema.values);
    };
    for (const type of servedTypes()) walk(type.schema);
    expect(seen.size).toBeGreaterThan(500);
  });
});
