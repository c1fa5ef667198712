// Admission: quotas, limits, Pod Security, policies in CEL, and the namespace lifecycle. Each check has a namespace of its own.
async function inside(t, labels, work) {
  const name = t.unique('kc-adm');
  await t.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  const n = t.at(name);
  try {
    await n.until('the default ServiceAccount', () => n.ok('get', 'serviceaccount', 'default'));
    return await work(n);
  } finally {
    await t.kubectl(['delete', 'namespace', name, '--wait=false']);
  }
}
const make = (n, object, ...more) =>
  n.kubectl(['-n', n.ns, 'create', '-f', '-', ...more], { stdin: JSON.stringify(object) });
const refuse = (n, pattern, object) => n.refused(pattern, 'create', '-f', '-', { stdin: JSON.stringify(object) });
const quota = (hard) => ({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' }, spec: { hard } });
const used = (n, key, value) =>
  n.until(
    `used ${key} to be ${value}`,
    async () => (await n.json('get', 'resourcequota', 'q')).status?.used?.[key] === value,
  );
const cm = (name, data = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
const svc = (name) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }] } });
const sized = (t, name, resources) =>
  t.pod(name, 'sleep 1', { spec: { restartPolicy: 'Never' }, container: { resources } });
const vap = (name, spec, resource = 'configmaps') => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicy',
  metadata: { name },
  spec: {
    failurePolicy: 'Fail',
    matchConstraints: {
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: [resource] }],
    },
    ...spec,
  },
});
const binding = (name, label, extra = {}) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name },
  spec: {
    policyName: name,
    validationActions: ['Deny'],
    matchResources: { namespaceSelector: { matchLabels: { 'kc-vap': label } } },
    ...extra,
  },
});
const dropPolicy = (t, name) =>
  t.ok('delete', 'validatingadmissionpolicybinding,validatingadmissionpolicy', name, '--ignore-not-found');
const restricted = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

export const checks = {
  name: 'admission',
  checks: [
    {
      name: 'ResourceQuota counts objects and refuses what exceeds it',
      async run(t) {
        await inside(t, {}, async (n) => {
          await n.create(quota({ services: '1', 'count/secrets': '5' }));
          await used(n, 'services', '0');
          await n.create(svc('one'));
          await refuse(
            n,
            /services "two" is forbidden: exceeded quota: q, requested: services=1, used: services=1, limited: services=1/,
            svc('two'),
          );
          await used(n, 'services', '1');
          n.match(await n.ok('describe', 'resourcequota', 'q'), /Resource\s+Used\s+Hard[\s\S]*services\s+1\s+1/);
          await n.ok('delete', 'service', 'one');
          await used(n, 'services', '0');
          await n.create(svc('two'));
        });
      },
    },
    {
      name: 'ResourceQuota on cpu requires requests and adds them up',
      async run(t) {
        await inside(t, {}, async (n) => {
          await n.create(quota({ 'requests.cpu': '300m', pods: '5' }));
          await used(n, 'requests.cpu', '0');
          await refuse(n, /must specify requests\.cpu/, n.pod('bare', 'sleep 1'));
          const p = (name) => {
            const o = sized(n, name, { requests: { cpu: '200m' } });
            o.spec.containers[0].command[2] = 'sleep 60';
            return o;
          };
          await n.create(p('a'));
          await used(n, 'requests.cpu', '200m');
          await refuse(
            n,
            /exceeded quota: q, requested: requests\.cpu=200m, used: requests\.cpu=200m, limited: requests\.cpu=300m/,
            p('b'),
          );
          await n.ok('delete', 'pod', 'a');
          await used(n, 'requests.cpu', '0');
        });
      },
    },
    {
      name: 'LimitRange fills in defaults and refuses what is over max or under min',
      async run(t) {
        await inside(t, {}, async (n) => {
          await n.create({
            apiVersion: 'v1',
            kind: 'LimitRange',
            metadata: { name: 'lr' },
            spec: {
              limits: [
                {
                  type: 'Container',
                  default: { cpu: '200m' },
                  defaultRequest: { cpu: '100m' },
                  max: { cpu: '500m' },
                  min: { cpu: '50m' },
                },
              ],
            },
          });
          const o = await n.until('the defaults', async () => {
            const r = await make(n, n.pod('d', 'sleep 1'), '--dry-run=server', '-o', 'json');
            const p = JSON.parse(r.out);
            return p.spec.containers[0].resources?.limits && p;
          });
          n.equal(
            [o.spec.containers[0].resources.limits, o.spec.containers[0].resources.requests],
            [{ cpu: '200m' }, { cpu: '100m' }],
            'resources',
          );
          await refuse(
            n,
            /maximum cpu usage per Container is 500m, but limit is 1\b/,
            sized(n, 'large', { limits: { cpu: '1' } }),
          );
          await refuse(
            n,
            /minimum cpu usage per Container is 50m, but request is 10m/,
            sized(n, 'small', { requests: { cpu: '10m' } }),
          );
        });
      },
    },
    {
      name: 'Pod Security restricted refuses a privileged pod and takes a strict one',
      async run(t) {
        await inside(t, { 'pod-security.kubernetes.io/enforce': 'restricted' }, async (n) => {
          await refuse(
            n,
            /pods "p" is forbidden: violates PodSecurity "restricted:latest":.*privileged/,
            n.pod('p', 'sleep 1', { container: { securityContext: { privileged: true } } }),
          );
          await refuse(
            n,
            /violates PodSecurity "restricted:latest":.*(allowPrivilegeEscalation|runAsNonRoot|seccompProfile)/,
            n.pod('p', 'sleep 1'),
          );
          await n.ok('create', '--dry-run=server', '-f', '-', {
            stdin: JSON.stringify(n.pod('p', 'sleep 1', { container: { securityContext: restricted } })),
          });
        });
      },
    },
    {
      name: 'Pod Security baseline refuses host namespaces and hostPath, and takes a plain pod',
      async run(t) {
        await inside(t, { 'pod-security.kubernetes.io/enforce': 'baseline' }, async (n) => {
          await refuse(
            n,
            /violates PodSecurity "baseline:latest":.*host namespaces \(hostNetwork=true\)/,
            n.pod('p', 'sleep 1', { spec: { hostNetwork: true } }),
          );
          await refuse(
            n,
            /violates PodSecurity "baseline:latest":.*hostPath volumes \(volume "v"\)/,
            n.pod('p', 'sleep 1', { spec: { volumes: [{ name: 'v', hostPath: { path: '/tmp' } }] } }),
          );
          await n.ok('create', '--dry-run=server', '-f', '-', { stdin: JSON.stringify(n.pod('p', 'sleep 1')) });
        });
      },
    },
    {
      name: 'Pod Security warn lets the pod in and warns, also for a Deployment',
      async run(t) {
        await inside(t, { 'pod-security.kubernetes.io/warn': 'restricted' }, async (n) => {
          const r = await make(n, n.pod('p', 'sleep 1'), '--dry-run=server');
          n.equal(r.code, 0, 'exit code');
          n.match(r.err, /Warning: would violate PodSecurity "restricted:latest"/, 'stderr');
          const d = await make(n, n.deployment('d', 0), '--dry-run=server');
          n.equal(d.code, 0, 'exit code for the Deployment');
          n.match(d.err, /Warning: would violate PodSecurity "restricted:latest"/, 'stderr for the Deployment');
        });
      },
    },
    {
      name: 'a ValidatingAdmissionPolicy denies with its message, in the namespaces its binding selects',
      async run(t) {
        const name = t.unique('kc-vap');
        try {
          await inside(t, { 'kc-vap': name }, async (n) => {
            await t.apply(
              vap(name, {
                validations: [
                  { expression: "object.metadata.name.startsWith('ok-')", message: 'names begin with ok-' },
                ],
              }),
              binding(name, name),
            );
            await n.until(
              'the policy to be in force',
              async () => (await make(n, cm('bad'), '--dry-run=server')).code !== 0,
              45_000,
            );
            const r = await refuse(n, /names begin with ok-/, cm('bad'));
            n.match(
              r.err,
              new RegExp(
                `configmaps "bad" is forbidden: ValidatingAdmissionPolicy '${name}' with binding '${name}' denied request: names begin with ok-`,
              ),
            );
            await n.create(cm('ok-1'));
            await t.create(cm(t.unique('elsewhere')));
            await n.ok('create', 'secret', 'generic', 'untouched', '--from-literal=a=b');
          });
        } finally {
          await dropPolicy(t, name);
        }
      },
    },
    {
      name: 'a policy with parameters, a message expression and matchConditions',
      async run(t) {
        const name = t.unique('kc-vap');
        try {
          await inside(t, { 'kc-vap': name }, async (n) => {
            await n.create(cm('limits', { max: '2' }));
            await t.apply(
              vap(name, {
                paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
                matchConditions: [{ name: 'not-free', expression: "!object.metadata.name.startsWith('free')" }],
                validations: [
                  {
                    expression: 'object.data.size() <= int(params.data.max)',
                    messageExpression: "'at most ' + params.data.max + ' keys'",
                  },
                ],
              }),
              binding(name, name, { paramRef: { name: 'limits', namespace: n.ns, parameterNotFoundAction: 'Deny' } }),
            );
            const big = { a: '1', b: '2', c: '3' };
            await n.until(
              'the policy to be in force',
              async () => /at most 2 keys/.test((await make(n, cm('big', big), '--dry-run=server')).err),
              45_000,
            );
            await n.create(cm('small', { a: '1' }));
            await n.create(cm('free-1', big));
          });
        } finally {
          await dropPolicy(t, name);
        }
      },
    },
    {
      name: 'a binding with Warn lets the request through with a warning',
      async run(t) {
        const name = t.unique('kc-vap');
        try {
          await inside(t, { 'kc-vap': name }, async (n) => {
            await t.apply(
              vap(name, { validations: [{ expression: "'must' in object.data", message: 'must is missing' }] }),
              binding(name, name, { validationActions: ['Warn'] }),
            );
            const r = await n.until(
              'the warning',
              async () => {
                const x = await make(n, cm('w', { a: '1' }), '--dry-run=server');
                return /Warning:/.test(x.err) && x;
              },
              45_000,
            );
            n.equal(r.code, 0, 'exit code');
            n.match(
              r.err,
              new RegExp(
                `Warning: Validation failed for ValidatingAdmissionPolicy '${name}' with binding '${name}': must is missing`,
              ),
            );
          });
        } finally {
          await dropPolicy(t, name);
        }
      },
    },
    {
      name: 'a policy whose CEL does not compile is refused',
      async run(t) {
        await refuse(
          t,
          /spec\.validations\[0\]\.expression: Invalid value[\s\S]*compilation failed/,
          vap(t.unique('kc-vap'), { validations: [{ expression: 'object.metadata.name ==' }] }),
        );
      },
    },
    {
      name: 'a namespace that is being deleted takes no new objects',
      async run(t) {
        await inside(t, {}, async (n) => {
          await n.create({ ...cm('held'), metadata: { name: 'held', finalizers: ['example.com/hold'] } });
          await n.ok('delete', 'namespace', n.ns, '--wait=false');
          try {
            n.equal((await n.json('get', 'namespace', n.ns)).status.phase, 'Terminating', 'phase');
            await refuse(
              n,
              /configmaps "new" is forbidden: unable to create new content in namespace \S+ because it is being terminated/,
              cm('new'),
            );
          } finally {
            await n.ok('patch', 'configmap', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
          }
          await n.until(
            'the namespace to go',
            async () => (await n.ok('get', 'namespace', n.ns, '--ignore-not-found')) === '',
            60_000,
          );
        });
      },
    },
    {
      name: 'pods that name what does not exist: namespace, ServiceAccount, PriorityClass',
      async run(t) {
        await t.refused(/namespaces "kc-nowhere" not found/, '-n', 'kc-nowhere', 'create', 'configmap', 'x');
        await refuse(
          t,
          /serviceaccount "nobody" not found/,
          t.pod('p', 'sleep 1', { spec: { serviceAccountName: 'nobody' } }),
        );
        await refuse(
          t,
          /no PriorityClass with name nowhere was found/,
          t.pod('p', 'sleep 1', { spec: { priorityClassName: 'nowhere' } }),
        );
      },
    },
  ],
};
