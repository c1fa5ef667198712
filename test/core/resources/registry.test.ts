import { describe, expect, test } from 'vitest';
import { StatusError } from '../../../src/api/status.ts';
import { at } from '../../../src/std/value.ts';
import { outcomeLater } from '../../support/outcome.ts';
import { configMap, deployment, harness, noList, pod, target } from './harness.ts';

const refused = (text: string): unknown => expect.stringContaining(text);

describe('create', () => {
  test('an object gets uid, creation time and resourceVersion, and its change has a row', async () => {
    const h = await harness();
    const made = await h.create('configmaps', configMap('a'));
    expect(made.metadata).toMatchObject({ name: 'a', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' });
    expect(made.metadata.uid).toMatch(/^0{8}-/);
    expect(h.store.rows.at(-1)).toBe(`201@${made.metadata.resourceVersion}`);
    expect(made.metadata.generation).toBeUndefined();
  });

  test.for([
    {
      guarantees: 'a name that is taken is refused',
      object: configMap('taken'),
      says: 'configmaps "taken" already exists',
    },
    {
      guarantees: 'a resourceVersion is refused',
      object: configMap('a', { metadata: { name: 'a', resourceVersion: '1' } }),
      says: 'resourceVersion should not be set on objects to be created',
    },
    {
      guarantees: 'another namespace in the body is refused',
      object: configMap('a', { metadata: { name: 'a', namespace: 'x' } }),
      says: 'does not match the namespace sent',
    },
    {
      guarantees: 'a name is required',
      object: configMap('a', { metadata: {} }),
      says: 'metadata.name: Required value: name or generateName is required',
    },
    {
      guarantees: 'a name is a DNS subdomain',
      object: configMap('Bad_Name'),
      says: 'ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must',
    },
    {
      guarantees: 'an unknown field is refused when strict',
      object: configMap('a', { nosuch: 1 }),
      says: 'strict decoding error: unknown field "nosuch"',
    },
  ])('$guarantees', async ({ object, says }) => {
    const h = await harness();
    await h.create('configmaps', configMap('taken'));
    expect(await outcomeLater(() => h.create('configmaps', object))).toEqual(refused(says));
  });

  test('generateName makes a name, and another one when that is taken', async () => {
    const h = await harness();
    const names = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const made = await h.create('configmaps', configMap('', { metadata: { generateName: 'x-' } }));
      names.add(made.metadata.name ?? '');
    }
    expect([...names].every((name) => /^x-[a-z0-9]{5}$/.test(name))).toBe(true);
    expect(names.size).toBe(3);
  });

  test('a namespace that is not there or is going takes no objects', async () => {
    const h = await harness();
    expect(await outcomeLater(() => h.create('configmaps', configMap('a'), {}, 'nowhere'))).toEqual(
      refused('namespaces "nowhere" not found'),
    );
    await h.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'going' } }, {}, '');
    await h.remove('namespaces/going');
    expect(await outcomeLater(() => h.create('configmaps', configMap('a'), {}, 'going'))).toEqual(
      refused(
        'configmaps "a" is forbidden: unable to create new content in namespace going because it is being terminated',
      ),
    );
  });

  test('a dry run answers as if and writes nothing', async () => {
    const h = await harness();
    const before = h.store.revision();
    expect(await h.create('configmaps', configMap('a'), { dryRun: true })).toMatchObject({ metadata: { name: 'a' } });
    expect(h.store.revision()).toBe(before);
    expect(await outcomeLater(() => h.get('configmaps/a'))).toEqual(refused('configmaps "a" not found'));
  });

  test('a guard that refuses keeps the object out, also of a dry run', async () => {
    const guards = [
      async (_call: unknown, of: { readonly resource: string }): Promise<void> => {
        if (of.resource === 'secrets') throw new StatusError('Forbidden', 'not you');
      },
    ];
    const h = await harness({ guards });
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } };
    expect(await outcomeLater(() => h.create('secrets', secret, { dryRun: true }))).toEqual(refused('not you'));
    expect(await outcomeLater(() => h.get('secrets/s'))).toEqual(refused('not found'));
  });

  test('stringData of a secret becomes data', async () => {
    const h = await harness();
    const made = await h.create('secrets', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      stringData: { k: 'v' },
    });
    expect(made['data']).toEqual({ k: 'dg==' });
    expect(made['stringData']).toBeUndefined();
  });
});

describe('update and patch', () => {
  test('a change of nothing keeps the resourceVersion', async () => {
    const h = await harness();
    const made = await h.create('configmaps', configMap('a'));
    expect((await h.patch('configmaps/a', 'merge', { data: { a: '1' } })).metadata.resourceVersion).toBe(
      made.metadata.resourceVersion,
    );
    expect((await h.update('configmaps/a', configMap('a'))).metadata.resourceVersion).toBe(
      made.metadata.resourceVersion,
    );
  });

  test('a stale resourceVersion conflicts, none overwrites', async () => {
    const h = await harness();
    const made = await h.create('configmaps', configMap('a'));
    await h.update('configmaps/a', configMap('a', { data: { a: '2' } }));
    expect(await outcomeLater(() => h.update('configmaps/a', made))).toEqual(
      refused(
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
      ),
    );
    expect(
      await outcomeLater(() =>
        h.patch('configmaps/a', 'merge', {
          metadata: { resourceVersion: made.metadata.resourceVersion },
          data: { b: '1' },
        }),
      ),
    ).toEqual(refused('has been modified'));
    expect((await h.update('configmaps/a', configMap('a', { data: { a: '3' } })))['data']).toEqual({ a: '3' });
  });

  test('spec changes count generations, status and metadata do not', async () => {
    const h = await harness();
    await h.create('apps/v1/deployments', deployment('d'));
    expect(
      (await h.patch('apps/v1/deployments/d', 'merge', { metadata: { labels: { x: 'y' } } })).metadata.generation,
    ).toBe(1);
    expect((await h.patch('apps/v1/deployments/d', 'strategic', { spec: { paused: true } })).metadata.generation).toBe(
      2,
    );
    const status = await h.patch('apps/v1/deployments/d/status', 'merge', {
      spec: { replicas: 9 },
      status: { replicas: 1 },
    });
    expect([status.metadata.generation, at(status, 'spec', 'replicas'), at(status, 'status', 'replicas')]).toEqual([
      2, 1, 1,
    ]);
    const main = await h.patch('apps/v1/deployments/d', 'merge', { spec: { replicas: 2 }, status: { replicas: 7 } });
    expect([main.metadata.generation, at(main, 'spec', 'replicas'), at(main, 'status', 'replicas')]).toEqual([3, 2, 1]);
  });

  test('scale shows and changes the replicas', async () => {
    const h = await harness();
    await h.create('apps/v1/deployments', deployment('d'));
    const scale = await h.get('apps/v1/deployments/d/scale');
    expect(scale).toMatchObject({ kind: 'Scale', spec: { replicas: 1 }, status: { selector: 'app=d' } });
    await h.patch('apps/v1/deployments/d/scale', 'merge', { spec: { replicas: 3 } });
    expect(at(await h.get('apps/v1/deployments/d'), 'spec', 'replicas')).toBe(3);
    await h.update('apps/v1/deployments/d/scale', {
      ...(await h.get('apps/v1/deployments/d/scale')),
      spec: { replicas: 0 },
    });
    expect(at(await h.get('apps/v1/deployments/d/scale'), 'spec', 'replicas') ?? 0).toBe(0);
  });

  test('strategic patches merge containers by name', async () => {
    const h = await harness();
    await h.create('apps/v1/deployments', deployment('d'));
    const patched = await h.patch('apps/v1/deployments/d', 'strategic', {
      spec: {
        template: {
          spec: {
            '$setElementOrder/containers': [{ name: 'side' }, { name: 'main' }],
            containers: [{ name: 'side', image: 's' }],
          },
        },
      },
    });
    const containers = at(patched, 'spec', 'template', 'spec', 'containers');
    expect(
      Array.isArray(containers) ? containers.map((one: unknown) => [at(one, 'name'), at(one, 'image')]) : [],
    ).toEqual([
      ['side', 's'],
      ['main', 'img'],
    ]);
  });

  test.for([
    {
      guarantees: 'a patch of what is not there is NotFound',
      path: 'configmaps/nosuch',
      says: 'configmaps "nosuch" not found',
    },
    {
      guarantees: 'a patch cannot rename',
      path: 'configmaps/a',
      patch: { metadata: { name: 'b' } },
      says: 'the name of the object (b) does not match the name on the URL (a)',
    },
    {
      guarantees: 'a patch cannot change the uid',
      path: 'configmaps/a',
      patch: { metadata: { uid: 'other' } },
      says: 'Precondition failed: UID in precondition: other',
    },
  ])('$guarantees', async ({ path, patch, says }) => {
    const h = await harness();
    await h.create('configmaps', configMap('a'));
    expect(await outcomeLater(() => h.patch(path, 'merge', patch ?? { data: { a: '2' } }))).toEqual(refused(says));
  });

  test('an update creates only where upstream allows it, and only for who may create', async () => {
    const lease = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'e' } };
    const h = await harness();
    expect(await outcomeLater(() => h.update('configmaps/a', configMap('a')))).toEqual(refused('not found'));
    expect((await h.update('endpoints/e', lease)).metadata.uid).toBeDefined();
    const poor = await harness({ allowed: false });
    expect(await outcomeLater(() => poor.update('endpoints/e', lease))).toEqual(
      refused('cannot create resource "endpoints"'),
    );
  });
});

describe('delete', () => {
  test('an object goes at once and the answer is a Status', async () => {
    const h = await harness();
    await h.create('configmaps', configMap('a'));
    expect(await h.remove('configmaps/a')).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'a', kind: 'configmaps' },
    });
    expect(await outcomeLater(() => h.get('configmaps/a'))).toEqual(refused('not found'));
  });

  test('finalizers hold an object until the last one is taken away', async () => {
    const h = await harness();
    await h.create('configmaps', configMap('a', { metadata: { name: 'a', finalizers: ['example.com/x'] } }));
    expect((await h.remove('configmaps/a')).metadata.deletionTimestamp).toBe('2026-01-01T00:00:00Z');
    expect(
      await outcomeLater(() =>
        h.patch('configmaps/a', 'merge', { metadata: { finalizers: ['example.com/x', 'example.com/y'] } }),
      ),
    ).toEqual(refused('no new finalizers can be added if the object is being deleted'));
    await h.patch('configmaps/a', 'merge', { metadata: { finalizers: null } });
    expect(await outcomeLater(() => h.get('configmaps/a'))).toEqual(refused('not found'));
  });

  test.for([
    { policy: 'Foreground', finalizers: ['foregroundDeletion'] },
    { policy: 'Orphan', finalizers: ['orphan'] },
  ])('propagation $policy leaves $finalizers to the garbage collector', async ({ policy, finalizers }) => {
    const h = await harness();
    await h.create('apps/v1/deployments', deployment('d'));
    expect((await h.remove('apps/v1/deployments/d', { propagationPolicy: policy })).metadata.finalizers).toEqual(
      finalizers,
    );
  });

  test('preconditions have to hold', async () => {
    const h = await harness();
    const made = await h.create('configmaps', configMap('a'));
    expect(await outcomeLater(() => h.remove('configmaps/a', { preconditions: { uid: 'other' } }))).toEqual(
      refused('UID in precondition: other'),
    );
    expect(await outcomeLater(() => h.remove('configmaps/a', { preconditions: { resourceVersion: '1' } }))).toEqual(
      refused('ResourceVersion in precondition: 1'),
    );
    expect(await h.remove('configmaps/a', { preconditions: { uid: made.metadata.uid } })).toMatchObject({
      status: 'Success',
    });
  });

  test('an unscheduled pod goes at once, a bound one waits for its node', async () => {
    const h = await harness();
    await h.create('pods', pod('free'));
    expect(await h.remove('pods/free')).toMatchObject({ status: 'Success' });
    await h.create('pods', pod('bound', { nodeName: 'n1' }));
    expect((await h.remove('pods/bound')).metadata).toMatchObject({
      deletionGracePeriodSeconds: 30,
      deletionTimestamp: '2026-01-01T00:00:30Z',
    });
    expect((await h.remove('pods/bound', { gracePeriodSeconds: 5 })).metadata).toMatchObject({
      deletionGracePeriodSeconds: 5,
      deletionTimestamp: '2026-01-01T00:00:05Z',
    });
    expect((await h.remove('pods/bound', { gracePeriodSeconds: 60 })).metadata.deletionGracePeriodSeconds).toBe(5);
    expect(await h.remove('pods/bound', { gracePeriodSeconds: 0 })).toMatchObject({ status: 'Success' });
  });

  test('a namespace goes when its content is gone', async () => {
    const h = await harness();
    await h.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } }, {}, '');
    expect(at(await h.remove('namespaces/n'), 'status', 'phase')).toBe('Terminating');
    await h.update('namespaces/n/finalize', { ...(await h.get('namespaces/n', '')), spec: {} });
    expect(await outcomeLater(() => h.get('namespaces/n', ''))).toEqual(refused('not found'));
    expect(await outcomeLater(() => h.remove('namespaces/default'))).toEqual(
      refused('this namespace may not be deleted'),
    );
  });

  test('a collection is deleted by selector', async () => {
    const h = await harness();
    for (const name of ['a', 'b', 'c'])
      await h.create('configmaps', configMap(name, { metadata: { name, labels: { odd: String(name !== 'b') } } }));
    const list = { ...noList, labelSelector: 'odd=true' };
    const options = { dryRun: false, fieldManager: '', fieldValidation: 'Strict', force: false } as const;
    const gone = await h.resources.deleteCollection(
      h.call,
      target('configmaps'),
      { bytes: Buffer.alloc(0), contentType: '' },
      list,
      options,
    );
    expect(gone.items.map(({ key }) => key.name)).toEqual(['a', 'c']);
    expect((await h.resources.list(h.call, target('configmaps'), noList)).items.map(({ key }) => key.name)).toEqual([
      'b',
    ]);
  });
});

describe('list and watch', () => {
  test('pages show one revision; a token behind compaction is answered 410 with one that goes on', async () => {
    const h = await harness();
    for (const name of ['a', 'b', 'c']) await h.create('configmaps', configMap(name));
    const list = (more: object): ReturnType<typeof h.resources.list> =>
      h.resources.list(h.call, target('configmaps'), { ...noList, ...more });
    const first = await list({ limit: 1 });
    expect([first.items.length, first.remainingItemCount]).toEqual([1, 2]);
    await h.create('configmaps', configMap('ab'));
    const second = await list({ limit: 5, continue: first.continue });
    expect([second.items.map(({ key }) => key.name), second.resourceVersion]).toEqual([
      ['b', 'c'],
      first.resourceVersion,
    ]);
    h.store.compact(h.store.revision());
    const error = await list({ continue: first.continue }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'Expired' });
    const token = error instanceof StatusError ? error.continue : '';
    expect((await list({ continue: token })).items.map(({ key }) => key.name)).toEqual(['ab', 'b', 'c']);
    expect((await list({ labelSelector: 'a=b' })).remainingItemCount).toBeUndefined();
  });

  test.for([
    { options: { resourceVersionMatch: 'Exact' }, says: 'forbidden unless resourceVersion is provided' },
    { options: { resourceVersion: '0', resourceVersionMatch: 'Exact' }, says: 'forbidden for resourceVersion "0"' },
    { options: { resourceVersion: 'x' }, says: 'Invalid value' },
    { options: { continue: 'nonsense' }, says: 'continue key is not valid' },
    { options: { fieldSelector: 'nosuch=1' }, says: 'not a known field selector' },
  ])('a list with $options is refused', async ({ options, says }) => {
    const h = await harness();
    expect(await outcomeLater(() => h.resources.list(h.call, target('configmaps'), { ...noList, ...options }))).toEqual(
      refused(says),
    );
  });

  test('a watch begins with what is there and says where that ends', async () => {
    const h = await harness();
    await h.create('configmaps', configMap('a'));
    const items = await h.watch(
      'configmaps',
      { sendInitialEvents: true, allowWatchBookmarks: true, resourceVersionMatch: 'NotOlderThan' },
      2,
    );
    expect(items.map((item) => item.type)).toEqual(['ADDED', 'BOOKMARK']);
    expect(items[1]).toMatchObject({ initialEventsEnd: true });
  });

  test('an object that leaves the selection is deleted to its watcher', async () => {
    const h = await harness();
    const made = await h.create('configmaps', configMap('a', { metadata: { name: 'a', labels: { x: '1' } } }));
    await h.patch('configmaps/a', 'merge', { metadata: { labels: { x: '2' } } });
    await h.patch('configmaps/a', 'merge', { data: { b: '1' } });
    await h.patch('configmaps/a', 'merge', { metadata: { labels: { x: '1' } } });
    const items = await h.watch(
      'configmaps',
      { labelSelector: 'x=1', resourceVersion: made.metadata.resourceVersion ?? '' },
      2,
    );
    expect(items.map((item) => item.type)).toEqual(['DELETED', 'ADDED']);
  });

  test('a watch from a compacted revision is Expired', async () => {
    const h = await harness();
    await h.create('configmaps', configMap('a'));
    h.store.compact(h.store.revision() + 1n);
    expect(await outcomeLater(() => h.watch('configmaps', { resourceVersion: '1' }, 1))).toEqual(
      refused('too old resource version'),
    );
  });

  test('events have two faces of one object', async () => {
    const h = await harness();
    await h.create('events', {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e' },
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
      message: 'hello',
      type: 'Normal',
    });
    expect(await h.get('events.k8s.io/v1/events/e')).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      note: 'hello',
      regarding: { name: 'p' },
    });
  });
});
