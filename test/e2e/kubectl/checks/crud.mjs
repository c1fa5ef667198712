const cm = (name, data = { a: '1' }, metadata = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});

export const checks = {
  name: 'crud',
  checks: [
    {
      name: 'create, get and delete a ConfigMap',
      async run(t) {
        await t.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' }, data: { a: '1' } });
        const o = await t.json('get', 'configmap', 'one');
        t.equal(o.data, { a: '1' }, 'data');
        t.assert(/^[0-9a-f-]{36}$/.test(o.metadata.uid), 'uid is a UUID');
        t.assert(/^\d+$/.test(o.metadata.resourceVersion), 'resourceVersion is set');
        t.equal(o.metadata.namespace, t.ns, 'namespace');
        t.match(await t.ok('delete', 'configmap', 'one'), /configmap "one" deleted/);
        await t.refused(/Error from server \(NotFound\): configmaps "one" not found/, 'get', 'configmap', 'one');
      },
    },

    {
      name: 'generateName appends five characters',
      async run(t) {
        const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'gen-' } };
        const first = await t.create(body),
          second = await t.create(body);
        t.match(first, /^configmap\/gen-[a-z0-9]{5} created$/m);
        t.match(second, /^configmap\/gen-[a-z0-9]{5} created$/m);
        t.assert(first !== second, 'the two names differ');
        const o = await t.json('get', first.split(' ')[0]);
        t.equal(o.metadata.generateName, 'gen-', 'generateName is kept');
      },
    },

    {
      name: 'creating twice is AlreadyExists',
      async run(t) {
        await t.create(cm('twice'));
        await t.refused(
          /Error from server \(AlreadyExists\): error when creating "STDIN": configmaps "twice" already exists/,
          'create',
          '-f',
          '-',
          { stdin: JSON.stringify(cm('twice')) },
        );
        await t.ok('create', 'serviceaccount', 'twice');
        await t.refused(/serviceaccounts "twice" already exists/, 'create', 'serviceaccount', 'twice');
      },
    },

    {
      name: 'replace with a stale resourceVersion is a Conflict',
      async run(t) {
        await t.create(cm('stale'));
        const old = await t.json('get', 'configmap', 'stale');
        t.match(
          await t.ok('replace', '-f', '-', { stdin: JSON.stringify({ ...old, data: { a: '2' } }) }),
          /configmap\/stale replaced/,
        );
        await t.refused(
          /Error from server \(Conflict\):.*Operation cannot be fulfilled on configmaps "stale": the object has been modified; please apply your changes to the latest version and try again/,
          'replace',
          '-f',
          '-',
          { stdin: JSON.stringify({ ...old, data: { a: '3' } }) },
        );
        t.equal((await t.json('get', 'configmap', 'stale')).data, { a: '2' }, 'data');
      },
    },

    {
      name: 'replace without a resourceVersion overwrites, of a missing object is NotFound',
      async run(t) {
        await t.create(cm('over', { a: '1', b: '1' }));
        const before = await t.json('get', 'configmap', 'over');
        await t.ok('replace', '-f', '-', { stdin: JSON.stringify(cm('over', { c: '3' })) });
        const after = await t.json('get', 'configmap', 'over');
        t.equal(after.data, { c: '3' }, 'data');
        t.equal(after.metadata.uid, before.metadata.uid, 'uid');
        t.assert(after.metadata.resourceVersion !== before.metadata.resourceVersion, 'resourceVersion moved on');
        await t.refused(/NotFound.*configmaps "nosuch" not found/, 'replace', '-f', '-', {
          stdin: JSON.stringify(cm('nosuch')),
        });
      },
    },

    {
      name: 'replace --force makes a new object',
      async run(t) {
        await t.create(cm('forced'));
        const before = await t.json('get', 'configmap', 'forced');
        t.match(
          await t.ok('replace', '--force', '-f', '-', { stdin: JSON.stringify(cm('forced', { b: '2' })) }),
          /configmap\/forced replaced/,
        );
        const after = await t.json('get', 'configmap', 'forced');
        t.assert(after.metadata.uid !== before.metadata.uid, 'uid is new');
        t.equal(after.data, { b: '2' }, 'data');
      },
    },

    {
      name: 'get by several names, one of them missing',
      async run(t) {
        await t.apply(cm('n1'), cm('n2'));
        t.equal(await t.ok('get', 'configmap', 'n1', 'n2', '-o', 'name'), 'configmap/n1\nconfigmap/n2\n', 'names');
        const list = await t.json('get', 'configmap/n2', 'configmap/n1');
        t.equal([list.kind, list.items.map((i) => i.metadata.name)], ['List', ['n2', 'n1']], 'list');
        const r = await t.refused(
          /Error from server \(NotFound\): configmaps "n3" not found/,
          'get',
          'configmap',
          'n1',
          'n3',
          '-o',
          'name',
        );
        t.equal(r.code, 1, 'exit code');
        t.match(r.out, /^configmap\/n1$/m, 'the one that exists is printed');
      },
    },

    {
      name: 'output forms: name, yaml, jsonpath, custom-columns, go-template',
      async run(t) {
        await t.create(cm('forms', { key: 'value' }));
        const get = (o) => t.ok('get', 'configmap', 'forms', '-o', o);
        t.equal(await get('name'), 'configmap/forms\n', 'name');
        const yaml = await get('yaml');
        t.match(yaml, /^apiVersion: v1$/m, 'yaml');
        t.match(yaml, /^kind: ConfigMap$/m, 'yaml');
        t.match(yaml, /^ {2}key: value$/m, 'yaml');
        t.equal(await get('jsonpath={.data.key}'), 'value', 'jsonpath');
        t.equal(await get('go-template={{.data.key}}/{{.metadata.name}}'), 'value/forms', 'go-template');
        const rows = (await get('custom-columns=NAME:.metadata.name,K:.data.key,NONE:.data.nosuch'))
          .trim()
          .split('\n')
          .map((l) => l.split(/\s+/).filter(Boolean));
        t.equal(
          rows,
          [
            ['NAME', 'K', 'NONE'],
            ['forms', 'value', '<none>'],
          ],
          'custom-columns',
        );
      },
    },

    {
      name: 'get -A lists every namespace with a NAMESPACE column',
      async run(t) {
        await t.create(cm('everywhere'));
        const out = await t.ok('get', 'configmaps', '-A');
        t.match(out, /^NAMESPACE\s+NAME\s+DATA\s+AGE$/m);
        t.match(out, new RegExp(`^${t.ns}\\s+everywhere\\s+1\\s`, 'm'));
        const other = `${t.ns}-b`;
        await t.ok('create', 'namespace', other);
        try {
          await t.ok('create', 'configmap', 'everywhere', '-n', other);
          const found = (await t.json('get', 'configmaps', '-A', '--field-selector', 'metadata.name=everywhere')).items
            .map((i) => i.metadata.namespace)
            .toSorted();
          t.assert(found.includes(t.ns) && found.includes(other), `both namespaces are listed: ${found}`);
        } finally {
          await t.ok('delete', 'namespace', other, '--wait=false');
        }
      },
    },

    {
      name: 'delete -l takes the matching ones, --all the rest',
      async run(t) {
        for (const [name, label] of [
          ['s1', 'go'],
          ['s2', 'go'],
          ['s3', 'stay'],
        ])
          await t.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name, labels: { what: label } } });
        const out = await t.ok('delete', 'secrets', '-l', 'what=go');
        t.match(out, /secret "s1" deleted/);
        t.match(out, /secret "s2" deleted/);
        t.equal(await t.ok('get', 'secrets', '-l', 'what', '-o', 'name'), 'secret/s3\n', 'left');
        t.match(await t.ok('delete', 'secrets', '--all'), /secret "s3" deleted/);
        t.equal(await t.ok('get', 'secrets', '-l', 'what', '-o', 'name'), '', 'left');
      },
    },

    {
      name: '--ignore-not-found',
      async run(t) {
        const got = await t.kubectl(['-n', t.ns, 'get', 'configmap', 'absent', '--ignore-not-found']);
        t.equal([got.code, got.out], [0, ''], 'get');
        await t.ok('delete', 'configmap', 'absent', '--ignore-not-found');
        const r = await t.refused(
          /Error from server \(NotFound\): configmaps "absent" not found/,
          'delete',
          'configmap',
          'absent',
        );
        t.equal(r.code, 1, 'exit code');
      },
    },

    {
      name: 'an empty list says so on stderr and exits 0',
      async run(t) {
        const r = await t.kubectl(['-n', t.ns, 'get', 'cronjobs']);
        t.equal([r.code, r.out], [0, ''], 'result');
        t.match(r.err, new RegExp(`No resources found in ${t.ns} namespace\\.`));
      },
    },

    {
      name: 'a finalizer holds the object back until it is removed',
      async run(t) {
        await t.create(cm('held', {}, { finalizers: ['example.com/hold'] }));
        await t.ok('delete', 'configmap', 'held', '--wait=false');
        const o = await t.json('get', 'configmap', 'held');
        t.match(o.metadata.deletionTimestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'deletionTimestamp');
        await t.ok('patch', 'configmap', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
        await t.until(
          'the object to go',
          async () => (await t.kubectl(['-n', t.ns, 'get', 'configmap', 'held'])).err.includes('NotFound'),
          5000,
        );
      },
    },

    {
      name: 'generation follows the spec, not the labels',
      async run(t) {
        await t.create(t.deployment('gen', 0));
        const read = async () => (await t.json('get', 'deployment', 'gen')).metadata.generation;
        t.equal(await read(), 1, 'at first');
        await t.ok('label', 'deployment', 'gen', 'x=y');
        t.equal(await read(), 1, 'after a label');
        await t.ok('patch', 'deployment', 'gen', '-p', '{"spec":{"minReadySeconds":1}}');
        t.equal(await read(), 2, 'after a change of spec');
      },
    },

    {
      name: 'label and annotate: add, refuse to overwrite, overwrite, remove',
      async run(t) {
        await t.create(cm('tags'));
        t.match(await t.ok('label', 'configmap', 'tags', 'a=1'), /configmap\/tags labeled/);
        await t.refused(/'a' already has a value \(1\), and --overwrite is false/, 'label', 'configmap', 'tags', 'a=2');
        await t.ok('label', 'configmap', 'tags', 'a=2', '--overwrite');
        t.equal((await t.json('get', 'configmap', 'tags')).metadata.labels, { a: '2' }, 'labels');
        t.match(await t.ok('label', 'configmap', 'tags', 'a-'), /configmap\/tags unlabeled/);
        t.match(await t.ok('annotate', 'configmap', 'tags', 'note=hello world'), /configmap\/tags annotated?/);
        const { metadata } = await t.json('get', 'configmap', 'tags');
        t.equal([metadata.labels?.a, metadata.annotations.note], [undefined, 'hello world'], 'metadata');
      },
    },

    {
      name: 'edit through an editor command',
      async run(t) {
        await t.create(cm('edited', { word: 'before' }));
        t.match(
          await t.ok('edit', 'configmap', 'edited', { env: { KUBE_EDITOR: 'sed -i s/before/after/' } }),
          /configmap\/edited edited/,
        );
        t.equal((await t.json('get', 'configmap', 'edited')).data, { word: 'after' }, 'data');
      },
    },
  ],
};
