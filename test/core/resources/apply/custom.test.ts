/** Server-side apply of kinds that come from a CustomResourceDefinition: the same rules, by its schema. */
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/api/meta.ts';
import { definitionsName } from '../../../../src/core/resources/custom/definition-status.ts';
import { followKinds } from '../../../../src/core/resources/custom/kinds.ts';
import { createResources } from '../../../../src/core/resources/registry.ts';
import type { WriteOptions } from '../../../../src/core/resources/resources.ts';
import { systemClock } from '../../../../src/std/clock.ts';
import { cronTab, established } from '../../../support/definitions.ts';
import { memoryStore } from '../../../support/memory-store.ts';
import { body, harness, plainWrite } from '../harness.ts';
import { entries, failure, owner } from './support.ts';

const key = { resource: definitionsName, namespace: '', name: 'crontabs.stable.example.com' };

const item = { type: 'object', properties: { name: { type: 'string' }, x: { type: 'string' } }, required: ['name'] };
const properties = {
  image: { type: 'string' },
  plain: { type: 'array', items: { type: 'string' } },
  members: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
  items: { type: 'array', items: item, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
  labels: { type: 'object', additionalProperties: { type: 'string' } },
  whole: { type: 'object', additionalProperties: { type: 'string' }, 'x-kubernetes-map-type': 'atomic' },
  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
};

function definition(of: object): KubeObject {
  const schema = { type: 'object', properties: { spec: { type: 'object', properties: of } } };
  return established(cronTab({ schema })) as unknown as KubeObject;
}

interface Lab {
  readonly apply: (manager: string, spec: object, more?: Partial<WriteOptions>) => Promise<KubeObject>;
  readonly redefine: (of: object) => Promise<void>;
}

async function lab(): Promise<Lab> {
  const { call } = await harness();
  const store = memoryStore<string>();
  const kinds = await followKinds(store);
  const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } };
  await store.write(
    { kind: 'create', key: { resource: 'namespaces', namespace: '', name: 'default' }, object: namespace },
    () => [],
  );
  await store.write({ kind: 'create', key, object: definition(properties) }, () => []);
  const resources = createResources<string>({
    store,
    kinds,
    clock: systemClock,
    random: (count) => new Uint8Array(count),
    uid: () => 'uid-2',
    guards: [],
  });
  const target = {
    group: 'stable.example.com',
    version: 'v1',
    resource: 'crontabs',
    subresource: '',
    namespace: 'default',
    name: 'c',
  };
  return {
    apply: async (fieldManager, spec, more = {}) => {
      const config = { apiVersion: 'stable.example.com/v1', kind: 'CronTab', metadata: { name: 'c' }, spec };
      return (await resources.patch(call, target, 'apply', body(config), { ...plainWrite, fieldManager, ...more }))
        .object;
    },
    redefine: async (of) => {
      const current = await store.get(key, { kind: 'any' });
      const expected = current?.revision ?? 0n;
      await store.write({ kind: 'update', key, object: definition(of), expected }, () => []);
    },
  };
}

describe('a custom kind', () => {
  test('is owned by the list and map types of its schema', async () => {
    const { apply } = await lab();
    const made = await apply('me', {
      image: 'i',
      plain: ['a', 'b'],
      members: ['a'],
      items: [{ name: 'one', x: '1' }],
      labels: { l: '1' },
      whole: { w: '1' },
      free: { deep: { a: 1 }, list: [{ b: 1 }] },
    });
    expect(owner(made, 'me')).toEqual({
      'f:spec': {
        'f:image': {},
        'f:plain': {},
        'f:members': { 'v:"a"': {} },
        'f:items': { 'k:{"name":"one"}': { '.': {}, 'f:name': {}, 'f:x': {} } },
        'f:labels': { 'f:l': {} },
        'f:whole': {},
        'f:free': { 'f:deep': { '.': {}, 'f:a': {} }, 'f:list': {} },
      },
    });
  });

  test('merges the items of two appliers, and each takes back its own', async () => {
    const { apply } = await lab();
    await apply('one', { items: [{ name: 'a' }], members: ['x'] });
    const both = await apply('two', { items: [{ name: 'b' }], members: ['y'] });
    expect(both['spec']).toEqual({ items: [{ name: 'a' }, { name: 'b' }], members: ['x', 'y'] });
    expect((await apply('one', {}))['spec']).toEqual({ items: [{ name: 'b' }], members: ['y'] });
  });

  test('has conflicts like any other', async () => {
    const { apply } = await lab();
    await apply('one', { image: 'a', free: { deep: { a: 1 } } });
    const error = await failure(apply('two', { image: 'b', free: { deep: { a: 2, b: 1 } } }));
    expect(error.message).toBe(
      'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.free.deep.a\n- .spec.image',
    );
  });

  test('refuses what its schema does not have', async () => {
    const { apply } = await lab();
    expect((await failure(apply('one', { other: 1 }))).message).toContain('.spec.other: field not declared in schema');
  });

  test('whose list becomes atomic is owned whole by who had a part of it', async () => {
    const { apply, redefine } = await lab();
    await apply('one', { items: [{ name: 'a' }] });
    await redefine({ ...properties, items: { type: 'array', items: item } });
    const after = await apply('two', { image: 'i' });
    expect(owner(after, 'one')).toEqual({ 'f:spec': { 'f:items': {} } });
    expect((await failure(apply('two', { items: [{ name: 'b' }] }))).message).toContain(
      'conflict with "one": .spec.items',
    );
  });

  test('whose atomic list gets items has them owned by who had the whole', async () => {
    const { apply, redefine } = await lab();
    await apply('one', { plain: ['a', 'b'] });
    await redefine({ ...properties, plain: properties.members });
    const after = await apply('two', { plain: ['c'] });
    expect(owner(after, 'one')).toEqual({ 'f:spec': { 'f:plain': { 'v:"a"': {}, 'v:"b"': {} } } });
    expect((await apply('one', { plain: ['a'] }))['spec']).toEqual({ plain: ['a', 'c'] });
  });

  test('has entries of its own version', async () => {
    const { apply } = await lab();
    expect(entries(await apply('one', { image: 'a' })).map(({ apiVersion }) => apiVersion)).toEqual([
      'stable.example.com/v1',
    ]);
  });
});
