// Deployment rollouts. Checks that need no running pods use replicas 0, so that they are quick.
const REV = 'deployment.kubernetes.io/revision';
const sets = async (t, app) => (await t.json('get', 'rs', '-l', `app=${app}`)).items;
const status = (t, name, seconds = 60) =>
  t.ok('rollout', 'status', `deployment/${name}`, `--timeout=${seconds}s`, { timeoutMs: (seconds + 5) * 1000 });
const revision = (t, name, wanted) =>
  t.until(`revision ${wanted}`, async () => {
    const d = await t.json('get', 'deployment', name);
    return (
      d.metadata.annotations?.[REV] === String(wanted) && d.status.observedGeneration === d.metadata.generation && d
    );
  });
const env = (object) => object.spec.template.spec.containers[0].env ?? [];

export const checks = {
  name: 'rollout',
  checks: [
    {
      name: 'create, rollout status, names and labels of the ReplicaSet and its pods',
      async run(t) {
        await t.apply(t.deployment('first', 2));
        t.match(await status(t, 'first'), /deployment "first" successfully rolled out/);
        const d = await t.json('get', 'deployment', 'first');
        t.equal(
          [d.status.replicas, d.status.readyReplicas, d.status.availableReplicas, d.status.updatedReplicas],
          [2, 2, 2, 2],
          'status counts',
        );
        t.equal(d.metadata.annotations[REV], '1', 'revision');
        t.equal(
          ['Available', 'Progressing'].map((k) => d.status.conditions.find((c) => c.type === k)?.status),
          ['True', 'True'],
          'conditions',
        );
        const [rs] = await sets(t, 'first');
        const hash = rs.metadata.labels['pod-template-hash'];
        t.equal(rs.metadata.name, `first-${hash}`, 'ReplicaSet name');
        t.equal(
          [rs.metadata.ownerReferences[0].uid, rs.metadata.ownerReferences[0].controller],
          [d.metadata.uid, true],
          'owner of the ReplicaSet',
        );
        t.equal(rs.spec.selector.matchLabels['pod-template-hash'], hash, 'hash in the selector');
        for (const p of (await t.json('get', 'pods', '-l', 'app=first')).items) {
          t.assert(p.metadata.name.startsWith(`first-${hash}-`), `pod name ${p.metadata.name}`);
          t.equal(p.metadata.ownerReferences[0].kind, 'ReplicaSet', 'owner of the pod');
        }
        t.match(
          await t.ok('get', 'deployment', 'first'),
          /NAME\s+READY\s+UP-TO-DATE\s+AVAILABLE\s+AGE\s+first\s+2\/2\s+2\s+2\s/,
        );
      },
    },
    {
      name: 'set env rolls to a new ReplicaSet and history lists both revisions',
      async run(t) {
        await t.apply(t.deployment('web', 1));
        await status(t, 'web');
        await t.ok('annotate', 'deployment/web', 'kubernetes.io/change-cause=the first');
        await t.until(
          'the change cause',
          async () => /^1\s+the first/m.test(await t.ok('rollout', 'history', 'deployment/web')),
          15_000,
        );
        t.match(await t.ok('set', 'env', 'deployment/web', 'STEP=two'), /deployment\.apps\/web env updated/);
        await status(t, 'web');
        await revision(t, 'web', 2);
        t.equal(env(await t.json('get', 'deployment', 'web')), [{ name: 'STEP', value: 'two' }], 'env of the template');
        const all = await t.until('the old set at 0', async () => {
          const l = await sets(t, 'web');
          return (
            l.length === 2 && l.every((r) => r.spec.replicas === (r.metadata.annotations[REV] === '2' ? 1 : 0)) && l
          );
        });
        t.equal(all.map((r) => r.metadata.annotations[REV]).toSorted(), ['1', '2'], 'revisions');
        await t.until(
          'history',
          async () => {
            const h = await t.ok('rollout', 'history', 'deployment/web');
            return /REVISION\s+CHANGE-CAUSE/.test(h) && /^1\s+the first/m.test(h) && /^2\s/m.test(h);
          },
          10_000,
        );
        t.match(
          await t.ok('rollout', 'history', 'deployment/web', '--revision=2'),
          /with revision #2[\s\S]*Pod Template:[\s\S]*STEP:\s+two/,
        );
      },
    },
    {
      name: 'undo returns to the former template under a new revision, and reuses its ReplicaSet',
      async run(t) {
        await t.apply(t.deployment('back', 0));
        await revision(t, 'back', 1);
        await t.ok('set', 'env', 'deployment/back', 'A=1');
        await revision(t, 'back', 2);
        await t.ok('set', 'env', 'deployment/back', 'A=2');
        await revision(t, 'back', 3);
        t.match(await t.ok('rollout', 'undo', 'deployment/back'), /deployment\.apps\/back rolled back/);
        t.equal(env(await revision(t, 'back', 4)), [{ name: 'A', value: '1' }], 'env after undo');
        t.match(await t.ok('rollout', 'undo', 'deployment/back', '--to-revision=1'), /rolled back/);
        t.equal(env(await revision(t, 'back', 5)), [], 'env after undo to 1');
        t.equal((await sets(t, 'back')).length, 3, 'no further ReplicaSet was made');
        const h = await t.ok('rollout', 'history', 'deployment/back');
        t.assert(
          /^3\s/m.test(h) && /^4\s/m.test(h) && /^5\s/m.test(h) && !/^1\s/m.test(h) && !/^2\s/m.test(h),
          `history: ${h}`,
        );
        await t.refused(
          /unable to find specified revision 77/,
          'rollout',
          'undo',
          'deployment/back',
          '--to-revision=77',
        );
      },
    },
    {
      name: 'pause holds changes back and resume rolls them out at once',
      async run(t) {
        await t.apply(t.deployment('held', 0));
        await revision(t, 'held', 1);
        await t.ok('set', 'env', 'deployment/held', 'FIRST=0'); // kubectl looks for a revision to go back to before it looks at paused
        await revision(t, 'held', 2);
        t.match(await t.ok('rollout', 'pause', 'deployment/held'), /deployment\.apps\/held paused/);
        await t.refused(/already paused/, 'rollout', 'pause', 'deployment/held');
        await t.ok('set', 'env', 'deployment/held', 'A=1');
        await t.ok('set', 'env', 'deployment/held', 'B=2');
        await t.sleep(2_000);
        t.equal((await sets(t, 'held')).length, 2, 'ReplicaSets while paused');
        await t.refused(/cannot rollback a paused deployment/, 'rollout', 'undo', 'deployment/held');
        t.match(await t.ok('rollout', 'resume', 'deployment/held'), /deployment\.apps\/held resumed/);
        await revision(t, 'held', 3);
        t.equal((await sets(t, 'held')).length, 3, 'one new ReplicaSet for both changes');
      },
    },
    {
      name: 'restart stamps the template and replaces the pods',
      async run(t) {
        await t.apply(t.deployment('fresh', 1));
        await status(t, 'fresh');
        const old = (await t.json('get', 'pods', '-l', 'app=fresh')).items.map((p) => p.metadata.uid);
        t.match(await t.ok('rollout', 'restart', 'deployment/fresh'), /deployment\.apps\/fresh restarted/);
        await status(t, 'fresh');
        t.assert(
          !Number.isNaN(
            Date.parse(
              (await t.json('get', 'deployment', 'fresh')).spec.template.metadata.annotations[
                'kubectl.kubernetes.io/restartedAt'
              ],
            ),
          ),
          'restartedAt',
        );
        await t.until('the old pod to go', async () => {
          const l = (await t.json('get', 'pods', '-l', 'app=fresh')).items;
          return l.length === 1 && !old.includes(l[0].metadata.uid);
        });
      },
      timeoutMs: 150_000,
    },
    {
      name: 'with maxUnavailable 0 the available replicas never drop below the wanted number',
      async run(t) {
        const d = t.deployment('steady', 3, {
          container: { readinessProbe: { exec: { command: ['/bin/sh', '-c', 'exit 0'] }, periodSeconds: 1 } },
          spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } },
        });
        await t.apply(d);
        await status(t, 'steady');
        const w = t.kubectlStart([
          '-n',
          t.ns,
          'get',
          'deployment',
          'steady',
          '-w',
          '-o',
          'jsonpath={.status.availableReplicas}/{.status.updatedReplicas}{"\\n"}',
        ]);
        try {
          await t.until('the first line', async () => w.state.out.includes('\n'));
          await t.ok('set', 'env', 'deployment/steady', 'ROUND=2');
          await status(t, 'steady', 80);
          const lines = w.state.out.trim().split('\n');
          t.assert(lines.length >= 3, `several states were seen: ${lines.join(' ')}`);
          for (const l of lines) t.assert(Number(l.split('/')[0]) >= 3, `available fell below 3: ${lines.join(' ')}`);
        } finally {
          w.stop();
        }
        await t.ok('delete', 'deployment', 'steady');
      },
      timeoutMs: 180_000,
    },
    {
      name: 'Recreate ends every old pod before a new one is made',
      async run(t) {
        await t.apply(t.deployment('swap', 2, { spec: { strategy: { type: 'Recreate' } } }));
        await status(t, 'swap');
        const w = t.kubectlStart([
          '-n',
          t.ns,
          'get',
          'rs',
          '-l',
          'app=swap',
          '-w',
          '-o',
          'jsonpath={.metadata.name} {.spec.replicas} {.status.replicas}{"\\n"}',
        ]);
        try {
          await t.sleep(1_000);
          await t.ok('set', 'env', 'deployment/swap', 'ROUND=2');
          await status(t, 'swap', 60);
          t.equal(
            (await sets(t, 'swap')).map((r) => [r.metadata.annotations[REV], r.spec.replicas]).toSorted(),
            [
              ['1', 0],
              ['2', 2],
            ],
            'sets at the end',
          );
          const fresh = (await sets(t, 'swap')).find((r) => r.metadata.annotations[REV] === '2').metadata.name;
          const lines = w.state.out
            .trim()
            .split('\n')
            .map((l) => l.split(' '));
          const down = lines.findIndex(([n, want]) => n && n !== fresh && want === '0'),
            up = lines.findIndex(([n, want]) => n === fresh && want === '2');
          t.assert(down >= 0 && up > down, `the old set goes to 0 before the new one goes to 2: ${w.state.out}`);
        } finally {
          w.stop();
        }
      },
      timeoutMs: 150_000,
    },
    {
      name: 'a rollout that makes no progress passes its deadline: condition and exit code of rollout status',
      async run(t) {
        await t.apply(
          t.deployment('stuck', 1, {
            container: { readinessProbe: { exec: { command: ['/bin/sh', '-c', 'exit 1'] }, periodSeconds: 1 } },
            spec: { progressDeadlineSeconds: 4 },
          }),
        );
        const r = await t.refused(
          /exceeded its progress deadline/,
          'rollout',
          'status',
          'deployment/stuck',
          '--timeout=60s',
          { timeoutMs: 65_000 },
        );
        t.match(r.out, /Waiting for deployment "stuck" rollout to finish: 0 of 1 updated replicas are available/);
        const c = (await t.json('get', 'deployment', 'stuck')).status.conditions;
        const progressing = c.find((x) => x.type === 'Progressing');
        t.equal([progressing.status, progressing.reason], ['False', 'ProgressDeadlineExceeded'], 'Progressing');
        t.equal(c.find((x) => x.type === 'Available').status, 'False', 'Available');
        await t.ok('delete', 'deployment', 'stuck');
      },
      timeoutMs: 120_000,
    },
    {
      name: 'revisionHistoryLimit prunes old ReplicaSets',
      async run(t) {
        await t.apply(t.deployment('short', 0, { spec: { revisionHistoryLimit: 1 } }));
        await revision(t, 'short', 1);
        for (let i = 2; i <= 4; i++) {
          await t.ok('set', 'env', 'deployment/short', `N=${i}`);
          await revision(t, 'short', i);
        }
        await t.until('two ReplicaSets', async () => {
          const l = await sets(t, 'short');
          return (
            l.length === 2 &&
            l
              .map((r) => r.metadata.annotations[REV])
              .toSorted()
              .join() === '3,4'
          );
        });
      },
    },
    {
      name: 'set image and set resources change the template',
      async run(t) {
        await t.apply(t.deployment('parts', 0));
        await revision(t, 'parts', 1);
        t.match(
          await t.ok('set', 'image', 'deployment/parts', 'main=example.com/other:v2'),
          /deployment\.apps\/parts image updated/,
        );
        await revision(t, 'parts', 2);
        t.match(
          await t.ok('set', 'resources', 'deployment/parts', '--limits=cpu=200m,memory=64Mi', '--requests=cpu=100m'),
          /deployment\.apps\/parts resource requirements updated/,
        );
        const c = (await revision(t, 'parts', 3)).spec.template.spec.containers[0];
        t.equal(
          [c.image, c.resources.limits.cpu, c.resources.limits.memory, c.resources.requests.cpu],
          ['example.com/other:v2', '200m', '64Mi', '100m'],
          'image and resources',
        );
        await t.refused(
          /unable to find container named "?nope"?/,
          'set',
          'image',
          'deployment/parts',
          'nope=example.com/x:v1',
        );
      },
    },
    {
      name: 'scale, and its --current-replicas precondition',
      async run(t) {
        await t.apply(t.deployment('sized', 1));
        await status(t, 'sized');
        t.match(await t.ok('scale', 'deployment/sized', '--replicas=3'), /deployment\.apps\/sized scaled/);
        await t.until(
          'three ready',
          async () => (await t.json('get', 'deployment', 'sized')).status.readyReplicas === 3,
          60_000,
        );
        t.equal((await sets(t, 'sized')).length, 1, 'scaling makes no new ReplicaSet');
        await t.refused(
          /Expected replicas to be 7, was 3/i,
          'scale',
          'deployment/sized',
          '--current-replicas=7',
          '--replicas=1',
        );
        await t.ok('scale', 'deployment/sized', '--current-replicas=3', '--replicas=0');
        await t.until('no pods', async () => (await t.json('get', 'pods', '-l', 'app=sized')).items.length === 0);
      },
      timeoutMs: 120_000,
    },
    {
      name: 'the selector is immutable and must match the template',
      async run(t) {
        await t.apply(t.deployment('fixed', 0));
        await t.refused(
          /spec\.selector[\s\S]*field is immutable/,
          'patch',
          'deployment',
          'fixed',
          '--type=merge',
          '-p',
          '{"spec":{"selector":{"matchLabels":{"app":"other"}},"template":{"metadata":{"labels":{"app":"other"}}}}}',
        );
        const bad = t.deployment('crooked', 0);
        bad.spec.template.metadata.labels = { app: 'different' };
        await t.refused(/`selector` does not match template `labels`/, 'create', '-f', '-', {
          stdin: JSON.stringify(bad),
        });
      },
    },
  ],
};
