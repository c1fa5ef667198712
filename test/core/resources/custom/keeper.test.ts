import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/api/meta.ts';
import { definitionsName } from '../../../../src/core/resources/custom/definition-status.ts';
import { startDefinitionKeeper } from '../../../../src/core/resources/custom/keeper.ts';
import { followKinds } from '../../../../src/core/resources/custom/kinds.ts';
import type { ServedKinds } from '../../../../src/core/resources/custom/kinds.ts';
import type { Key } from '../../../../src/core/store/store.ts';
import { silentLogger } from '../../../../src/std/log.ts';
import { cronTab, established } from '../../../support/definitions.ts';
import { fakeClock } from '../../../support/fake-clock.ts';
import { memoryStore } from '../../../support/memory-store.ts';

const definitionKey: Key = { resource: definitionsName, namespace: '', name: 'crontabs.stable.example.com' };
const tabKey = (name: string): Key => ({ resource: 'crontabs.stable.example.com', namespace: 'default', name });
const tab = (name: string, more: object = {}): KubeObject => ({
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name, namespace: 'default', uid: name, ...more },
});
const finalizers = ['customresourcecleanup.apiextensions.k8s.io'];
const asObject = (definition: object): KubeObject => definition as unknown as KubeObject;

let store = memoryStore<string>();
let clock = fakeClock();
let kinds: ServedKinds;
let stop = async (): Promise<void> => {};

beforeEach(async () => {
  store = memoryStore<string>();
  clock = fakeClock();
  kinds = await followKinds(store);
  const keeper = await startDefinitionKeeper({
    store,
    kinds,
    clock,
    log: silentLogger,
    internalRows: () => () => ['internal'],
  });
  stop = () => keeper.stop();
});
afterEach(async () => {
  await stop();
});

const create = async (key: Key, object: KubeObject): Promise<void> => {
  expect((await store.write({ kind: 'create', key, object }, () => [])).outcome).toBe('committed');
};
const rest = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};
const later = (ms: number): Promise<void> => clock.advance(ms, rest);
const get = async (key: Key): Promise<KubeObject | undefined> => (await store.get(key, { kind: 'any' }))?.object;
const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers };

describe('a definition that is being deleted', () => {
  test('takes its objects with it, and goes when its kind has been empty for a while', async () => {
    for (const name of ['a', 'b', 'c']) await create(tabKey(name), tab(name));
    await create(definitionKey, asObject(established(cronTab({ metadata: deleted }))));
    await rest();
    await later(600);
    for (const name of ['a', 'b', 'c']) expect(await get(tabKey(name))).toBeUndefined();
    expect(await get(definitionKey)).toBeDefined();
    await later(3_000);
    expect(await get(definitionKey)).toBeUndefined();
    expect(store.rows.filter((row) => row === 'internal').length).toBeGreaterThanOrEqual(4);
  });

  test('waits for objects that have finalizers, and says that it does', async () => {
    await create(tabKey('held'), tab('held', { finalizers: ['example.com/hold'] }));
    await create(definitionKey, asObject(established(cronTab({ metadata: deleted }))));
    await rest();
    await later(5_000);
    expect((await get(tabKey('held')))?.metadata.deletionTimestamp).toBeDefined();
    expect((await get(definitionKey))?.['status']).toMatchObject({
      conditions: [{}, {}, { type: 'Terminating', status: 'True', reason: 'InstanceDeletionInProgress' }],
    });
    const held = await store.get(tabKey('held'), { kind: 'any' });
    await store.write({ kind: 'delete', key: tabKey('held'), expected: held?.revision ?? 0n }, () => []);
    await later(5_000);
    expect(await get(definitionKey)).toBeUndefined();
  });

  test('keeps the finalizers of others', async () => {
    const held = { ...deleted, finalizers: [...finalizers, 'example.com/mine'] };
    await create(definitionKey, asObject(established(cronTab({ metadata: held }))));
    await rest();
    await later(5_000);
    const left = await get(definitionKey);
    expect(left?.metadata.finalizers).toEqual(['example.com/mine']);
    expect(left?.['status']).toMatchObject({
      conditions: [{}, {}, { type: 'Terminating', status: 'False', reason: 'InstanceDeletionCompleted' }],
    });
  });
});

test('names that become free are given to the definition that waited for them', async () => {
  await create(definitionKey, asObject(established(cronTab())));
  const names = { plural: 'others', singular: 'other', kind: 'CronTab', shortNames: [] };
  const other = { ...definitionKey, name: 'others.stable.example.com' };
  const waiting = {
    ...established(cronTab({ names, metadata: { name: 'others.stable.example.com' } }), 'uid-2'),
    status: { conditions: [{ type: 'NamesAccepted', status: 'False' }], acceptedNames: { plural: 'others' } },
  };
  await create(other, asObject(waiting));
  await rest();
  expect(kinds.find('stable.example.com', 'v1', 'others')).toBeUndefined();
  const first = await store.get(definitionKey, { kind: 'any' });
  await store.write({ kind: 'delete', key: definitionKey, expected: first?.revision ?? 0n }, () => []);
  await rest();
  expect(kinds.find('stable.example.com', 'v1', 'others')?.kind).toBe('CronTab');
});
