import { describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../../src/api/types/core.ts';
import type { OwnerReference } from '../../../src/api/types/meta.ts';
import { configMaps, resourceRef } from '../../../src/core/cluster/resource-ref.ts';
import type { ClusterObject } from '../../../src/core/cluster/resource-ref.ts';
import { runGarbageCollector } from '../../../src/core/controllers/garbage.ts';
import { cronTab } from '../../support/definitions.ts';
import { world } from './world.ts';
import type { World } from './world.ts';

const at = (name: string): { namespace: string; name: string } => ({ namespace: 'default', name });

async function collecting(): Promise<World> {
  const w = await world();
  w.start(runGarbageCollector);
  await w.settle();
  return w;
}

const make = (w: World, name: string, owners: readonly OwnerReference[] = [], more: object = {}): Promise<ConfigMap> =>
  w.admin.create(configMaps, { metadata: { ...at(name), ownerReferences: owners, ...more } });

const ownedBy = ({ metadata }: ConfigMap, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: metadata.name,
  uid: metadata.uid ?? '',
  ...more,
});

async function left(w: World): Promise<readonly string[]> {
  await w.advance(2_000);
  const { items } = await w.admin.list(configMaps, { namespace: 'default' });
  return items.map(({ metadata }) => metadata.name);
}

describe('garbage collection', () => {
  test('in the background the owner goes at once, what it owned after it, down to the grandchildren', async () => {
    const w = await collecting();
    const owner = await make(w, 'owner');
    const child = await make(w, 'child', [ownedBy(owner)]);
    await make(w, 'grandchild', [ownedBy(child)]);
    await make(w, 'stranger');
    expect(await left(w)).toEqual(['child', 'grandchild', 'owner', 'stranger']);
    await w.admin.delete(configMaps, at('owner'), { propagationPolicy: 'Background' });
    expect(await left(w)).toEqual(['stranger']);
  });

  test('in the foreground the owner stays until the last dependent that blocks it is gone', async () => {
    const w = await collecting();
    const owner = await make(w, 'owner');
    await make(w, 'quick', [ownedBy(owner, { blockOwnerDeletion: true })]);
    await make(w, 'slow', [ownedBy(owner, { blockOwnerDeletion: true })], { finalizers: ['example.com/wait'] });
    await w.admin.delete(configMaps, at('owner'), { propagationPolicy: 'Foreground' });
    expect(await left(w)).toEqual(['owner', 'slow']);
    expect((await w.admin.get(configMaps, at('owner'))).metadata.finalizers).toEqual(['foregroundDeletion']);
    await w.admin.patch(configMaps, at('slow'), { kind: 'merge', body: { metadata: { finalizers: null } } });
    expect(await left(w)).toEqual([]);
  });

  test('in the foreground a dependent that does not block holds nothing up', async () => {
    const w = await collecting();
    const owner = await make(w, 'owner');
    await make(w, 'slow', [ownedBy(owner)], { finalizers: ['example.com/wait'] });
    await w.admin.delete(configMaps, at('owner'), { propagationPolicy: 'Foreground' });
    expect(await left(w)).toEqual(['slow']);
  });

  test('orphaned dependents stay, without the reference to the owner and with all others', async () => {
    const w = await collecting();
    const [owner, other] = [await make(w, 'owner'), await make(w, 'other')];
    await make(w, 'child', [ownedBy(owner)]);
    await make(w, 'shared', [ownedBy(owner), ownedBy(other)]);
    await w.admin.delete(configMaps, at('owner'), { propagationPolicy: 'Orphan' });
    expect(await left(w)).toEqual(['child', 'other', 'shared']);
    expect((await w.admin.get(configMaps, at('child'))).metadata.ownerReferences ?? []).toEqual([]);
    expect((await w.admin.get(configMaps, at('shared'))).metadata.ownerReferences).toMatchObject([{ name: 'other' }]);
  });

  test('an object with two owners loses the reference to the one that went and goes with the last', async () => {
    const w = await collecting();
    const [one, two] = [await make(w, 'one'), await make(w, 'two')];
    await make(w, 'child', [ownedBy(one), ownedBy(two)]);
    await w.admin.delete(configMaps, at('one'));
    expect(await left(w)).toEqual(['child', 'two']);
    const child = await w.admin.get(configMaps, at('child'));
    await w.admin.patch(configMaps, at('child'), { kind: 'merge', body: { data: { touched: 'yes' } } });
    await w.settle();
    expect(child.metadata.uid).toBeDefined();
    expect((await w.admin.get(configMaps, at('child'))).metadata.ownerReferences).toMatchObject([{ name: 'two' }]);
    await w.admin.delete(configMaps, at('two'));
    expect(await left(w)).toEqual([]);
  });

  test.for([
    { guarantees: 'an owner that never was', kind: 'ConfigMap', name: 'nobody', goes: true },
    { guarantees: 'an owner whose name is another object by now', kind: 'ConfigMap', name: 'owner', goes: true },
    { guarantees: 'an owner of a kind that is not served', kind: 'Gadget', name: 'nobody', goes: false },
  ])('$guarantees: the object goes: $goes', async ({ kind, name, goes }) => {
    const w = await collecting();
    const owner = await make(w, 'owner');
    await make(w, 'child', [ownedBy(owner, { kind, name, uid: '00000000-0000-4000-8000-000000000000' })]);
    expect(await left(w)).toEqual(goes ? ['owner'] : ['child', 'owner']);
  });

  test('what lost its owner while nobody collected goes when somebody does', async () => {
    const w = await world();
    const owner = await make(w, 'owner');
    await make(w, 'child', [ownedBy(owner)]);
    await w.admin.delete(configMaps, at('owner'));
    w.start(runGarbageCollector);
    expect(await left(w)).toEqual([]);
  });
});

test('kinds that are defined while it runs are collected too', async () => {
  const w = await collecting();
  const definitions = resourceRef(
    'apiextensions.k8s.io',
    'v1',
    'customresourcedefinitions',
    'CustomResourceDefinition',
    'cluster',
  );
  const tabs = resourceRef('stable.example.com', 'v1', 'crontabs', 'CronTab');
  await w.admin.create(definitions, cronTab() as unknown as ClusterObject);
  await w.advance(2_000);
  const owner = await make(w, 'owner');
  const tab = {
    apiVersion: 'stable.example.com/v1',
    kind: 'CronTab',
    metadata: { ...at('tab'), ownerReferences: [ownedBy(owner)] },
  };
  const owned = await w.admin.create(tabs, tab);
  const reference = {
    apiVersion: 'stable.example.com/v1',
    kind: 'CronTab',
    name: 'tab',
    uid: owned.metadata.uid ?? '',
  };
  await make(w, 'grandchild', [reference]);
  await w.settle();
  await w.admin.delete(configMaps, owner.metadata);
  expect(await left(w)).toEqual([]);
  expect((await w.admin.list(tabs, { namespace: 'default' })).items).toEqual([]);
});
