// What containers wrote, as kubectl logs shows it.
const isReady = (t, pod) => t.ok('wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=50s', { timeoutMs: 55_000 });
const ended = (t, pod) =>
  t.until(`${pod} to end`, async () => /Succeeded|Failed/.test((await t.json('get', 'pod', pod)).status.phase), 60_000);
const once = { restartPolicy: 'Never' };
const shell = async (t) => {
  await t.apply(t.pod('shell', 'sleep 3600'));
  await isReady(t, 'shell');
  return 'shell';
};

export const checks = {
  name: 'logs',
  checks: [
    {
      name: 'logs holds stdout and stderr, also after the end',
      async run(t) {
        await t.apply(t.pod('both', 'echo to-out; echo to-err >&2; echo last', { spec: once }));
        await ended(t, 'both');
        const out = await t.ok('logs', 'both');
        t.equal(out.trim().split('\n').toSorted(), ['last', 'to-err', 'to-out'], 'lines');
        t.equal(await t.ok('logs', 'pod/both'), out, 'by type and name');
        t.equal((await t.ok('logs', 'both', '--limit-bytes=3')).length, 3, 'limit-bytes');
      },
    },
    {
      name: 'logs -f ends by itself when the pod does',
      async run(t) {
        await t.apply(t.pod('counts', 'for i in 1 2 3 4 5; do echo line-$i; sleep 1; done', { spec: once }));
        await t.until('a first line', async () => /line-1/.test(await t.ok('logs', 'counts')));
        const f = t.kubectlStart(['-n', t.ns, 'logs', '-f', 'counts']);
        try {
          await t.until('the end of logs -f', async () => f.state.code !== undefined, 40_000);
          t.equal(f.state.code, 0, 'exit code');
          t.equal(
            f.state.out.trim().split('\n'),
            [1, 2, 3, 4, 5].map((i) => `line-${i}`),
            'lines',
          );
        } finally {
          f.stop();
        }
      },
    },
    {
      name: 'logs --previous shows the run before',
      timeoutMs: 150_000,
      async run(t) {
        const script =
          'if test -e /gh-w/x; then echo second; sleep 3600; fi; echo 1 > /gh-w/x; echo first; sleep 1; exit 1';
        await t.apply(
          t.pod('twice', script, {
            spec: { volumes: [{ name: 'w', emptyDir: {} }] },
            container: { volumeMounts: [{ name: 'w', mountPath: '/gh-w' }] },
          }),
        );
        await t.until('the second run', async () => (await t.ok('logs', 'twice')).trim() === 'second', 60_000);
        t.equal((await t.ok('logs', 'twice', '--previous')).trim(), 'first', 'previous log');
        await t.refused(
          /previous terminated container "main" in pod "shell" not found/,
          'logs',
          await shell(t),
          '--previous',
        );
        await t.ok('delete', 'pod', 'twice');
      },
    },
    {
      name: 'logs --tail, --since and --timestamps',
      async run(t) {
        await t.apply(t.pod('timed', 'echo a; echo b; echo c; sleep 12; echo late; sleep 3600'));
        await t.until('three lines', async () => /c\n/.test(await t.ok('logs', 'timed')));
        t.equal(await t.ok('logs', 'timed', '--tail=2'), 'b\nc\n', '--tail=2');
        const stamped = (await t.ok('logs', 'timed', '--timestamps', '--tail=3')).trim().split('\n');
        for (const [i, line] of stamped.entries()) {
          t.match(
            line,
            new RegExp(`^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d) ${'abc'[i]}$`),
          );
        }
        await t.until('the late line', async () => /late/.test(await t.ok('logs', 'timed')));
        t.equal((await t.ok('logs', 'timed', '--since=7s')).trim(), 'late', '--since=7s');
        await t.ok('delete', 'pod', 'timed');
      },
    },
    {
      name: 'logs -l follows a selector, with --prefix',
      async run(t) {
        const pod = (n) => t.pod(`sel-${n}`, `echo i-am-${n}`, { metadata: { labels: { set: 'sel' } }, spec: once });
        await t.apply(pod('one'), pod('two'));
        await ended(t, 'sel-one');
        await ended(t, 'sel-two');
        const out = await t.ok('logs', '-l', 'set=sel', '--prefix');
        for (const n of ['one', 'two']) t.match(out, new RegExp(`^\\[pod/sel-${n}/main\\] i-am-${n}$`, 'm'));
      },
    },
    {
      name: 'logs of several containers: a default, -c, --all-containers, and a name that is not there',
      async run(t) {
        const containers = [t.container('echo from-main'), t.container('echo from-side', { name: 'side' })];
        await t.apply(t.pod('duo', '', { spec: { ...once, containers } }));
        await ended(t, 'duo');
        const r = await t.kubectl(['-n', t.ns, 'logs', 'duo']);
        t.equal([r.code, r.out.trim()], [0, 'from-main'], 'without -c');
        t.match(r.err, /Defaulted container "main" out of: main, side/);
        t.equal((await t.ok('logs', 'duo', '-c', 'side')).trim(), 'from-side', '-c side');
        t.equal(
          (await t.ok('logs', 'duo', '--all-containers')).trim().split('\n').toSorted(),
          ['from-main', 'from-side'],
          '--all-containers',
        );
        await t.refused(/container "?nope"? (is not valid for pod|not found in pod)/, 'logs', 'duo', '-c', 'nope');
      },
    },
  ],
};
