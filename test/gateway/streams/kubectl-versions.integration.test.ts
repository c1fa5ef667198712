/** Every kubectl of this machine against one gateway: by SPDY up to 1.29 (port-forward 1.30), by WebSocket after that. */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findKubectls } from '../../support/kubectls.ts';
import { needs } from '../../support/needs.ts';
import { startStreamsLab } from '../../support/streams.ts';
import type { StreamsLab } from '../../support/streams.ts';

const isHere = needs('every kubectl against streams', ['kubectl'], 'apt-get install kubernetes-client');

let lab: StreamsLab;
let echo: Server;
let closedPort: number;
let flags: readonly string[];
beforeAll(async () => {
  lab = await startStreamsLab(['one', 'two', 'three']);
  flags = ['--kubeconfig', await lab.at.kubeconfigFor('admin', ['system:masters']), '-n', 'shop'];
  // Says hello, then all that it is told, until it is told no more.
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.write('hello ');
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  const closed = createServer().listen(0, '127.0.0.1');
  await Promise.all([once(echo, 'listening'), once(closed, 'listening')]);
  closedPort = portOf(closed);
  closed.close();
});
afterAll(async () => {
  echo.close();
  await lab.stop();
});

describe.runIf(isHere).each(isHere ? findKubectls() : [])('kubectl $version', ({ path }) => {
  const kubectl = (...args: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
    promisify(execFile)(path, [...flags, ...args], { timeout: 30_000, maxBuffer: 64 * 1024 * 1024 });
  const start = (...args: readonly string[]): ChildProcessWithoutNullStreams => spawn(path, [...flags, ...args]);

  test('exec keeps outputs apart and passes the exit code on', async () => {
    const script = ['exec', 'web', '-c', 'main', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'];
    await expect(kubectl(...script)).rejects.toMatchObject({
      code: 7,
      stdout: 'out\n',
      stderr: expect.stringMatching(/^err\n/),
    });
    expect((await kubectl('exec', 'web', '-c', 'main', '--', 'echo', 'hi')).stdout).toBe('hi\n');
    expect(lab.opened.sessions).toBe(0);
  });

  test('exec -i carries input to its end, and as much out as in', async () => {
    const child = start('exec', '-i', 'web', '-c', 'main', '--', 'cat');
    const parts: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => parts.push(part));
    const long = Buffer.alloc(3_000_000, 'abcdefg');
    child.stdin.end(long);
    await once(child, 'close');
    expect(Buffer.concat(parts).equals(long)).toBe(true);
  });

  test('exec of a program that ends without reading its input', async () => {
    const child = start('exec', '-i', 'web', '-c', 'main', '--', 'sh', '-c', 'echo done');
    const closed = once(child, 'close'); // which may come before it is asked to
    child.stdin.on('error', () => {});
    child.stdin.write(Buffer.alloc(2_000_000));
    let out = '';
    child.stdout.on('data', (part) => (out += String(part)));
    await vi.waitFor(() => expect(out).toBe('done\n'), 20_000);
    child.stdin.end();
    await closed;
    expect(lab.opened.sessions).toBe(0);
  });

  test('a program ends when kubectl is killed', async () => {
    const child = start('exec', 'web', '-c', 'main', '--', 'sh', '-c', 'echo started; exec sleep 100');
    await once(child.stdout, 'data');
    expect(lab.opened.sessions).toBe(1);
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(lab.opened.sessions).toBe(0), 5000);
  });

  test('exec into what does not run says why', async () => {
    await expect(kubectl('exec', 'web', '-c', 'side', '--', 'true')).rejects.toMatchObject({
      stderr: expect.stringContaining('container not found ("side")'),
    });
  });

  test('attach -i', async () => {
    const child = start('attach', '-i', 'web', '-c', 'main');
    let out = '';
    child.stdout.on('data', (part) => (out += String(part)));
    child.stdin.end('hello');
    await once(child, 'close');
    expect(out).toContain('hello');
  });

  test('port-forward carries many connections at once, each to its end', async () => {
    const child = start('port-forward', 'web', `:${portOf(echo)}`);
    try {
      const local = await forwardedPort(child);
      const long = 'x'.repeat(300_000);
      const sent = Array.from({ length: 20 }, (_, i) => `${i} ${long}`);
      expect(await Promise.all(sent.map((text) => talk(local, text)))).toEqual(sent.map((text) => `hello ${text}`));
      expect(await talk(local, 'again')).toBe('hello again');
      await vi.waitFor(() => expect(lab.opened.connections).toBe(0));
    } finally {
      child.kill('SIGTERM');
      await once(child, 'close');
    }
  });

  test('port-forward to a port where nobody listens says so', async () => {
    const child = start('port-forward', 'web', `:${closedPort}`);
    let said = '';
    child.stderr.on('data', (part) => (said += String(part)));
    try {
      expect(await talk(await forwardedPort(child), 'x')).toBe('');
      await vi.waitFor(
        () => expect(said).toMatch(/error forwarding port \d+ to pod web, .*connection refused/),
        10_000,
      );
    } finally {
      child.kill('SIGTERM');
    }
  });

  test('a port-forward ends its connections when kubectl is killed', async () => {
    const child = start('port-forward', 'web', `:${portOf(echo)}`);
    const socket = connect(await forwardedPort(child), '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'data');
    expect(lab.opened.connections).toBe(1);
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(lab.opened.connections).toBe(0), 5000);
  });
});

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port; // a listening TCP server has one
}

async function forwardedPort(child: ChildProcessWithoutNullStreams): Promise<number> {
  let said = '';
  child.stdout.on('data', (part) => (said += String(part)));
  return vi.waitFor(() => {
    const port = /127\.0\.0\.1:(\d+) ->/.exec(said)?.[1];
    if (port === undefined) throw new Error(`not forwarding yet: ${said}`);
    return Number(port);
  }, 20_000);
}

/** Sends `text` and no more; what came back until the other side ended. */
function talk(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let got = '';
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('data', (part) => (got += String(part)));
    socket.on('error', () => {});
    socket.once('close', () => resolve(got));
    socket.once('end', () => socket.end());
    socket.end(text);
  });
}
