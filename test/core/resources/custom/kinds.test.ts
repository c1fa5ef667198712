import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/api/meta.ts';
import { servedTypes } from '../../../../src/api/schema/kinds.ts';
import { definitionsName } from '../../../../src/core/resources/custom/definition-status.ts';
import { followKinds } from '../../../../src/core/resources/custom/kinds.ts';
import { memoryStore } from '../../../support/memory-store.ts';
import { cronTab, established } from '../../../support/definitions.ts';

const key = { resource: definitionsName, namespace: '', name: 'crontabs.stable.example.com' };
const object = established(cronTab()) as unknown as KubeObject;

describe('the kinds that are served', () => {
  test('are the built-in ones while nothing is defined', async () => {
    expect((await followKinds(memoryStore<string>())).all()).toBe(servedTypes());
  });

  test('follow a definition as soon as its write is answered, and forget it with its deletion', async () => {
    const store = memoryStore<string>();
    const kinds = await followKinds(store);
    await store.write({ kind: 'create', key, object }, () => []);
    const type = kinds.find('stable.example.com', 'v1', 'crontabs');
    expect(type?.kind).toBe('CronTab');
    expect(kinds.all().at(-1)).toBe(type);
    const current = await store.get(key, { kind: 'any' });
    await store.write({ kind: 'delete', key, expected: current?.revision ?? 0n }, () => []);
    expect(kinds.find('stable.example.com', 'v1', 'crontabs')).toBeUndefined();
    expect(kinds.all()).toBe(servedTypes());
    expect(type?.custom?.definition.retired.aborted).toBe(true);
  });

  test('leave out what is not established', async () => {
    const store = memoryStore<string>();
    await store.write({ kind: 'create', key, object: { ...object, status: {} } }, () => []);
    const kinds = await followKinds(store);
    expect(kinds.find('stable.example.com', 'v1', 'crontabs')).toBeUndefined();
    expect(kinds.definitions()).toHaveLength(1);
  });

  test('stay the same values through a change that no client notices', async () => {
    const store = memoryStore<string>();
    const kinds = await followKinds(store);
    await store.write({ kind: 'create', key, object }, () => []);
    const before = kinds.all();
    const current = await store.get(key, { kind: 'any' });
    const labelled = { ...object, metadata: { ...object.metadata, labels: { a: 'b' } } };
    await store.write({ kind: 'update', key, object: labelled, expected: current?.revision ?? 0n }, () => []);
    expect(kinds.all()).toBe(before);
    expect(before.at(-1)?.custom?.definition.retired.aborted).toBe(false);
  });

  test('never let a definition take the place of a built-in kind', async () => {
    const store = memoryStore<string>();
    const kinds = await followKinds(store);
    const names = { plural: 'roles', singular: 'role', kind: 'Role', shortNames: [] };
    const taken = cronTab({
      names,
      metadata: { name: 'roles.rbac.authorization.k8s.io' },
      spec: { group: 'rbac.authorization.k8s.io', names },
    });
    await store.write(
      {
        kind: 'create',
        key: { ...key, name: 'roles.rbac.authorization.k8s.io' },
        object: established(taken) as unknown as KubeObject,
      },
      () => [],
    );
    expect(kinds.find('rbac.authorization.k8s.io', 'v1', 'roles')?.custom).toBeUndefined();
  });
});
