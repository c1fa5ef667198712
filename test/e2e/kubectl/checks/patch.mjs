import { withCrd } from './crd.mjs';

const cm = (name, data = { a: '1' }, metadata = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});
const patch = (t, what, type, body, ...more) =>
  t.ok('patch', ...what.split('/'), `--type=${type}`, '-p', JSON.stringify(body), ...more);
const refused = (t, pattern, what, type, body, ...more) =>
  t.refused(pattern, 'patch', ...what.split('/'), `--type=${type}`, '-p', JSON.stringify(body), ...more);
const template = (containers, more = {}) => ({ spec: { template: { spec: { containers, ...more } } } });
const containers = async (t, name) => (await t.json('get', 'deployment', name)).spec.template.spec.containers;

export const checks = {
  name: 'patch',
  checks: [
    {
      name: 'json: add, replace, remove, copy, move and test',
      async run(t) {
        await t.create(cm('ops', { a: '1', b: '2', c: '3' }));
        const out = await patch(t, 'configmap/ops', 'json', [
          { op: 'test', path: '/data/a', value: '1' },
          { op: 'add', path: '/data/new', value: 'n' },
          { op: 'replace', path: '/data/a', value: '9' },
          { op: 'remove', path: '/data/b' },
          { op: 'copy', from: '/data/a', path: '/data/copy' },
          { op: 'move', from: '/data/c', path: '/data/moved' },
        ]);
        t.equal(out, 'configmap/ops patched\n', 'output');
        const { data } = await t.json('get', 'configmap', 'ops');
        t.equal(
          Object.entries(data).toSorted(),
          [
            ['a', '9'],
            ['copy', '9'],
            ['moved', '3'],
            ['new', 'n'],
          ],
          'data',
        );
      },
    },

    {
      name: 'json: slashes in a key are escaped, "-" appends',
      async run(t) {
        await t.create(cm('escape', {}, { annotations: { 'example.com/x': '1' }, finalizers: ['example.com/a'] }));
        await patch(t, 'configmap/escape', 'json', [
          { op: 'replace', path: '/metadata/annotations/example.com~1x', value: '2' },
          { op: 'add', path: '/metadata/finalizers/-', value: 'example.com/b' },
        ]);
        const { metadata } = await t.json('get', 'configmap', 'escape');
        t.equal(
          [metadata.annotations['example.com/x'], metadata.finalizers],
          ['2', ['example.com/a', 'example.com/b']],
          'metadata',
        );
        await patch(t, 'configmap/escape', 'json', [{ op: 'remove', path: '/metadata/finalizers' }]);
      },
    },

    {
      name: 'json: a failing test, or a missing path, changes nothing',
      async run(t) {
        await t.create(cm('guarded'));
        const r = await refused(t, /invalid|test/i, 'configmap/guarded', 'json', [
          { op: 'replace', path: '/data/a', value: '2' },
          { op: 'test', path: '/data/a', value: 'other' },
        ]);
        t.equal(r.code, 1, 'exit code');
        await refused(t, /invalid|path|missing/i, 'configmap/guarded', 'json', [
          { op: 'remove', path: '/data/nosuch' },
        ]);
        t.equal((await t.json('get', 'configmap', 'guarded')).data, { a: '1' }, 'data');
      },
    },

    {
      name: 'merge: null removes, objects merge, lists are replaced',
      async run(t) {
        await t.create(cm('merge', { a: '1', b: '2' }));
        await patch(t, 'configmap/merge', 'merge', { data: { a: null, c: '3' } });
        t.equal((await t.json('get', 'configmap', 'merge')).data, { b: '2', c: '3' }, 'data');
        await t.create(t.deployment('merge', 0, { container: { env: [{ name: 'A', value: '1' }] } }));
        await patch(t, 'deployment/merge', 'merge', template([{ ...t.container(), env: [{ name: 'B', value: '2' }] }]));
        t.equal((await containers(t, 'merge'))[0].env, [{ name: 'B', value: '2' }], 'env');
      },
    },

    {
      name: 'strategic: containers and env merge by name',
      async run(t) {
        await t.create(
          t.deployment('named', 0, {
            container: {
              env: [
                { name: 'A', value: '1' },
                { name: 'B', value: '1' },
              ],
            },
          }),
        );
        await t.ok(
          'patch',
          'deployment',
          'named',
          '-p',
          JSON.stringify(
            template([
              {
                name: 'main',
                env: [
                  { name: 'B', value: '2' },
                  { name: 'C', value: '3' },
                ],
              },
              { ...t.container(), name: 'side' },
            ]),
          ),
        );
        const list = await containers(t, 'named');
        t.equal(list.map((c) => c.name).toSorted(), ['main', 'side'], 'containers');
        t.equal(
          list
            .find((c) => c.name === 'main')
            .env.map((e) => `${e.name}=${e.value}`)
            .toSorted(),
          ['A=1', 'B=2', 'C=3'],
          'env',
        );
      },
    },

    {
      name: 'strategic: $patch delete and replace',
      async run(t) {
        const d = t.deployment('directives', 0, {
          container: {
            env: [
              { name: 'A', value: '1' },
              { name: 'B', value: '1' },
            ],
          },
        });
        d.spec.template.spec.containers.push({ ...t.container(), name: 'side' });
        await t.create(d);
        await patch(
          t,
          'deployment/directives',
          'strategic',
          template([
            { name: 'main', env: [{ name: 'A', $patch: 'delete' }] },
            { name: 'side', $patch: 'delete' },
          ]),
        );
        t.equal(
          (await containers(t, 'directives')).map((c) => [c.name, c.env]),
          [['main', [{ name: 'B', value: '1' }]]],
          'after delete',
        );
        await patch(
          t,
          'deployment/directives',
          'strategic',
          template([{ $patch: 'replace' }, { ...t.container(), name: 'only' }]),
        );
        t.equal(
          (await containers(t, 'directives')).map((c) => c.name),
          ['only'],
          'after replace',
        );
      },
    },

    {
      name: 'strategic: $retainKeys on the strategy',
      async run(t) {
        await t.create(t.deployment('retain', 0));
        t.assert(
          (await t.json('get', 'deployment', 'retain')).spec.strategy.rollingUpdate,
          'rollingUpdate is defaulted',
        );
        await refused(
          t,
          /spec\.strategy\.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'/,
          'deployment/retain',
          'strategic',
          { spec: { strategy: { type: 'Recreate' } } },
        );
        await patch(t, 'deployment/retain', 'strategic', {
          spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
        });
        t.equal((await t.json('get', 'deployment', 'retain')).spec.strategy, { type: 'Recreate' }, 'strategy');
      },
    },

    {
      name: 'strategic: primitive lists merge, $deleteFromPrimitiveList takes away',
      async run(t) {
        await t.create(cm('primitive', {}, { finalizers: ['example.com/a'] }));
        await patch(t, 'configmap/primitive', 'strategic', { metadata: { finalizers: ['example.com/b'] } });
        t.equal(
          [...(await t.json('get', 'configmap', 'primitive')).metadata.finalizers].toSorted(),
          ['example.com/a', 'example.com/b'],
          'merged',
        );
        await patch(t, 'configmap/primitive', 'strategic', {
          metadata: { '$deleteFromPrimitiveList/finalizers': ['example.com/a'] },
        });
        t.equal((await t.json('get', 'configmap', 'primitive')).metadata.finalizers, ['example.com/b'], 'taken away');
        await patch(t, 'configmap/primitive', 'merge', { metadata: { finalizers: null } });
      },
    },

    {
      name: 'strategic: $setElementOrder decides the order',
      async run(t) {
        await t.create(
          t.deployment('order', 0, {
            container: {
              env: [
                { name: 'A', value: '1' },
                { name: 'B', value: '1' },
              ],
            },
          }),
        );
        await patch(
          t,
          'deployment/order',
          'strategic',
          template([
            {
              name: 'main',
              '$setElementOrder/env': [{ name: 'C' }, { name: 'B' }, { name: 'A' }],
              env: [{ name: 'C', value: '1' }],
            },
          ]),
        );
        t.equal(
          (await containers(t, 'order'))[0].env.map((e) => e.name),
          ['C', 'B', 'A'],
          'order',
        );
      },
    },

    {
      name: '--subresource=status and the main resource keep to their own part',
      async run(t) {
        const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
        await withCrd(t, { spec: open, status: open, version: { subresources: { status: {} } } }, async (crd) => {
          await t.create(crd.object('one', { a: 1 }));
          await patch(t, `${crd.resource}/one`, 'merge', { spec: { a: 2 }, status: { s: 1 } }, '--subresource=status');
          const first = await t.json('get', crd.resource, 'one');
          t.equal(
            [first.spec, first.status, first.metadata.generation],
            [{ a: 1 }, { s: 1 }, 1],
            'after the status patch',
          );
          await patch(t, `${crd.resource}/one`, 'merge', { spec: { a: 3 }, status: { s: 2 } });
          const second = await t.json('get', crd.resource, 'one');
          t.equal(
            [second.spec, second.status, second.metadata.generation],
            [{ a: 3 }, { s: 1 }, 2],
            'after the main patch',
          );
        });
      },
    },

    {
      name: '--subresource=scale changes the replicas',
      async run(t) {
        await t.create(t.deployment('scaled', 0));
        await patch(t, 'deployment/scaled', 'merge', { spec: { replicas: 1 } }, '--subresource=scale');
        t.equal((await t.json('get', 'deployment', 'scaled')).spec.replicas, 1, 'replicas');
        const scale = await t.json('get', 'deployment', 'scaled', '--subresource=scale');
        t.equal([scale.kind, scale.apiVersion, scale.spec.replicas], ['Scale', 'autoscaling/v1', 1], 'scale');
        await t.ok('delete', 'deployment', 'scaled', '--wait=false');
      },
    },

    {
      name: 'a custom resource takes no strategic merge patch',
      async run(t) {
        await withCrd(t, {}, async (crd) => {
          await t.create(crd.object('one', { a: 1 }));
          await refused(
            t,
            // kubectl puts the server's sentence into one of its own.
            /strategic-merge-patch\+json is not supported by .*Kind=Widget: the body of the request was in an unknown format - accepted media types include: application\/json-patch\+json, application\/merge-patch\+json/,
            `${crd.resource}/one`,
            'strategic',
            { spec: { a: 2 } },
          );
          await patch(t, `${crd.resource}/one`, 'json', [{ op: 'replace', path: '/spec/a', value: 3 }]);
          t.equal((await t.json('get', crd.resource, 'one')).spec, { a: 3 }, 'spec');
        });
      },
    },

    {
      name: 'a patch that changes nothing says so and keeps the resourceVersion',
      async run(t) {
        await t.create(cm('same'));
        const before = await t.json('get', 'configmap', 'same');
        t.equal(
          await patch(t, 'configmap/same', 'merge', { data: { a: '1' } }),
          'configmap/same patched (no change)\n',
          'output',
        );
        t.equal(
          (await t.json('get', 'configmap', 'same')).metadata.resourceVersion,
          before.metadata.resourceVersion,
          'resourceVersion',
        );
      },
    },

    {
      name: 'a stale resourceVersion in the patch is a Conflict, a missing object NotFound, a new name refused',
      async run(t) {
        await t.create(cm('stale'));
        const { resourceVersion } = (await t.json('get', 'configmap', 'stale')).metadata;
        await patch(t, 'configmap/stale', 'merge', { metadata: { resourceVersion }, data: { a: '2' } });
        await refused(
          t,
          /Conflict.*Operation cannot be fulfilled on configmaps "stale": the object has been modified/,
          'configmap/stale',
          'merge',
          { metadata: { resourceVersion }, data: { a: '3' } },
        );
        await refused(t, /Error from server \(NotFound\): configmaps "nosuch" not found/, 'configmap/nosuch', 'merge', {
          data: { a: '3' },
        });
        await refused(t, /metadata\.name|name of the object/, 'configmap/stale', 'merge', {
          metadata: { name: 'renamed' },
        });
      },
    },
  ],
};
