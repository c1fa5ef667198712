// exec, cp, attach and port-forward.
import { connect } from 'node:net';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const isReady = (t, pod) => t.ok('wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=50s', { timeoutMs: 55_000 });
const ended = (t, pod) =>
  t.until(`${pod} to end`, async () => /Succeeded|Failed/.test((await t.json('get', 'pod', pod)).status.phase), 60_000);
const once = { restartPolicy: 'Never' };
/** One long-running pod shared by the exec and cp checks. */
async function shell(t) {
  if (!(await t.ok('get', 'pod', 'shell', '--ignore-not-found'))) await t.apply(t.pod('shell', 'sleep 3600'));
  await isReady(t, 'shell');
  return 'shell';
}
const exec = (t, args, options) => t.kubectl(['-n', t.ns, 'exec', ...args], { stdin: '', ...options });

/** What the local `port` answers to `text`, to its end; '' when it refuses. */
const talk = (port, text) =>
  new Promise((done) => {
    let got = '';
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on('data', (part) => (got += part));
    socket.on('end', () => socket.end());
    socket.on('error', () => {});
    socket.on('close', () => done(got));
    socket.end(text);
  });
const forwarded = (t, forward, port) =>
  t.until(
    'the forwarding line',
    async () => new RegExp(`Forwarding from 127\\.0\\.0\\.1:(\\d+) -> ${port}`).exec(forward.state.out)?.[1],
    15_000,
  );

export const checks = {
  name: 'streams',
  checks: [
    {
      name: 'exec keeps stdout and stderr apart and passes the exit code on',
      async run(t) {
        const p = await shell(t);
        const r = await exec(t, [p, '--', '/bin/sh', '-c', 'echo to-out; echo to-err >&2']);
        t.equal([r.code, r.out, r.err.trim()], [0, 'to-out\n', 'to-err'], 'exec');
        const seven = await exec(t, [p, '--', '/bin/sh', '-c', 'echo before; exit 7']);
        t.equal([seven.code, seven.out], [7, 'before\n'], 'exec with exit 7');
        t.match(seven.err, /command terminated with exit code 7/);
        t.match((await exec(t, [p, '--', '/no/such/program'])).err, /no such file|not found|executable/i);
      },
    },
    {
      name: 'exec -i passes stdin on, up to its end, also when it is long',
      async run(t) {
        const p = await shell(t);
        t.equal(await t.ok('exec', '-i', p, '--', 'cat', { stdin: 'in and out\n' }), 'in and out\n', 'echoed');
        const long = `${'x'.repeat(63)}\n`.repeat(8192);
        const back = await t.ok('exec', '-i', p, '--', 'cat', { stdin: long });
        t.assert(back === long, `half a MiB came back as ${back.length} of ${long.length} bytes`);
      },
    },
    {
      name: 'exec -it gives a terminal, of the size of ours',
      async run(t) {
        const p = await shell(t);
        const answer = join(t.scratch, t.unique('tty'));
        const words = [t.program, '-n', t.ns, 'exec', '-it', p, '--', '/bin/sh', '-c', 'sleep 1; stty size'];
        // `script` gives kubectl a terminal of its own, whose size is set before kubectl starts.
        const command = `stty rows 33 cols 101; exec ${words.map((word) => `'${word}'`).join(' ')}`;
        // Its input stays open: the end of it would be the terminal's.
        await t.run('sh', ['-c', 'sleep 5 | script -qfec "$1" "$2"', 'sh', command, answer]);
        t.match(readFileSync(answer, 'utf8'), /^33 101\r?$/m, 'the terminal');
      },
    },
    {
      name: 'exec into what cannot be: a wrong container, a completed pod, no pod',
      async run(t) {
        await t.refused(
          /container "?nope"? (is not valid for pod|not found in pod)/,
          'exec',
          await shell(t),
          '-c',
          'nope',
          '--',
          'echo',
          'x',
        );
        await t.apply(t.pod('over', 'echo x', { spec: once }));
        await ended(t, 'over');
        await t.refused(
          /cannot exec into a container in a completed pod; current phase is Succeeded/,
          'exec',
          'over',
          '--',
          'echo',
          'x',
        );
        await t.refused(/pods "nobody" not found/, 'exec', 'nobody', '--', 'echo', 'x');
      },
    },
    {
      name: 'cp to a pod and back',
      async run(t) {
        const p = await shell(t);
        const name = t.unique('cp');
        const from = t.file('up', `first\n${'y'.repeat(200_000)}\nlast\n`);
        const back = join(t.scratch, `${name}-back`);
        await t.ok('cp', from, `${p}:/tmp/${name}`);
        t.match(await t.ok('exec', p, '--', 'cat', `/tmp/${name}`), /^first\ny+\nlast\n$/);
        await t.ok('cp', `${p}:/tmp/${name}`, back);
        t.assert(readFileSync(back, 'utf8') === readFileSync(from, 'utf8'), 'the file came back the same');
        const folder = join(t.scratch, `${name}-dir`);
        mkdirSync(join(folder, 'deep'), { recursive: true });
        writeFileSync(join(folder, 'deep', 'leaf'), 'leaf\n');
        await t.ok('cp', folder, `${p}:/tmp/${name}-dir`);
        t.equal(await t.ok('exec', p, '--', 'cat', `/tmp/${name}-dir/deep/leaf`), 'leaf\n', 'a folder');
        await t.ok('exec', p, '--', 'rm', '-r', `/tmp/${name}`, `/tmp/${name}-dir`);
      },
    },
    {
      name: 'attach shows what the container goes on to write',
      async run(t) {
        await t.apply(t.pod('chatty', 'i=0; while :; do i=$((i+1)); echo tick-$i; sleep 1; done'));
        await isReady(t, 'chatty');
        const a = t.kubectlStart(['-n', t.ns, 'attach', 'chatty']);
        try {
          await t.until('two ticks', async () => (a.state.out.match(/tick-\d+/g) ?? []).length >= 2, 15_000);
        } finally {
          a.stop();
        }
        t.equal((await t.json('get', 'pod', 'chatty')).status.phase, 'Running', 'the pod runs on');
        await t.ok('delete', 'pod', 'chatty');
      },
    },
    {
      name: 'port-forward carries bytes to a port of the pod, of many connections at once',
      async run(t) {
        const port = 8080;
        const js = `require("net").createServer({ allowHalfOpen: true }, (s) => { s.on("error", () => {}); s.write("hello "); s.pipe(s); }).listen(${port}, "127.0.0.1")`;
        const container = { command: [process.execPath, '-e', js] };
        await t.apply(t.pod('listens', '', { container }));
        await isReady(t, 'listens');
        await t.until('the port', async () => {
          const probe = `require("net").connect(${port}, "127.0.0.1").on("connect", () => process.exit(0)).on("error", () => process.exit(1))`;
          return (await exec(t, ['listens', '--', process.execPath, '-e', probe])).code === 0;
        });
        const f = t.kubectlStart(['-n', t.ns, 'port-forward', 'pod/listens', `:${port}`]);
        try {
          const local = await forwarded(t, f, port);
          const long = 'z'.repeat(300_000);
          const sent = Array.from({ length: 8 }, (_, i) => `${i} ${long}`);
          const got = await Promise.all(sent.map((text) => talk(Number(local), text)));
          t.equal(
            got.map((text) => text.length),
            sent.map((text) => text.length + 6),
            'lengths',
          );
          t.equal(await talk(Number(local), 'again'), 'hello again', 'another connection');
          t.equal(f.state.code, undefined, 'kubectl runs on');
        } finally {
          f.stop();
        }
      },
    },
    {
      name: 'port-forward to a port where nobody listens says so',
      async run(t) {
        const p = await shell(t);
        const f = t.kubectlStart(['-n', t.ns, 'port-forward', p, ':81']);
        try {
          t.equal(await talk(Number(await forwarded(t, f, 81)), 'x'), '', 'what comes back');
          await t.until('the complaint', async () => /error forwarding port 81 to pod .*refused/.test(f.state.err));
        } finally {
          f.stop();
        }
      },
    },
  ],
};
