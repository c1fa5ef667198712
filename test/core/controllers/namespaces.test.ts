import { describe, expect, test } from 'vitest';
import { StatusError } from '../../../src/api/status.ts';
import { configMaps, namespaces, secrets } from '../../../src/core/cluster/resource-ref.ts';
import { runNamespaces } from '../../../src/core/controllers/namespaces.ts';
import { runServiceAccounts } from '../../../src/core/controllers/service-accounts.ts';
import * as refs from '../../../src/core/cluster/resource-ref.ts';
import { world } from './world.ts';
import type { World } from './world.ts';

async function exists(w: World, name: string): Promise<boolean> {
  try {
    await w.admin.get(namespaces, { name });
    return true;
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'NotFound') return false;
    throw error;
  }
}

describe('namespace deletion', () => {
  test('takes all that is inside, of every kind, then the namespace, and nothing of others', async () => {
    const w = await world();
    w.start(runNamespaces);
    await w.admin.create(namespaces, { metadata: { name: 'team' }, spec: {} });
    for (const namespace of ['team', 'default']) {
      await w.admin.create(configMaps, { metadata: { namespace, name: 'a' } });
      await w.admin.create(secrets, { metadata: { namespace, name: 'b' } });
    }
    await w.admin.delete(namespaces, { name: 'team' });
    expect(await exists(w, 'team')).toBe(true);
    await w.until('the namespace is gone', async () => !(await exists(w, 'team')), 10_000);
    expect((await w.admin.list(configMaps, {})).items.map(({ metadata }) => metadata.namespace)).toEqual(['default']);
    expect((await w.admin.list(secrets, {})).items.map(({ metadata }) => metadata.namespace)).toEqual(['default']);
  });

  test('waits for an object that a finalizer holds, says which, and ends when it is let go', async () => {
    const w = await world();
    w.start(runNamespaces);
    await w.admin.create(namespaces, { metadata: { name: 'team' }, spec: {} });
    const held = { namespace: 'team', name: 'held' };
    await w.admin.create(configMaps, { metadata: { ...held, finalizers: ['example.com/wait'] } });
    await w.admin.delete(namespaces, { name: 'team' });
    await w.advance(30_000);
    const { status } = await w.admin.get(namespaces, { name: 'team' });
    expect(status?.phase).toBe('Terminating');
    const messages = Object.fromEntries((status?.conditions ?? []).map(({ type, message }) => [type, message]));
    expect(messages['NamespaceContentRemaining']).toContain('configmaps.v1 has 1 resource instances');
    expect(messages['NamespaceFinalizersRemaining']).toContain('example.com/wait in 1 resource instances');
    const before = w.store.revision();
    await w.advance(30_000);
    expect(w.store.revision()).toBe(before);
    await w.admin.patch(configMaps, held, { kind: 'merge', body: { metadata: { finalizers: null } } });
    await w.until('the namespace is gone', async () => !(await exists(w, 'team')), 10_000);
  });
});

describe('what every namespace has', () => {
  test('a default service account and the CA: given to new ones, given back when lost, repaired when changed', async () => {
    const w = await world();
    w.start((context) => runServiceAccounts(context, 'the CA'));
    await w.admin.create(namespaces, { metadata: { name: 'team' }, spec: {} });
    const [account, ca] = [
      { namespace: 'team', name: 'default' },
      { namespace: 'team', name: 'kube-root-ca.crt' },
    ];
    const first = await w.until('the account', () => w.admin.get(refs.serviceAccounts, account));
    expect((await w.admin.get(configMaps, ca)).data).toEqual({ 'ca.crt': 'the CA' });
    await w.admin.delete(refs.serviceAccounts, account);
    await w.admin.patch(configMaps, ca, { kind: 'merge', body: { data: { 'ca.crt': 'forged', more: 'x' } } });
    await w.advance(1_000);
    expect((await w.admin.get(refs.serviceAccounts, account)).metadata.uid).not.toBe(first.metadata.uid);
    expect((await w.admin.get(configMaps, ca)).data).toEqual({ 'ca.crt': 'the CA' });
    await w.admin.delete(configMaps, ca);
    await w.advance(1_000);
    expect((await w.admin.get(configMaps, ca)).data).toEqual({ 'ca.crt': 'the CA' });
  });
});
