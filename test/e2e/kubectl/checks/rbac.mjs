const API = 'rbac.authorization.k8s.io';
const stdin = (object) => ({ stdin: JSON.stringify(object) });
const canI = async (t, ...args) => {
  const r = await t.kubectl(['-n', t.ns, 'auth', 'can-i', ...args]);
  return `${r.out.trim().split('\n')[0].split(' ')[0]} ${r.code}`;
};
/** A Role and its binding, made the imperative way. subject is --user=…, --group=… or --serviceaccount=…. */
async function grant(t, name, subject, ...role) {
  await t.ok('create', 'role', name, ...role);
  await t.ok('create', 'rolebinding', name, `--role=${name}`, subject);
}
/** Polls: a grant may take a moment to be seen by the authorizer. */
const soon = (t, what, args) => t.until(what, async () => (await canI(t, ...args)) === 'yes 0', 10_000);
const forbidden = (t, pattern, ...args) => t.refused(pattern, ...args);

/** A kubeconfig that holds the current cluster and nothing of the current user but this token. */
async function withToken(t, token) {
  const config = JSON.parse(await t.ok('config', 'view', '--raw', '--minify', '--flatten', '-o', 'json'));
  const cluster = config.clusters[0];
  return t.file(
    'kubeconfig.json',
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [cluster],
      users: [{ name: 'token', user: token ? { token } : {} }],
      contexts: [{ name: 'c', context: { cluster: cluster.name, user: 'token', namespace: t.ns } }],
      'current-context': 'c',
    }),
  );
}

export const checks = {
  name: 'rbac',
  checks: [
    {
      name: 'can-i: yes exits 0, no exits 1',
      async run(t) {
        t.equal(await canI(t, 'create', 'deployments.apps'), 'yes 0', 'the caller');
        t.equal(await canI(t, 'list', 'pods', '--as=nobody-in-particular'), 'no 1', 'somebody else');
        t.equal(await canI(t, 'get', '/healthz', '--as=nobody-in-particular'), 'yes 0', 'a public path');
        t.equal(await canI(t, 'get', '/metrics', '--as=nobody-in-particular'), 'no 1', 'a path that is not public');
      },
    },

    {
      name: 'whoami, as oneself and as another',
      since: 28, // before, kubectl asks for versions of SelfSubjectReview that are gone
      async run(t) {
        const me = JSON.parse(await t.ok('auth', 'whoami', '-o', 'json'));
        t.equal(me.kind, 'SelfSubjectReview', 'kind');
        t.assert(me.status.userInfo.username, 'there is a username');
        const other = JSON.parse(await t.ok('auth', 'whoami', '-o', 'json', '--as=jane', '--as-group=devs')).status
          .userInfo;
        t.equal([other.username, [...other.groups].toSorted()], ['jane', ['devs', 'system:authenticated']], 'userInfo');
        t.match(await t.ok('auth', 'whoami', '--as=jane'), /^ATTRIBUTE\s+VALUE\s*\nUsername\s+jane\s*$/m);
      },
    },

    {
      name: 'the text of a refusal',
      async run(t) {
        await forbidden(
          t,
          new RegExp(
            `Error from server \\(Forbidden\\): pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "${t.ns}"`,
          ),
          'get',
          'pods',
          '--as=jane',
        );
        await forbidden(
          t,
          new RegExp(
            `Forbidden.*: deployments\\.apps "x" is forbidden: User "jane" cannot get resource "deployments" in API group "apps" in the namespace "${t.ns}"`,
          ),
          'get',
          'deployment',
          'x',
          '--as=jane',
          '--as-group=devs',
        );
        await forbidden(
          t,
          /nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope/,
          'get',
          'nodes',
          '--as=jane',
        );
        await forbidden(
          t,
          /pods is forbidden: User "jane" cannot list resource "pods" in API group "" at the cluster scope/,
          'get',
          'pods',
          '-A',
          '--as=jane',
        );
        await forbidden(
          t,
          /User "jane" cannot create resource "configmaps" in API group "" in the namespace/,
          'create',
          '--as=jane',
          '-f',
          '-',
          stdin({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } }),
        );
        await forbidden(t, /User "jane" cannot get path "\/metrics"/, 'get', '--raw', '/metrics', '--as=jane');
      },
    },

    {
      name: 'a role for a user holds in its namespace only',
      async run(t) {
        t.match(
          await t.ok('create', 'role', 'reader', '--verb=get,list', '--resource=configmaps,deployments.apps'),
          new RegExp(`^role\\.${API}/reader created$`, 'm'),
        );
        t.match(
          await t.ok('create', 'rolebinding', 'reader', '--role=reader', '--user=reader'),
          new RegExp(`^rolebinding\\.${API}/reader created$`, 'm'),
        );
        const { rules } = await t.json('get', 'role', 'reader');
        t.equal(
          rules.map((r) => [r.apiGroups[0], r.resources[0], r.verbs]).toSorted(),
          [
            ['', 'configmaps', ['get', 'list']],
            ['apps', 'deployments', ['get', 'list']],
          ],
          'rules',
        );
        await soon(t, 'the grant', ['list', 'configmaps', '--as=reader']);
        await t.ok('get', 'configmaps', '--as=reader');
        await t.ok('get', 'deployments', '--as=reader');
        await forbidden(
          t,
          /User "reader" cannot list resource "configmaps" in API group "" in the namespace "default"/,
          'get',
          'configmaps',
          '-n',
          'default',
          '--as=reader',
        );
        await forbidden(
          t,
          /User "reader" cannot create resource "configmaps"/,
          'create',
          'configmap',
          'x',
          '--as=reader',
        );
        await t.ok('delete', 'rolebinding', 'reader');
        await t.until(
          'the grant to end',
          async () => (await canI(t, 'list', 'configmaps', '--as=reader')) === 'no 1',
          10_000,
        );
      },
    },

    {
      name: 'groups and service accounts as subjects',
      async run(t) {
        await grant(t, 'group', '--group=devs', '--verb=list', '--resource=secrets');
        await soon(t, 'the grant', ['list', 'secrets', '--as=anyone', '--as-group=devs']);
        t.equal(await canI(t, 'list', 'secrets', '--as=anyone', '--as-group=ops'), 'no 1', 'another group');
        await t.ok('create', 'serviceaccount', 'robot');
        await grant(t, 'robot', `--serviceaccount=${t.ns}:robot`, '--verb=list', '--resource=services');
        await soon(t, 'the grant', ['list', 'services', `--as=system:serviceaccount:${t.ns}:robot`]);
        t.equal(
          await canI(t, 'list', 'services', `--as=system:serviceaccount:${t.ns}:default`),
          'no 1',
          'another account',
        );
      },
    },

    {
      name: 'resource names, subresources and can-i --list',
      async run(t) {
        await grant(t, 'narrow', '--user=narrow', '--verb=get', '--resource=configmaps', '--resource-name=only');
        await grant(t, 'logs', '--user=narrow', '--verb=get', '--resource=pods/log');
        await soon(t, 'the grants', ['get', 'pods', '--subresource=log', '--as=narrow']);
        t.equal(
          [
            await canI(t, 'get', 'configmaps/only', '--as=narrow'),
            await canI(t, 'get', 'configmaps/other', '--as=narrow'),
            await canI(t, 'list', 'configmaps', '--as=narrow'),
          ],
          ['yes 0', 'no 1', 'no 1'],
          'by name',
        );
        t.equal(await canI(t, 'get', 'pods', '--as=narrow'), 'no 1', 'the resource itself');
        const list = await t.ok('auth', 'can-i', '--list', '--as=narrow');
        t.match(list, /^Resources\s+Non-Resource URLs\s+Resource Names\s+Verbs$/m);
        t.match(list, /^configmaps\s+\[\]\s+\[only\]\s+\[get\]$/m);
        t.match(list, /^pods\/log\s+\[\]\s+\[\]\s+\[get\]$/m);
      },
    },

    {
      name: 'the default role view reads, but not secrets',
      async run(t) {
        for (const name of ['cluster-admin', 'admin', 'edit', 'view']) await t.ok('get', 'clusterrole', name);
        await t.ok('create', 'rolebinding', 'viewer', '--clusterrole=view', '--user=viewer');
        await soon(t, 'the grant', ['list', 'pods', '--as=viewer']);
        t.equal(
          [
            await canI(t, 'get', 'secrets', '--as=viewer'),
            await canI(t, 'delete', 'pods', '--as=viewer'),
            await canI(t, 'list', 'nodes', '--as=viewer'),
          ],
          ['no 1', 'no 1', 'no 1'],
          'beyond it',
        );
      },
    },

    {
      name: 'an aggregated clusterrole collects the rules of the labelled ones',
      async run(t) {
        const label = `example.com/${t.unique('agg')}`,
          sum = t.unique('sum'),
          part = t.unique('part');
        try {
          t.match(
            await t.ok('create', 'clusterrole', sum, `--aggregation-rule=${label}=yes`),
            new RegExp(`clusterrole\\.${API}/${sum} created`),
          );
          t.equal(
            (await t.json('get', 'clusterrole', sum)).aggregationRule.clusterRoleSelectors,
            [{ matchLabels: { [label]: 'yes' } }],
            'selector',
          );
          await t.ok('create', 'clusterrole', part, '--verb=get', '--resource=endpoints');
          await t.ok('label', 'clusterrole', part, `${label}=yes`);
          const rules = await t.until('the rules', async () => {
            const o = await t.json('get', 'clusterrole', sum);
            return o.rules?.length && o.rules;
          });
          t.equal([rules[0].resources, rules[0].verbs], [['endpoints'], ['get']], 'rules');
        } finally {
          await t.kubectl(['delete', 'clusterrole', sum, part, '--ignore-not-found']);
        }
      },
    },

    {
      name: 'auth reconcile adds what is missing',
      async run(t) {
        // Its file names the namespace: auth reconcile does not put -n into what it reads.
        const role = (...verbs) => ({
          apiVersion: `${API}/v1`,
          kind: 'Role',
          metadata: { name: 'reconciled', namespace: t.ns },
          rules: [{ apiGroups: [''], resources: ['pods'], verbs }],
        });
        await t.create(role('get'));
        t.match(
          await t.ok('auth', 'reconcile', '-f', '-', stdin(role('list'))),
          new RegExp(`role\\.${API}/reconciled reconciled`),
        );
        const allowed = async () =>
          [...new Set((await t.json('get', 'role', 'reconciled')).rules.flatMap((r) => r.verbs))].toSorted();
        t.equal(await allowed(), ['get', 'list'], 'verbs');
        await t.ok('auth', 'reconcile', '--remove-extra-permissions', '-f', '-', stdin(role('list')));
        t.equal(await allowed(), ['list'], 'verbs after --remove-extra-permissions');
      },
    },

    {
      name: 'create token, and a request with it',
      since: 28, // it asks whoami
      async run(t) {
        await t.ok('create', 'serviceaccount', 'bearer');
        await grant(t, 'bearer', `--serviceaccount=${t.ns}:bearer`, '--verb=list', '--resource=configmaps');
        const token = (await t.ok('create', 'token', 'bearer', '--duration=1h')).trim();
        t.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/, 'token');
        const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
        t.equal(
          [claims.sub, claims['kubernetes.io'].namespace, claims['kubernetes.io'].serviceaccount.name],
          [`system:serviceaccount:${t.ns}:bearer`, t.ns, 'bearer'],
          'claims',
        );
        t.assert(claims.exp - claims.iat >= 3590, 'the duration is granted');
        const config = await withToken(t),
          bare = (...args) => t.kubectl([`--kubeconfig=${config}`, `--token=${token}`, '-n', t.ns, ...args]);
        const me = JSON.parse((await bare('auth', 'whoami', '-o', 'json')).out).status.userInfo;
        t.equal(
          [
            me.username,
            ['system:authenticated', 'system:serviceaccounts', `system:serviceaccounts:${t.ns}`].every((g) =>
              me.groups.includes(g),
            ),
          ],
          [`system:serviceaccount:${t.ns}:bearer`, true],
          'userInfo',
        );
        await t.until('the grant', async () => (await bare('get', 'configmaps')).code === 0, 10_000);
        const no = await bare('get', 'secrets');
        t.equal(no.code, 1, 'exit code');
        t.match(no.err, new RegExp(`User "system:serviceaccount:${t.ns}:bearer" cannot list resource "secrets"`));
        const act = await bare('get', 'configmaps', '--as=admin');
        t.match(
          act.err,
          /users "admin" is forbidden: User "system:serviceaccount:[^"]+" cannot impersonate resource "users" in API group "" at the cluster scope/,
        );
      },
    },

    {
      name: 'a token that is no token is Unauthorized',
      async run(t) {
        const r = await t.kubectl([
          `--kubeconfig=${await withToken(t, 'rubbish')}`,
          'get',
          '--raw',
          '/api/v1/namespaces',
        ]);
        t.equal(r.code, 1, 'exit code');
        t.match(r.err, /You must be logged in to the server|Unauthorized/);
      },
    },

    {
      name: 'escalation is refused, for rules and for bindings',
      async run(t) {
        await grant(
          t,
          'maker',
          '--user=maker',
          '--verb=create,update,patch,get',
          `--resource=roles.${API},rolebindings.${API}`,
        );
        await soon(t, 'the grant', ['create', `rolebindings.${API}`, '--as=maker']);
        const text =
          /roles\.rbac\.authorization\.k8s\.io "more" is forbidden: user "maker" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\s*\{APIGroups:\[""\], Resources:\["secrets"\], Verbs:\["get"\]\}/;
        await forbidden(t, text, 'create', 'role', 'more', '--verb=get', '--resource=secrets', '--as=maker');
        await t.ok('create', 'role', 'same', '--verb=get', `--resource=roles.${API}`, '--as=maker');
        await forbidden(
          t,
          /rolebindings\.rbac\.authorization\.k8s\.io "all" is forbidden: user "maker".*is attempting to grant RBAC permissions not currently held/,
          'create',
          'rolebinding',
          'all',
          '--clusterrole=cluster-admin',
          '--user=maker',
          '--as=maker',
        );
      },
    },

    {
      name: 'roleRef cannot change',
      async run(t) {
        await grant(t, 'pinned', '--user=pinned', '--verb=get', '--resource=pods');
        await t.refused(
          /The RoleBinding "pinned" is invalid: roleRef: Invalid value: [\s\S]*cannot change roleRef/,
          'patch',
          'rolebinding',
          'pinned',
          '--type=merge',
          '-p',
          '{"roleRef":{"name":"other"}}',
        );
      },
    },
  ],
};
