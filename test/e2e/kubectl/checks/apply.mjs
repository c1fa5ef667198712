import { withCrd } from './crd.mjs';

const LAST = 'kubectl.kubernetes.io/last-applied-configuration';
const cm = (name, data, metadata = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});
const mainOf = (deployment) => deployment.spec.template.spec.containers.find((c) => c.name === 'main');

export const checks = {
  name: 'apply',
  checks: [
    {
      name: 'created, unchanged, configured',
      async run(t) {
        t.equal(await t.apply(cm('steps', { a: '1' })), 'configmap/steps created\n', 'first');
        const { metadata } = await t.json('get', 'configmap', 'steps');
        t.equal(await t.apply(cm('steps', { a: '1' })), 'configmap/steps unchanged\n', 'second');
        t.equal(
          (await t.json('get', 'configmap', 'steps')).metadata.resourceVersion,
          metadata.resourceVersion,
          'resourceVersion',
        );
        t.equal(await t.apply(cm('steps', { a: '2' })), 'configmap/steps configured\n', 'third');
        const after = await t.json('get', 'configmap', 'steps');
        t.equal([after.data, after.metadata.uid], [{ a: '2' }, metadata.uid], 'object');
      },
    },

    {
      name: 'the last-applied annotation holds what was applied',
      async run(t) {
        await t.apply(cm('last', { a: '1' }, { labels: { l: 'x' } }));
        const read = async () => JSON.parse((await t.json('get', 'configmap', 'last')).metadata.annotations[LAST]);
        const first = await read();
        t.equal(
          [
            first.apiVersion,
            first.kind,
            first.data,
            first.metadata.name,
            first.metadata.namespace,
            first.metadata.labels,
          ],
          ['v1', 'ConfigMap', { a: '1' }, 'last', t.ns, { l: 'x' }],
          'first',
        );
        t.assert(!first.metadata.uid && !first.metadata.annotations?.[LAST], 'only what was given');
        await t.apply(cm('last', { b: '2' }));
        t.equal((await read()).data, { b: '2' }, 'second');
        t.equal(
          JSON.parse(await t.ok('apply', 'view-last-applied', 'configmap/last', '-o', 'json')).data,
          { b: '2' },
          'view-last-applied',
        );
      },
    },

    {
      name: 'a key left out is removed, a key of another writer is kept',
      async run(t) {
        await t.apply(cm('three', { keep: '1', drop: '1' }, { labels: { mine: 'x', gone: 'x' } }));
        await t.ok(
          'patch',
          'configmap',
          'three',
          '--type=merge',
          '-p',
          '{"data":{"theirs":"1"},"metadata":{"labels":{"theirs":"x"}}}',
        );
        await t.apply(cm('three', { keep: '2' }, { labels: { mine: 'x' } }));
        const o = await t.json('get', 'configmap', 'three');
        t.equal([o.data.keep, o.data.drop, o.data.theirs], ['2', undefined, '1'], 'data');
        t.equal(
          [o.metadata.labels.mine, o.metadata.labels.gone, o.metadata.labels.theirs],
          ['x', undefined, 'x'],
          'labels',
        );
      },
    },

    {
      name: 'a value changed by another writer is put back',
      async run(t) {
        await t.apply(cm('drift', { a: 'mine' }));
        await t.ok('patch', 'configmap', 'drift', '--type=merge', '-p', '{"data":{"a":"theirs"}}');
        t.equal(await t.apply(cm('drift', { a: 'mine' })), 'configmap/drift configured\n', 'output');
        t.equal((await t.json('get', 'configmap', 'drift')).data, { a: 'mine' }, 'data');
      },
    },

    {
      name: 'environment variables merge by name',
      async run(t) {
        const make = (env) => t.deployment('envs', 0, { container: { env } });
        await t.apply(
          make([
            { name: 'A', value: '1' },
            { name: 'B', value: '1' },
          ]),
        );
        await t.ok(
          'patch',
          'deployment',
          'envs',
          '-p',
          JSON.stringify({
            spec: { template: { spec: { containers: [{ name: 'main', env: [{ name: 'THEIRS', value: '1' }] }] } } },
          }),
        );
        await t.apply(make([{ name: 'A', value: '2' }]));
        const env = mainOf(await t.json('get', 'deployment', 'envs')).env;
        t.equal(
          Object.fromEntries(env.map((e) => [e.name, e.value])),
          Object.fromEntries(env.map((e) => [e.name, { A: '2', THEIRS: '1' }[e.name]])),
          'values',
        );
        t.equal(env.map((e) => e.name).toSorted(), ['A', 'THEIRS'], 'names');
      },
    },

    {
      name: 'containers merge by name, and one left out is removed',
      async run(t) {
        const side = { ...t.container(), name: 'side' };
        const make = (containers) => {
          const d = t.deployment('boxes', 0);
          d.spec.template.spec.containers = containers;
          return d;
        };
        await t.apply(make([t.container(), side]));
        await t.ok(
          'patch',
          'deployment',
          'boxes',
          '-p',
          JSON.stringify({
            spec: {
              template: {
                spec: {
                  containers: [
                    { ...t.container(), name: 'theirs' },
                    { name: 'main', workingDir: '/tmp' },
                  ],
                },
              },
            },
          }),
        );
        await t.apply(make([t.container('sleep 7')]));
        const d = await t.json('get', 'deployment', 'boxes');
        t.equal(d.spec.template.spec.containers.map((c) => c.name).toSorted(), ['main', 'theirs'], 'containers');
        t.equal([mainOf(d).command[2], mainOf(d).workingDir], ['sleep 7', '/tmp'], 'main');
      },
    },

    {
      name: 'container ports and Service ports merge by number',
      async run(t) {
        const make = (ports) => t.deployment('ports', 0, { container: { ports } });
        await t.apply(make([{ containerPort: 80, name: 'web' }, { containerPort: 81 }]));
        await t.apply(make([{ containerPort: 80, name: 'www' }]));
        t.equal(
          mainOf(await t.json('get', 'deployment', 'ports')).ports.map((p) => [p.containerPort, p.name, p.protocol]),
          [[80, 'www', 'TCP']],
          'container ports',
        );
        const service = (ports) => ({
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'ports' },
          spec: { selector: { app: 'ports' }, ports },
        });
        await t.apply(
          service([
            { name: 'a', port: 80 },
            { name: 'b', port: 81 },
          ]),
        );
        await t.ok('patch', 'service', 'ports', '-p', '{"spec":{"ports":[{"name":"c","port":82}]}}');
        await t.apply(service([{ name: 'a', port: 80, targetPort: 8080 }]));
        const ports = (await t.json('get', 'service', 'ports')).spec.ports
          .map((p) => [p.name, p.port, p.targetPort])
          .toSorted();
        t.equal(
          ports,
          [
            ['a', 80, 8080],
            ['c', 82, 82],
          ],
          'Service ports',
        );
      },
    },

    {
      name: 'a defaulted field goes back to its default when left out',
      async run(t) {
        const full = t.deployment('defaults', 0, { spec: { revisionHistoryLimit: 3 } });
        await t.apply(full);
        t.equal((await t.json('get', 'deployment', 'defaults')).spec.revisionHistoryLimit, 3, 'set');
        delete full.spec.revisionHistoryLimit;
        await t.apply(full);
        t.equal((await t.json('get', 'deployment', 'defaults')).spec.revisionHistoryLimit, 10, 'default');
      },
    },

    {
      name: 'apply over a created object warns and adopts it',
      async run(t) {
        await t.create(cm('adopted', { a: '1', theirs: '1' }));
        const r = await t.kubectl(['-n', t.ns, 'apply', '-f', '-'], {
          stdin: JSON.stringify(cm('adopted', { a: '2' })),
        });
        t.equal(r.code, 0, 'exit code');
        t.match(
          r.err,
          /Warning: resource configmaps\/adopted is missing the kubectl\.kubernetes\.io\/last-applied-configuration annotation/,
        );
        t.match(r.out, /configmap\/adopted configured/);
        t.equal((await t.json('get', 'configmap', 'adopted')).data, { a: '2', theirs: '1' }, 'data');
      },
    },

    {
      name: 'several documents: the good ones are applied though one fails',
      async run(t) {
        const file = t.file(
          'several.yaml',
          [
            '---',
            'apiVersion: v1',
            'kind: ConfigMap',
            'metadata: {name: good-1}',
            '---',
            'apiVersion: v1',
            'kind: ConfigMap',
            'metadata: {name: Bad_Name}',
            '---',
            'apiVersion: v1',
            'kind: ConfigMap',
            'metadata: {name: good-2}',
            '',
          ].join('\n'),
        );
        const r = await t.refused(/The ConfigMap "Bad_Name" is invalid/, 'apply', '-f', file);
        t.equal(r.code, 1, 'exit code');
        t.match(r.out, /configmap\/good-1 created/);
        t.match(r.out, /configmap\/good-2 created/);
        await t.ok('get', 'configmap', 'good-1', 'good-2');
      },
    },

    {
      name: 'a custom resource is merged as JSON: keys merge, lists are replaced whole',
      async run(t) {
        await withCrd(t, {}, async (crd) => {
          await t.apply(crd.object('one', { a: 1, b: 2, list: [{ name: 'x' }, { name: 'y' }] }));
          await t.ok('patch', crd.resource, 'one', '--type=merge', '-p', '{"spec":{"theirs":3,"list":[{"name":"z"}]}}');
          t.match(await t.apply(crd.object('one', { a: 5, list: [{ name: 'x' }] })), /\/one configured/);
          const { spec } = await t.json('get', crd.resource, 'one');
          t.equal([spec.a, spec.b, spec.theirs, spec.list], [5, undefined, 3, [{ name: 'x' }]], 'spec');
          t.match(await t.apply(crd.object('one', { a: 5, list: [{ name: 'x' }] })), /\/one unchanged/);
        });
      },
    },

    {
      name: '--prune with an allowlist removes what left the set',
      async run(t) {
        const labels = { set: 'pruned' };
        const send = (...items) =>
          t.ok('apply', '--prune', '-l', 'set=pruned', '--prune-allowlist=core/v1/ConfigMap', '-f', '-', {
            stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
          });
        await t.create(cm('by-hand', { a: '1' }, { labels }));
        await t.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'other-kind', labels } });
        await send(cm('p1', { a: '1' }, { labels }), cm('p2', { a: '1' }, { labels }));
        const out = await send(cm('p1', { a: '1' }, { labels }));
        t.match(out, /configmap\/p1 unchanged/);
        t.match(out, /configmap\/p2 pruned/);
        await t.refused(/configmaps "p2" not found/, 'get', 'configmap', 'p2');
        await t.ok('get', 'configmap', 'by-hand', 'p1');
        await t.ok('get', 'secret', 'other-kind');
      },
    },
  ],
};
