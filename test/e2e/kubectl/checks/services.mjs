// Services, their addresses, and the endpoints behind them. Traffic itself is not tried here.
const svc = (name, spec = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ port: 80 }], ...spec },
});
const slices = async (t, name) =>
  (await t.json('get', 'endpointslices', '-l', `kubernetes.io/service-name=${name}`)).items;
const refuse = (t, pattern, object) => t.refused(pattern, 'create', '-f', '-', { stdin: JSON.stringify(object) });
const ipv4 = (ip) => ip.split('.').reduce((n, b) => n * 256 + Number(b), 0);
const inside = (ip, cidr) => {
  const [base, bits] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  return Math.floor(ipv4(ip) / size) === Math.floor(ipv4(base) / size);
};
const gated = (t, name, replicas) =>
  t.deployment(name, replicas, {
    container: {
      ports: [{ name: 'http', containerPort: 8080 }],
      readinessProbe: { exec: { command: ['/bin/sh', '-c', 'test -e /tmp/gh-$GH_POD'] }, periodSeconds: 1 },
      env: [{ name: 'GH_POD', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } }],
    },
  });

export const checks = {
  name: 'services',
  checks: [
    {
      name: 'a ClusterIP Service is given an address of the service range and the usual defaults',
      async run(t) {
        await t.create(svc('plain'));
        const { spec } = await t.json('get', 'service', 'plain');
        t.match(spec.clusterIP, /^[0-9a-f.:]+$/, 'clusterIP');
        t.equal(
          [spec.type, spec.clusterIPs, spec.sessionAffinity, spec.ipFamilyPolicy, spec.internalTrafficPolicy],
          ['ClusterIP', [spec.clusterIP], 'None', 'SingleStack', 'Cluster'],
          'defaults',
        );
        t.equal(spec.ports, [{ port: 80, protocol: 'TCP', targetPort: 80 }], 'ports');
        const r = await refuse(
          t,
          /clusterIPs?.*Invalid value[\s\S]*(valid range|not in|failed to allocate)/,
          svc('outside', { clusterIP: '203.0.113.7' }),
        );
        const cidr = /(\d+\.\d+\.\d+\.\d+\/\d+)/.exec(r.err)?.[1];
        if (cidr) t.assert(inside(spec.clusterIP, cidr), `${spec.clusterIP} lies in ${cidr}`);
        t.match(
          await t.ok('get', 'service', 'plain'),
          /NAME\s+TYPE\s+CLUSTER-IP\s+EXTERNAL-IP\s+PORT\(S\)\s+AGE\s+plain\s+ClusterIP\s+\S+\s+<none>\s+80\/TCP/,
        );
      },
    },
    {
      name: 'clusterIP cannot be changed',
      async run(t) {
        await t.create(svc('fixed'));
        const { clusterIP } = (await t.json('get', 'service', 'fixed')).spec;
        const other = clusterIP.replace(/\d+$/, (n) => String(Number(n) === 77 ? 78 : 77));
        await t.refused(
          /may not change once set|field is immutable/,
          'patch',
          'service',
          'fixed',
          '--type=merge',
          '-p',
          JSON.stringify({ spec: { clusterIP: other, clusterIPs: [other] } }),
        );
        t.equal((await t.json('get', 'service', 'fixed')).spec.clusterIP, clusterIP, 'clusterIP');
      },
    },
    {
      name: 'a clusterIP in use is refused, and is free again after deletion',
      async run(t) {
        await t.create(svc('holder'));
        const { clusterIP } = (await t.json('get', 'service', 'holder')).spec;
        await refuse(t, /provided IP is already allocated/, svc('taker', { clusterIP }));
        await t.ok('delete', 'service', 'holder');
        await t.until('the address to be free', async () => {
          await t.create(svc('taker', { clusterIP }));
          return true;
        });
        t.equal((await t.json('get', 'service', 'taker')).spec.clusterIP, clusterIP, 'clusterIP');
      },
    },
    {
      name: 'a headless Service has no address but has endpoints',
      async run(t) {
        await t.apply(svc('none', { clusterIP: 'None' }), t.deployment('none', 1));
        t.match(await t.ok('get', 'service', 'none'), /none\s+ClusterIP\s+None\s+<none>/);
        t.equal((await t.json('get', 'service', 'none')).spec.clusterIPs, ['None'], 'clusterIPs');
        await t.until(
          'one ready endpoint',
          async () =>
            (await slices(t, 'none')).flatMap((s) => s.endpoints ?? []).filter((e) => e.conditions.ready).length === 1,
        );
        await t.ok('delete', 'deployment', 'none');
      },
    },
    {
      name: 'node ports: taken from 30000-32767, refused when taken or outside',
      async run(t) {
        await t.create(svc('np', { type: 'NodePort' }));
        const { nodePort } = (await t.json('get', 'service', 'np')).spec.ports[0];
        t.assert(nodePort >= 30000 && nodePort <= 32767, `nodePort ${nodePort}`);
        await refuse(
          t,
          /nodePort: Invalid value: \d+: provided port is already allocated/,
          svc('np2', { type: 'NodePort', ports: [{ port: 80, nodePort }] }),
        );
        await refuse(
          t,
          /nodePort: Invalid value: 80: provided port is not in the valid range/,
          svc('np3', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }),
        );
        t.match(
          await t.ok('get', 'service', 'np'),
          new RegExp(`np\\s+NodePort\\s+\\S+\\s+<none>\\s+80:${nodePort}/TCP`),
        );
        await t.ok('patch', 'service', 'np', '--type=merge', '-p', '{"spec":{"type":"ClusterIP"}}');
        t.equal(
          (await t.json('get', 'service', 'np')).spec.ports[0].nodePort,
          undefined,
          'nodePort after the change of type',
        );
      },
    },
    {
      name: 'EndpointSlices and Endpoints name the ready pods of the selector',
      async run(t) {
        await t.apply(svc('app', { ports: [{ name: 'web', port: 80, targetPort: 8080 }] }), t.deployment('app', 2));
        const list = await t.until(
          'two ready endpoints',
          async () => {
            const l = await slices(t, 'app');
            return l.flatMap((s) => s.endpoints ?? []).filter((e) => e.conditions.ready).length === 2 && l;
          },
          45_000,
        );
        t.equal(
          [list[0].ports[0].name, list[0].ports[0].port, list[0].ports[0].protocol],
          ['web', 8080, 'TCP'],
          'port',
        );
        t.equal(
          [list[0].addressType, list[0].metadata.ownerReferences[0].kind],
          ['IPv4', 'Service'],
          'addressType and owner',
        );
        const pods = (await t.json('get', 'pods', '-l', 'app=app')).items;
        const ends = list.flatMap((s) => s.endpoints);
        t.equal(ends.map((e) => e.targetRef.name).toSorted(), pods.map((p) => p.metadata.name).toSorted(), 'targetRef');
        for (const p of pods) {
          const e = ends.find((x) => x.targetRef.uid === p.metadata.uid);
          t.equal([e?.addresses, e?.nodeName], [[p.status.podIP], p.spec.nodeName], 'address and node');
        }
        await t.until('Endpoints with two addresses', async () => {
          const o = await t.json('get', 'endpoints', 'app');
          return o.subsets?.[0]?.addresses?.length === 2 && o.subsets[0].ports[0].port === 8080;
        });
        await t.ok('scale', 'deployment/app', '--replicas=0');
        await t.until(
          'no endpoints',
          async () => (await slices(t, 'app')).flatMap((s) => s.endpoints ?? []).length === 0,
        );
        await t.ok('delete', 'deployment', 'app');
      },
    },
    {
      name: 'a pod that is not Ready is a not-ready endpoint until it becomes Ready',
      async run(t) {
        await t.apply(svc('slow', { ports: [{ port: 80, targetPort: 'http' }] }), gated(t, 'slow', 1));
        const ready = async (want) => {
          const e = (await slices(t, 'slow')).flatMap((s) => s.endpoints ?? []);
          return e.length === 1 && e[0].conditions.ready === want;
        };
        await t.until('a not-ready endpoint', () => ready(false));
        const subset = await t.until(
          'notReadyAddresses',
          async () => (await t.json('get', 'endpoints', 'slow')).subsets?.[0],
        );
        t.equal(
          [subset.addresses?.length ?? 0, subset.notReadyAddresses?.length],
          [0, 1],
          'addresses and notReadyAddresses',
        );
        t.equal((await slices(t, 'slow'))[0].ports[0].port, 8080, 'the named target port');
        const [pod] = (await t.json('get', 'pods', '-l', 'app=slow')).items;
        await t.until('exec', () =>
          t.ok('exec', pod.metadata.name, '--', '/bin/sh', '-c', 'echo > /tmp/gh-$GH_POD && echo yes'),
        );
        await t.until('a ready endpoint', () => ready(true));
        await t.ok('exec', pod.metadata.name, '--', '/bin/sh', '-c', 'rm /tmp/gh-$GH_POD');
        await t.ok('delete', 'deployment', 'slow');
      },
    },
    {
      name: 'publishNotReadyAddresses lists pods that are not Ready as ready',
      async run(t) {
        await t.apply(svc('eager', { publishNotReadyAddresses: true, clusterIP: 'None' }), gated(t, 'eager', 1));
        await t.until('a ready endpoint', async () =>
          (await slices(t, 'eager')).flatMap((s) => s.endpoints ?? []).some((e) => e.conditions.ready === true),
        );
        t.assert(!(await t.json('get', 'deployment', 'eager')).status.readyReplicas, 'the pod itself is not Ready');
        await t.ok('delete', 'deployment', 'eager');
      },
    },
    {
      name: 'several ports need names, and names must differ',
      async run(t) {
        await refuse(
          t,
          /spec\.ports\[0\]\.name: Required value/,
          svc('ports', { ports: [{ port: 80 }, { port: 81 }] }),
        );
        await refuse(
          t,
          /spec\.ports\[1\]\.name: Duplicate value: "a"/,
          svc('ports', {
            ports: [
              { name: 'a', port: 80 },
              { name: 'a', port: 81 },
            ],
          }),
        );
        await t.create(
          svc('ports', {
            ports: [
              { name: 'a', port: 80 },
              { name: 'b', port: 81 },
            ],
          }),
        );
      },
    },
    {
      name: 'expose a Deployment',
      async run(t) {
        await t.apply(t.deployment('shown', 0));
        t.match(
          await t.ok('expose', 'deployment', 'shown', '--name=front', '--port=80', '--target-port=8080'),
          /service\/front exposed/,
        );
        const { spec } = await t.json('get', 'service', 'front');
        t.equal(
          [spec.selector, spec.ports[0].port, spec.ports[0].targetPort, spec.type],
          [{ app: 'shown' }, 80, 8080, 'ClusterIP'],
          'spec',
        );
      },
    },
    {
      name: 'ExternalName has no address; session affinity ClientIP gets its default timeout',
      async run(t) {
        await t.ok('create', 'service', 'externalname', 'outside-world', '--external-name=db.example.com');
        const o = await t.json('get', 'service', 'outside-world');
        t.equal(
          [o.spec.type, o.spec.externalName, o.spec.clusterIP ?? ''],
          ['ExternalName', 'db.example.com', ''],
          'spec',
        );
        await t.create(svc('sticky', { sessionAffinity: 'ClientIP' }));
        t.equal(
          (await t.json('get', 'service', 'sticky')).spec.sessionAffinityConfig,
          { clientIP: { timeoutSeconds: 10800 } },
          'sessionAffinityConfig',
        );
        await refuse(
          t,
          /sessionAffinity: Unsupported value: "Sometimes"/,
          svc('odd', { sessionAffinity: 'Sometimes' }),
        );
      },
    },
    {
      name: 'the kubernetes Service of the default namespace exists, with endpoints',
      async run(t) {
        const o = await t.json('-n', 'default', 'get', 'service', 'kubernetes');
        t.equal([o.spec.type, o.spec.ports[0].name, o.spec.ports[0].port], ['ClusterIP', 'https', 443], 'spec');
        t.assert(
          (await t.json('-n', 'default', 'get', 'endpoints', 'kubernetes')).subsets?.[0]?.addresses?.length >= 1,
          'Endpoints have an address',
        );
        t.assert(
          (
            await t.json('-n', 'default', 'get', 'endpointslices', '-l', 'kubernetes.io/service-name=kubernetes')
          ).items.flatMap((s) => s.endpoints ?? []).length >= 1,
          'EndpointSlice has an endpoint',
        );
      },
    },
  ],
};
