// Pod lifecycle as kubectl shows it. Every container is a /bin/sh script.
const get = (t, name) => t.json('get', 'pod', name);
const inPhase = (t, name, phase, ms = 60_000) =>
  t.until(
    `pod ${name} to be ${phase}`,
    async () => {
      const o = await get(t, name);
      return o.status?.phase === phase && o;
    },
    ms,
  );
const condition = (o, type) => (o.status?.conditions ?? []).find((c) => c.type === type);
const shared = { volumes: [{ name: 'work', emptyDir: {} }] };
const mount = { volumeMounts: [{ name: 'work', mountPath: '/gh-work' }] };

export const checks = {
  name: 'pods',
  checks: [
    {
      name: 'restartPolicy Never: exit 0 is Succeeded, exit 7 is Failed with the code in status',
      async run(t) {
        await t.apply(
          t.pod('fine', 'echo done', { spec: { restartPolicy: 'Never' } }),
          t.pod('broken', 'exit 7', { spec: { restartPolicy: 'Never' } }),
        );
        const fine = await inPhase(t, 'fine', 'Succeeded');
        const ended = fine.status.containerStatuses[0].state.terminated;
        t.equal(
          [ended.exitCode, ended.reason, fine.status.containerStatuses[0].restartCount],
          [0, 'Completed', 0],
          'state of fine',
        );
        t.assert(ended.startedAt && ended.finishedAt, 'startedAt and finishedAt are set');
        t.equal(condition(fine, 'PodScheduled')?.status, 'True', 'PodScheduled');
        t.equal(
          [condition(fine, 'Ready')?.status, condition(fine, 'Ready')?.reason],
          ['False', 'PodCompleted'],
          'Ready',
        );
        const broken = await inPhase(t, 'broken', 'Failed');
        const died = broken.status.containerStatuses[0].state.terminated;
        t.equal([died.exitCode, died.reason], [7, 'Error'], 'state of broken');
        t.match(
          await t.ok('get', 'pods', 'fine', 'broken'),
          /broken\s+0\/1\s+Error[\s\S]*fine\s+0\/1\s+Completed|fine\s+0\/1\s+Completed[\s\S]*broken\s+0\/1\s+Error/,
        );
      },
    },
    {
      name: 'restartPolicy OnFailure restarts until success; Always restarts on, then CrashLoopBackOff',
      async run(t) {
        {
          await t.apply(
            t.pod('retry', 'if test -e /gh-work/tried; then exit 0; fi; echo 1 > /gh-work/tried; exit 3', {
              spec: { restartPolicy: 'OnFailure', ...shared },
              container: mount,
            }),
          );
          const o = await inPhase(t, 'retry', 'Succeeded');
          const s = o.status.containerStatuses[0];
          t.equal([s.restartCount, s.state.terminated.exitCode], [1, 0], 'restartCount and exitCode');
        }
        await t.apply(t.pod('again', 'exit 4'));
        const o = await t.until(
          'waiting in CrashLoopBackOff',
          async () => {
            const p = await get(t, 'again');
            const s = p.status.containerStatuses?.[0];
            return s?.restartCount >= 1 && s.state.waiting?.reason === 'CrashLoopBackOff' && p;
          },
          80_000,
        );
        t.equal(o.status.phase, 'Running', 'phase');
        t.equal(o.status.containerStatuses[0].lastState.terminated.exitCode, 4, 'lastState exit code');
        t.match(o.status.containerStatuses[0].state.waiting.message, /back-off .*restarting failed container/i);
        await t.ok('delete', 'pod', 'again');
      },
      timeoutMs: 180_000,
    },
    {
      name: 'init containers run one after another before the main container; a failed one with restartPolicy Never fails the pod',
      async run(t) {
        {
          const step = (name, script) => t.container(script, { name, ...mount });
          await t.apply(
            t.pod('stages', 'echo three >> /gh-work/log; cat /gh-work/log', {
              container: mount,
              spec: {
                restartPolicy: 'Never',
                ...shared,
                initContainers: [step('a', 'sleep 2; echo one >> /gh-work/log'), step('b', 'echo two >> /gh-work/log')],
              },
            }),
          );
          const o = await inPhase(t, 'stages', 'Succeeded');
          t.equal((await t.ok('logs', 'stages', '-c', 'main')).trim().split('\n'), ['one', 'two', 'three'], 'order');
          t.equal(
            o.status.initContainerStatuses.map((s) => [s.name, s.state.terminated?.exitCode]),
            [
              ['a', 0],
              ['b', 0],
            ],
            'initContainerStatuses',
          );
          t.equal(condition(o, 'Initialized')?.status, 'True', 'Initialized');
        }
        await t.apply(
          t.pod('noinit', 'echo ran', {
            spec: { restartPolicy: 'Never', initContainers: [t.container('exit 9', { name: 'first' })] },
          }),
        );
        const o = await inPhase(t, 'noinit', 'Failed');
        t.equal(o.status.initContainerStatuses[0].state.terminated.exitCode, 9, 'init exit code');
        const main = o.status.containerStatuses?.[0];
        t.assert(!main || (!main.state?.running && !main.containerID), 'the main container did not run');
      },
      timeoutMs: 120_000,
    },
    {
      name: 'two containers share an emptyDir',
      async run(t) {
        await t.apply(
          t.pod(
            'pair',
            'n=0; while ! test -s /gh-work/word && test $n -lt 40; do sleep 1; n=$((n+1)); done; cat /gh-work/word',
            {
              container: mount,
              spec: {
                restartPolicy: 'Never',
                ...shared,
                containers: [
                  t.container(
                    'n=0; while ! test -s /gh-work/word && test $n -lt 40; do sleep 1; n=$((n+1)); done; cat /gh-work/word',
                    mount,
                  ),
                  t.container('echo from-writer > /gh-work/word', { name: 'writer', ...mount }),
                ],
              },
            },
          ),
        );
        await inPhase(t, 'pair', 'Succeeded');
        t.equal((await t.ok('logs', 'pair', '-c', 'main')).trim(), 'from-writer', 'what main read');
      },
    },
    {
      name: 'env from fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef and envFrom with a prefix',
      async run(t) {
        const field = (name, fieldPath) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
        await t.apply(
          { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { COLOR: 'teal', SIZE: 'xl' } },
          { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'hush' }, stringData: { key: 's3cret' } },
          t.pod('envs', 'env', {
            metadata: { labels: { team: 'blue' } },
            spec: { restartPolicy: 'Never' },
            container: {
              resources: { limits: { cpu: '1', memory: '64Mi' }, requests: { cpu: '10m', memory: '16Mi' } },
              env: [
                { name: 'PLAIN', value: 'v' },
                field('E_NAME', 'metadata.name'),
                field('E_NS', 'metadata.namespace'),
                field('E_LABEL', "metadata.labels['team']"),
                field('E_NODE', 'spec.nodeName'),
                { name: 'E_MEM', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
                { name: 'E_CM', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOR' } } },
                { name: 'E_SECRET', valueFrom: { secretKeyRef: { name: 'hush', key: 'key' } } },
                { name: 'E_NONE', valueFrom: { configMapKeyRef: { name: 'absent', key: 'k', optional: true } } },
              ],
              envFrom: [{ configMapRef: { name: 'settings' } }, { prefix: 'P_', secretRef: { name: 'hush' } }],
            },
          }),
        );
        const o = await inPhase(t, 'envs', 'Succeeded');
        const seen = Object.fromEntries(
          (await t.ok('logs', 'envs'))
            .split('\n')
            .filter((l) => l.includes('='))
            .map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)]),
        );
        for (const [k, v] of Object.entries({
          PLAIN: 'v',
          E_NAME: 'envs',
          E_NS: t.ns,
          E_LABEL: 'blue',
          E_NODE: o.spec.nodeName,
          E_MEM: String(64 << 20),
          E_CM: 'teal',
          E_SECRET: 's3cret',
          COLOR: 'teal',
          SIZE: 'xl',
          P_key: 's3cret',
        }))
          t.equal(seen[k], v, k);
        t.assert(!('E_NONE' in seen), 'an optional key that is missing sets nothing');
      },
    },
    {
      name: '$(VAR) is expanded in env, command and args; $$(VAR) and unknown names are kept',
      async run(t) {
        await t.apply(
          t.pod('expand', '', {
            spec: { restartPolicy: 'Never' },
            container: {
              env: [
                { name: 'A', value: 'alpha' },
                { name: 'B', value: '$(A)-beta' },
              ],
              command: ['/bin/sh', '-c', 'echo "$0|$1|$2|$3"'],
              args: ['$(A)', '$(B)', '$$(A)', '$(NOT_SET)'],
            },
          }),
        );
        await inPhase(t, 'expand', 'Succeeded');
        t.equal((await t.ok('logs', 'expand')).trim(), 'alpha|alpha-beta|$(A)|$(NOT_SET)', 'output');
      },
    },
    {
      name: 'termination message from the file, and from the log with FallbackToLogsOnError',
      async run(t) {
        await t.apply(
          t.pod('lastword', 'echo -n farewell > /dev/termination-log; exit 1', { spec: { restartPolicy: 'Never' } }),
          t.pod('lastlog', 'echo it broke here; exit 1', {
            spec: { restartPolicy: 'Never' },
            container: { terminationMessagePolicy: 'FallbackToLogsOnError' },
          }),
        );
        t.match(
          (await inPhase(t, 'lastword', 'Failed')).status.containerStatuses[0].state.terminated.message ?? '',
          /farewell/,
          'message of the file',
        );
        t.match(
          (await inPhase(t, 'lastlog', 'Failed')).status.containerStatuses[0].state.terminated.message ?? '',
          /it broke here/,
          'message of the log',
        );
      },
    },
    {
      name: 'a failing liveness exec probe restarts the container and is reported as Unhealthy',
      async run(t) {
        await t.apply(
          t.pod('sick', 'sleep 3600', {
            container: {
              livenessProbe: { exec: { command: ['/bin/sh', '-c', 'exit 1'] }, periodSeconds: 1, failureThreshold: 2 },
            },
          }),
        );
        await t.until(
          'a restart',
          async () => (await get(t, 'sick')).status.containerStatuses?.[0]?.restartCount >= 1,
          60_000,
        );
        await t.until('an Unhealthy event', async () =>
          (await t.json('get', 'events', '--field-selector', 'involvedObject.name=sick')).items.some(
            (e) => e.reason === 'Unhealthy' && e.message.startsWith('Liveness probe failed'),
          ),
        );
        await t.ok('delete', 'pod', 'sick');
      },
    },
    {
      name: 'readiness probe and readiness gate decide the Ready condition',
      async run(t) {
        await t.apply(
          t.pod('gated', 'sleep 3600', {
            spec: { ...shared, readinessGates: [{ conditionType: 'example.com/open' }] },
            container: {
              ...mount,
              readinessProbe: { exec: { command: ['/bin/sh', '-c', 'test -e /gh-work/ready'] }, periodSeconds: 1 },
            },
          }),
        );
        await t.until('ContainersNotReady', async () => {
          const o = await get(t, 'gated');
          const r = condition(o, 'Ready');
          return o.status.phase === 'Running' && r?.status === 'False' && r.reason === 'ContainersNotReady';
        });
        await t.ok('exec', 'gated', '--', '/bin/sh', '-c', 'echo > /gh-work/ready');
        await t.until('ReadinessGatesNotReady', async () => {
          const o = await get(t, 'gated');
          return (
            condition(o, 'ContainersReady')?.status === 'True' &&
            condition(o, 'Ready')?.reason === 'ReadinessGatesNotReady'
          );
        });
        await t.ok(
          'patch',
          'pod',
          'gated',
          '--subresource=status',
          '-p',
          '{"status":{"conditions":[{"type":"example.com/open","status":"True"}]}}',
        );
        await t.ok('wait', '--for=condition=Ready', 'pod/gated', '--timeout=25s');
        await t.ok('delete', 'pod', 'gated');
      },
    },
    {
      name: 'a startup probe holds back the liveness probe',
      async run(t) {
        await t.apply(
          t.pod('slow', 'sleep 5; echo > /gh-work/up; sleep 3600', {
            spec: shared,
            container: {
              ...mount,
              startupProbe: {
                exec: { command: ['/bin/sh', '-c', 'test -e /gh-work/up'] },
                periodSeconds: 1,
                failureThreshold: 60,
              },
              livenessProbe: {
                exec: { command: ['/bin/sh', '-c', 'test -e /gh-work/up'] },
                periodSeconds: 1,
                failureThreshold: 1,
              },
            },
          }),
        );
        await t.until('running, not started', async () => {
          const s = (await get(t, 'slow')).status.containerStatuses?.[0];
          return s?.state.running && s.started === false && s.ready === false;
        });
        const s = await t.until(
          'started',
          async () => {
            const c = (await get(t, 'slow')).status.containerStatuses[0];
            return c.started && c.ready && c;
          },
          40_000,
        );
        t.equal(s.restartCount, 0, 'restartCount');
        await t.ok('delete', 'pod', 'slow');
      },
    },
    {
      name: 'deletion sends SIGTERM and waits: a handler ends early, a deaf container is killed at the end of the grace period',
      async run(t) {
        await t.apply(
          t.pod('polite', "trap 'echo got TERM; exit 0' TERM; echo up; while :; do sleep 1; done", {
            spec: { terminationGracePeriodSeconds: 60 },
          }),
          t.pod('deaf', "trap '' TERM; echo up; while :; do sleep 1; done", {
            spec: { terminationGracePeriodSeconds: 5 },
          }),
        );
        for (const name of ['polite', 'deaf'])
          await t.until(`${name} up`, async () => /up/.test(await t.ok('logs', name)));
        const follow = t.kubectlStart(['-n', t.ns, 'logs', '-f', 'polite']);
        await t.until('the log', async () => /up/.test(follow.state.out));
        let from = Date.now();
        await t.ok('delete', 'pod', 'polite', { timeoutMs: 40_000 });
        t.assert(Date.now() - from < 30_000, 'the pod that handles SIGTERM is gone long before 60 s');
        await t
          .until('got TERM in the log', async () => /got TERM/.test(follow.state.out), 5_000)
          .finally(() => follow.stop());
        from = Date.now();
        await t.ok('delete', 'pod', 'deaf', '--wait=false');
        const o = await get(t, 'deaf');
        t.equal(
          [Boolean(o.metadata.deletionTimestamp), o.metadata.deletionGracePeriodSeconds],
          [true, 5],
          'deletionTimestamp and grace',
        );
        await t.until('deaf gone', async () => (await t.ok('get', 'pod', 'deaf', '--ignore-not-found')) === '', 40_000);
        t.assert(Date.now() - from > 3_500, 'the deaf pod was given its grace period');
      },
      timeoutMs: 120_000,
    },
    {
      name: 'activeDeadlineSeconds fails the pod with DeadlineExceeded',
      async run(t) {
        await t.apply(t.pod('timed', 'sleep 3600', { spec: { activeDeadlineSeconds: 3, restartPolicy: 'Never' } }));
        t.equal((await inPhase(t, 'timed', 'Failed')).status.reason, 'DeadlineExceeded', 'status.reason');
      },
    },
    {
      name: 'waiting reasons: an image that cannot be had, and a missing ConfigMap key until it exists',
      async run(t) {
        {
          await t.apply(
            t.pod('noimage', 'sleep 3600', {
              container: { image: 'registry.invalid/nothing/here:v0', imagePullPolicy: 'Never' },
            }),
          );
          const reason = await t.until('a waiting reason', async () => {
            const r = (await get(t, 'noimage')).status.containerStatuses?.[0]?.state.waiting?.reason;
            return r && r !== 'ContainerCreating' && r;
          });
          t.match(
            reason,
            /^(ErrImageNeverPull|ErrImagePull|ImagePullBackOff|CreateContainerError|ImageInspectError)$/,
            'reason',
          );
          t.equal((await get(t, 'noimage')).status.phase, 'Pending', 'phase');
          await t.ok('delete', 'pod', 'noimage');
        }
        await t.apply(
          t.pod('needs', 'echo "$X"', {
            spec: { restartPolicy: 'Never' },
            container: { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'later', key: 'x' } } }] },
          }),
        );
        await t.until(
          'CreateContainerConfigError',
          async () =>
            (await get(t, 'needs')).status.containerStatuses?.[0]?.state.waiting?.reason ===
            'CreateContainerConfigError',
          45_000,
        );
        await t.ok('create', 'configmap', 'later', '--from-literal=x=here');
        await inPhase(t, 'needs', 'Succeeded', 75_000);
        t.equal((await t.ok('logs', 'needs')).trim(), 'here', 'output');
      },
      timeoutMs: 170_000,
    },
    {
      name: 'a deleted pod of a ReplicaSet is replaced by a new one',
      async run(t) {
        const { spec } = t.deployment('herd', 2);
        await t.apply({ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'herd' }, spec });
        const list = async () =>
          (await t.json('get', 'pods', '-l', 'app=herd')).items.filter((p) => !p.metadata.deletionTimestamp);
        const before = await t.until('two pods', async () => {
          const l = await list();
          return l.length === 2 && l;
        });
        await t.ok('delete', 'pod', before[0].metadata.name);
        const after = await t.until('two pods again', async () => {
          const l = await list();
          return l.length === 2 && l.every((p) => p.metadata.uid !== before[0].metadata.uid) && l;
        });
        t.assert(
          after.some((p) => p.metadata.uid === before[1].metadata.uid),
          'the other pod stays',
        );
        await t.ok('delete', 'rs', 'herd');
      },
    },
  ],
};
