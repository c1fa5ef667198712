// ConfigMaps, Secrets, projected data and ServiceAccount tokens as containers see them.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
const cm = (name, data, extra = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data, ...extra });
const secret = (name, stringData, extra = {}) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData,
  ...extra,
});
const at = (mountPath, extra = {}) => ({ volumeMounts: [{ name: 'v', mountPath, ...extra }] });
const vol = (source) => ({ volumes: [{ name: 'v', ...source }] });
const un64 = (s) => Buffer.from(s, 'base64').toString();
/** Runs a pod to its end and returns its log. */
async function outcome(t, pod) {
  await t.apply({ ...pod, spec: { restartPolicy: 'Never', ...pod.spec } });
  const { name } = pod.metadata;
  await t.until(
    `${name} to end`,
    async () => /Succeeded|Failed/.test((await t.json('get', 'pod', name)).status.phase),
    60_000,
  );
  return t.ok('logs', name);
}
const running = (t, name) =>
  t.ok('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s', { timeoutMs: 65_000 });
const cat = async (t, pod, path) => (await t.ok('exec', pod, '--', '/bin/sh', '-c', `cat ${path}`)).trim();

export const checks = {
  name: 'config',
  checks: [
    {
      name: 'ConfigMap and Secret as volumes: one file per key',
      async run(t) {
        await t.apply(
          cm(
            'files',
            { one: 'first\n', 'two.txt': 'second\n' },
            { binaryData: { raw: Buffer.from('bytes\n').toString('base64') } },
          ),
          secret('safe', { pin: '4711' }),
        );
        const log = await outcome(
          t,
          t.pod('reads', 'cat /gh-c/one /gh-c/two.txt /gh-c/raw; cat /gh-s/pin', {
            spec: {
              volumes: [
                { name: 'v', configMap: { name: 'files' } },
                { name: 's', secret: { secretName: 'safe' } },
              ],
            },
            container: {
              volumeMounts: [
                { name: 'v', mountPath: '/gh-c' },
                { name: 's', mountPath: '/gh-s', readOnly: true },
              ],
            },
          }),
        );
        t.equal(log.trim().split('\n'), ['first', 'second', 'bytes', '4711'], 'what the pod read');
      },
    },
    {
      name: 'a change of a ConfigMap and of a Secret reaches the mounted files, but not a subPath mount',
      async run(t) {
        await t.apply(
          cm('live', { k: 'old' }),
          secret('lives', { k: 'old' }),
          t.pod('follow', 'sleep 3600', {
            spec: {
              volumes: [
                { name: 'v', configMap: { name: 'live' } },
                { name: 's', secret: { secretName: 'lives' } },
              ],
            },
            container: {
              volumeMounts: [
                { name: 'v', mountPath: '/gh-c' },
                { name: 's', mountPath: '/gh-s' },
                { name: 'v', mountPath: '/gh-sub/k', subPath: 'k' },
              ],
            },
          }),
        );
        await running(t, 'follow');
        t.equal(
          [await cat(t, 'follow', '/gh-c/k'), await cat(t, 'follow', '/gh-s/k'), await cat(t, 'follow', '/gh-sub/k')],
          ['old', 'old', 'old'],
          'before',
        );
        await t.apply(cm('live', { k: 'new' }), secret('lives', { k: 'new' }));
        await t.until('the new ConfigMap data', async () => (await cat(t, 'follow', '/gh-c/k')) === 'new', 100_000);
        await t.until('the new Secret data', async () => (await cat(t, 'follow', '/gh-s/k')) === 'new', 60_000);
        t.equal(await cat(t, 'follow', '/gh-sub/k'), 'old', 'the subPath file');
        await t.ok('delete', 'pod', 'follow');
      },
      timeoutMs: 260_000,
    },
    {
      name: 'subPath mounts one file and leaves the rest of the volume out',
      async run(t) {
        await t.apply(cm('parts', { a: 'A\n', b: 'B\n' }));
        t.equal(
          (
            await outcome(
              t,
              t.pod('single', 'cat /gh-one/a; test -e /gh-one/b || echo no-b', {
                spec: vol({ configMap: { name: 'parts' } }),
                container: at('/gh-one/a', { subPath: 'a' }),
              }),
            )
          )
            .trim()
            .split('\n'),
          ['A', 'no-b'],
          'log',
        );
      },
    },
    {
      name: 'items choose keys and paths, with a mode of their own',
      async run(t) {
        await t.apply(cm('chosen', { a: 'A\n', b: 'B\n' }));
        const log = await outcome(
          t,
          t.pod('items', 'cat /gh-i/deep/renamed; test -e /gh-i/b || echo no-b; ls -lL /gh-i/deep/renamed', {
            spec: vol({ configMap: { name: 'chosen', items: [{ key: 'a', path: 'deep/renamed', mode: 0o400 }] } }),
            container: at('/gh-i'),
          }),
        );
        t.match(log, /^A\nno-b\n-r--------/, 'log');
      },
    },
    {
      name: 'a projected volume joins ConfigMap, Secret and pod fields',
      async run(t) {
        await t.apply(cm('pc', { c: 'from-cm\n' }), secret('ps', { s: 'from-secret\n' }));
        const log = await outcome(
          t,
          t.pod('joined', 'cat /gh-p/c /gh-p/in/s /gh-p/name', {
            container: at('/gh-p'),
            spec: vol({
              projected: {
                sources: [
                  { configMap: { name: 'pc' } },
                  { secret: { name: 'ps', items: [{ key: 's', path: 'in/s' }] } },
                  { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
                ],
              },
            }),
          }),
        );
        t.equal(log.trim().split('\n'), ['from-cm', 'from-secret', 'joined'], 'log');
      },
    },
    {
      name: 'a downwardAPI volume writes labels and annotations and follows them',
      async run(t) {
        await t.apply(
          t.pod('down', 'sleep 3600', {
            metadata: { labels: { tier: 'front' }, annotations: { note: 'n1' } },
            container: at('/gh-d'),
            spec: vol({
              downwardAPI: {
                items: [
                  { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
                  { path: 'note', fieldRef: { fieldPath: "metadata.annotations['note']" } },
                ],
              },
            }),
          }),
        );
        await running(t, 'down');
        t.match(await cat(t, 'down', '/gh-d/labels'), /^tier="front"$/m, 'labels');
        t.equal(await cat(t, 'down', '/gh-d/note'), 'n1', 'annotation');
        await t.ok('label', 'pod', 'down', 'tier=back', '--overwrite');
        await t.until(
          'the new label',
          async () => /^tier="back"$/m.test(await cat(t, 'down', '/gh-d/labels')),
          100_000,
        );
        await t.ok('delete', 'pod', 'down');
      },
      timeoutMs: 200_000,
    },
    {
      name: 'an optional ConfigMap that is missing gives an empty folder; a required one holds the pod',
      async run(t) {
        t.match(
          await outcome(
            t,
            t.pod('opt', 'test -d /gh-o && echo here; echo end', {
              spec: vol({ configMap: { name: 'absent', optional: true } }),
              container: at('/gh-o'),
            }),
          ),
          /here\nend/,
        );
        await t.apply(
          t.pod('req', 'echo no', { spec: vol({ configMap: { name: 'absent' } }), container: at('/gh-o') }),
        );
        await t.until(
          'a FailedMount event',
          async () =>
            (await t.json('get', 'events', '--field-selector', 'involvedObject.name=req')).items.some(
              (e) => e.reason === 'FailedMount' && /absent/.test(e.message),
            ),
          60_000,
        );
        t.equal((await t.json('get', 'pod', 'req')).status.phase, 'Pending', 'phase');
        await t.ok('delete', 'pod', 'req');
      },
      timeoutMs: 150_000,
    },
    {
      name: 'immutable ConfigMaps and Secrets refuse changes',
      async run(t) {
        await t.apply(cm('stone', { a: '1' }, { immutable: true }), secret('rock', { a: '1' }, { immutable: true }));
        await t.refused(
          /data: Forbidden: field is immutable when `immutable` is set/,
          'patch',
          'configmap',
          'stone',
          '--type=merge',
          '-p',
          '{"data":{"a":"2"}}',
        );
        await t.refused(
          /immutable: Forbidden: field is immutable when `immutable` is set/,
          'patch',
          'configmap',
          'stone',
          '--type=merge',
          '-p',
          '{"immutable":false}',
        );
        await t.refused(
          /field is immutable when `immutable` is set/,
          'patch',
          'secret',
          'rock',
          '--type=merge',
          '-p',
          '{"stringData":{"a":"2"}}',
        );
        await t.ok('label', 'configmap', 'stone', 'still=labelled');
        await t.ok('delete', 'configmap/stone', 'secret/rock');
      },
    },
    {
      name: 'create secret generic: type and data',
      async run(t) {
        t.match(
          await t.ok(
            'create',
            'secret',
            'generic',
            'gen',
            '--from-literal=user=ann',
            `--from-file=note=${t.file('note', 'line\n')}`,
          ),
          /secret\/gen created/,
        );
        const o = await t.json('get', 'secret', 'gen');
        t.equal([o.type, un64(o.data.user), un64(o.data.note)], ['Opaque', 'ann', 'line\n'], 'secret');
        t.match(await t.ok('get', 'secret', 'gen'), /NAME\s+TYPE\s+DATA\s+AGE\s+gen\s+Opaque\s+2\s/);
        await t.refused(
          /type: Invalid value[\s\S]*field is immutable/,
          'patch',
          'secret',
          'gen',
          '--type=merge',
          '-p',
          '{"type":"example.com/other"}',
        );
        t.match(await t.ok('describe', 'secret', 'gen'), /user:\s+3 bytes/);
      },
    },
    {
      name: 'TLS secrets: type, and keys that must be there',
      async run(t) {
        await t.refused(/data\[tls\.(crt|key)\]: Required value/, 'create', '-f', '-', {
          stdin: JSON.stringify(secret('half', { 'tls.crt': 'x' }, { type: 'kubernetes.io/tls' })),
        });
        const key = join(t.scratch, 'tls.key'),
          crt = join(t.scratch, 'tls.crt');
        try {
          execFileSync(
            'openssl',
            [
              'req',
              '-x509',
              '-newkey',
              'rsa:2048',
              '-nodes',
              '-keyout',
              key,
              '-out',
              crt,
              '-days',
              '2',
              '-subj',
              '/CN=check.example.com',
            ],
            { stdio: 'ignore' },
          );
        } catch {
          return;
        } // no openssl here
        t.match(await t.ok('create', 'secret', 'tls', 'cert', `--cert=${crt}`, `--key=${key}`), /secret\/cert created/);
        const o = await t.json('get', 'secret', 'cert');
        t.equal(
          [o.type, un64(o.data['tls.crt']), un64(o.data['tls.key'])],
          ['kubernetes.io/tls', readFileSync(crt, 'utf8'), readFileSync(key, 'utf8')],
          'secret',
        );
      },
    },
    {
      name: 'docker-registry secrets: type, content, and broken JSON refused',
      async run(t) {
        await t.ok(
          'create',
          'secret',
          'docker-registry',
          'pull',
          '--docker-server=reg.example.com',
          '--docker-username=u',
          '--docker-password=p',
          '--docker-email=e@example.com',
        );
        const o = await t.json('get', 'secret', 'pull');
        t.equal(o.type, 'kubernetes.io/dockerconfigjson', 'type');
        t.equal(un64(JSON.parse(un64(o.data['.dockerconfigjson'])).auths['reg.example.com'].auth), 'u:p', 'auth');
        await t.refused(/data\[\.dockerconfigjson\]/, 'create', '-f', '-', {
          stdin: JSON.stringify(
            secret('broken', { '.dockerconfigjson': '{nope' }, { type: 'kubernetes.io/dockerconfigjson' }),
          ),
        });
      },
    },
    {
      name: 'the ServiceAccount token, CA and namespace are mounted, and the token is that of the account',
      async run(t) {
        await t.until('the default account', () => t.ok('get', 'serviceaccount', 'default'));
        await t.until('kube-root-ca.crt', () => t.ok('get', 'configmap', 'kube-root-ca.crt'));
        const d = '/var/run/secrets/kubernetes.io/serviceaccount';
        const log = await outcome(
          t,
          t.pod('token', `cat ${d}/namespace; echo; test -s ${d}/ca.crt && echo has-ca; cat ${d}/token; echo`),
        );
        const [ns, ca, token] = log.trim().split('\n');
        t.equal([ns, ca], [t.ns, 'has-ca'], 'namespace and ca.crt');
        t.equal(
          JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).sub,
          `system:serviceaccount:${t.ns}:default`,
          'subject of the token',
        );
        const o = await t.json('get', 'pod', 'token');
        t.equal(
          [o.spec.serviceAccountName, o.spec.containers[0].volumeMounts?.some((m) => m.mountPath === d && m.readOnly)],
          ['default', true],
          'account and mount',
        );
        t.assert(
          o.spec.volumes.some((v) => v.name.startsWith('kube-api-access-') && v.projected),
          'a projected kube-api-access volume',
        );
      },
    },
    {
      name: 'automountServiceAccountToken false mounts none, on the pod or on the account',
      async run(t) {
        await t.apply({
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { name: 'bare' },
          automountServiceAccountToken: false,
        });
        await t.apply(t.pod('byaccount', 'echo x', { spec: { serviceAccountName: 'bare', restartPolicy: 'Never' } }));
        t.equal((await t.json('get', 'pod', 'byaccount')).spec.volumes ?? [], [], 'volumes');
        t.equal(
          (
            await outcome(
              t,
              t.pod('bypod', 'test -e /var/run/secrets/kubernetes.io/serviceaccount/token || echo none', {
                spec: { automountServiceAccountToken: false },
              }),
            )
          ).trim(),
          'none',
          'log',
        );
        t.equal((await t.json('get', 'pod', 'bypod')).spec.containers[0].volumeMounts ?? [], [], 'volumeMounts');
        const token = (await t.ok('create', 'token', 'bare', '--duration=1h')).trim();
        t.equal(
          JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).sub,
          `system:serviceaccount:${t.ns}:bare`,
          'subject of a requested token',
        );
      },
    },
  ],
};
