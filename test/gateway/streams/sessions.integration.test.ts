import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import { inspect, promisify } from 'node:util';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { KeyPair } from '../../../src/gateway/pki.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { needs } from '../../support/needs.ts';
import { startStreamsLab, type StreamsLab } from '../../support/streams.ts';

let lab: StreamsLab;
let admin: KeyPair;
beforeAll(async () => {
  lab = await startStreamsLab(['one', 'two', 'three']);
  admin = await lab.at.issue('admin', ['system:masters']);
});
afterAll(() => lab.stop());

const path = (query: string, verb = 'exec', pod = 'web', container = 'main'): string =>
  `/api/v1/namespaces/shop/pods/${pod}/${verb}?container=${container}&${query}`;
const sh = (script: string, more = 'stdout=true&stderr=true'): string =>
  `command=sh&command=-c&command=${encodeURIComponent(script)}&${more}`;

/** A session as a client library sees it. */
class Client {
  readonly socket: WebSocket;
  readonly #channels = ['', '', '', '', ''];
  closed: Promise<number>;

  constructor(query: string, { verb = 'exec', protocol = 'v5.channel.k8s.io', container = 'main' } = {}) {
    this.socket = new WebSocket(
      `${lab.at.gateway.url.replace('https', 'wss')}${path(query, verb, 'web', container)}`,
      protocol,
      {
        ca: lab.at.pki.ca.cert,
        ...admin,
      },
    );
    this.closed = new Promise((resolve) => this.socket.once('close', (code) => resolve(code)));
    this.socket.on('message', (data) => {
      if (Buffer.isBuffer(data)) this.#channels[data[0] ?? 0] += data.toString('utf8', 1);
    });
  }

  async open(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  send(channel: number, text: string): void {
    this.socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
  }

  out(channel: number): string {
    return this.#channels[channel] ?? '';
  }

  status(): { readonly status: string; readonly message?: string; readonly details?: unknown } {
    return JSON.parse(this.out(3));
  }
}

describe('exec', () => {
  test('output and errors come on channels of their own, the exit code last', async () => {
    const client = new Client(sh('echo out; echo err >&2; exit 7'));
    expect(await client.closed).toBe(1000);
    expect([client.out(1), client.out(2)]).toEqual(['out\n', 'err\n']);
    expect(client.status()).toMatchObject({ details: { causes: [{ reason: 'ExitCode', message: '7' }] } });
    expect(lab.opened.sessions).toBe(0);
  });

  test('success is a Status in v4', async () => {
    const client = new Client(sh('true'), { protocol: 'v4.channel.k8s.io' });
    await client.closed;
    expect(client.status().status).toBe('Success');
  });

  test('input reaches the program, and ff 00 is its end of file', async () => {
    const client = await new Client(sh('cat; echo done', 'stdin=true&stdout=true')).open();
    client.send(0, 'hello ');
    client.send(0, 'world\n');
    client.socket.send(Buffer.from([255, 0]));
    await client.closed;
    expect(client.out(1)).toBe('hello world\ndone\n');
  });

  test('large input and output pass unchanged', async () => {
    const client = await new Client(sh('sha256sum; head -c 5000000 /dev/zero', 'stdin=true&stdout=true')).open();
    const part = 'x'.repeat(32_768);
    for (let i = 0; i < 100; i++) client.send(0, part);
    client.socket.send(Buffer.from([255, 0]));
    await client.closed;
    expect(client.out(1).slice(0, 64)).toBe(createHash('sha256').update(part.repeat(100)).digest('hex'));
    expect(client.out(1).length).toBe(68 + 5_000_000);
  });

  test('the size of the terminal is handed on', async () => {
    const client = await new Client(sh('cat', 'stdin=true&stdout=true')).open();
    client.send(4, '{"Width":120,"Height":40}');
    await vi.waitFor(() => expect(lab.opened.size).toBe('120x40'));
    client.socket.send(Buffer.from([255, 0]));
    await client.closed;
  });

  test('a program ends when its client goes away', async () => {
    const client = await new Client(sh('echo started; sleep 100', 'stdout=true')).open();
    await vi.waitFor(() => expect(client.out(1)).toBe('started\n'));
    expect(lab.opened.sessions).toBe(1);
    client.socket.terminate();
    await vi.waitFor(() => expect(lab.opened.sessions).toBe(0));
  });

  test('a client that reads nothing stops the program, not the memory', async () => {
    const script = 'head -c 50000000 /dev/zero; echo finished >&2';
    const client = await new Client(sh(script)).open();
    client.socket.pause();
    await systemClock.sleep(300);
    expect(lab.opened.sessions).toBe(1);
    client.socket.resume();
    await client.closed;
    expect([client.out(1).length, client.out(2)]).toEqual([50_000_000, 'finished\n']);
  });

  test('a container that does not run is told on the error channel', async () => {
    const client = new Client(sh('true'), { container: 'side' });
    await client.closed;
    expect(client.status()).toMatchObject({ status: 'Failure', message: 'container not found ("side")' });
  });

  test('is recorded before it acts', async () => {
    const client = await new Client(sh('echo marked; sleep 100')).open();
    await vi.waitFor(() => expect(client.out(1)).toBe('marked\n'));
    const recorded = lab.at.rows.map((row) => inspect(row, { depth: 5 })).filter((row) => row.includes('marked'));
    expect(recorded.length).toBeGreaterThan(0);
    client.socket.terminate();
    await vi.waitFor(() => expect(lab.opened.sessions).toBe(0));
  });
});

describe('attach', () => {
  test('connects with what the container reads and writes', async () => {
    const client = await new Client('stdin=true&stdout=true', { verb: 'attach' }).open();
    client.send(0, 'ping');
    await vi.waitFor(() => expect(client.out(1)).toBe('ping'));
    client.socket.send(Buffer.from([255, 0]));
    await client.closed;
    expect(client.status().status).toBe('Success');
  });
});

describe('refusals close the connection and carry a Status', () => {
  const upgrade = async (of: string, headers: Record<string, string>): Promise<[number, string]> => {
    const asked = request(`${lab.at.gateway.url}${of}`, {
      ca: lab.at.pki.ca.cert,
      agent: false,
      ...admin,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        'sec-websocket-protocol': 'v5.channel.k8s.io',
        ...headers,
      },
    });
    asked.end();
    const [response] = await once(asked, 'response');
    let body = '';
    for await (const part of response) body += String(part);
    expect(response.headers.connection).toBe('close');
    return [response.statusCode, JSON.parse(body).message];
  };

  test.for<[string, string, Record<string, string>, number, RegExp]>([
    [
      'no subprotocol that is known',
      path('command=x&stdout=1'),
      { 'sec-websocket-protocol': 'v9' },
      400,
      /subprotocols v5/,
    ],
    ['SPDY without a protocol', path('command=x&stdout=1'), { upgrade: 'SPDY/3.1' }, 400, /X-Stream-Protocol-Version/],
    ['another upgrade', path('command=x&stdout=1'), { upgrade: 'h2c' }, 400, /Upgrade request required/],
    [
      'a version of WebSocket that is not spoken',
      path('command=x&stdout=1'),
      { 'sec-websocket-version': '7' },
      400,
      /Sec-WebSocket-Version/,
    ],
    ['no command', path('stdout=1'), {}, 400, /at least one command/],
    ['no stream', path('command=x'), {}, 400, /at least 1 of stdin, stdout, stderr/],
    ['no such pod', path('command=x&stdout=1', 'exec', 'gone'), {}, 404, /pods "gone" not found/],
    [
      'a node that is not connected',
      path('command=x&stdout=1', 'exec', 'far'),
      {},
      503,
      /node node-2 is not connected/,
    ],
    ['port-forward of no port', path('', 'portforward'), {}, 400, /subprotocols v4.channel.k8s.io|"ports" is required/],
    ['a proxy', path('', 'proxy'), {}, 400, /pods\/proxy is not served/],
  ])('%s', async ([, of, headers, code, words]) => {
    const [found, message] = await upgrade(of, headers);
    expect([found, message]).toEqual([code, expect.stringMatching(words)]);
  });
});

describe('who may get exec, attach and port-forward but not create them', () => {
  test.for(['exec', 'attach', 'portforward'])('is not let in by the GET of a WebSocket: %s', async (verb) => {
    const reader = await lab.at.issue('reader', []);
    const asked = request(`${lab.at.gateway.url}${path('command=x&stdout=1&ports=80', verb)}`, {
      ca: lab.at.pki.ca.cert,
      agent: false,
      ...reader,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        'sec-websocket-protocol': 'v4.channel.k8s.io',
      },
    });
    asked.end();
    const [response] = await once(asked, 'response');
    let body = '';
    for await (const part of response) body += String(part);
    expect([response.statusCode, JSON.parse(body).message]).toEqual([
      403,
      `pods "web" is forbidden: User "reader" cannot create resource "pods/${verb}" in API group "" in the namespace "shop"`,
    ]);
    expect(lab.opened.sessions).toBe(0);
  });
});

describe.runIf(needs('kubectl against streams', ['kubectl'], 'apt-get install kubernetes-client'))('kubectl', () => {
  const run = promisify(execFile);
  let config: string;
  beforeAll(async () => {
    config = await lab.at.kubeconfigFor('admin', ['system:masters']);
  });
  const kubectl = (...args: readonly string[]): ReturnType<typeof run> =>
    run('kubectl', ['--kubeconfig', config, '-n', 'shop', ...args], { timeout: 20_000 });

  test('logs', async () => {
    expect((await kubectl('logs', 'web', '-c', 'main', '--tail=2')).stdout).toBe('two\nthree\n');
  });

  test('exec, with its exit code', async () => {
    expect((await kubectl('exec', 'web', '-c', 'main', '--', 'echo', 'hi')).stdout).toBe('hi\n');
    await expect(kubectl('exec', 'web', '-c', 'main', '--', 'sh', '-c', 'exit 7')).rejects.toMatchObject({ code: 7 });
  });

  test('exec -i takes standard input to its end', async () => {
    const child = spawn('kubectl', [
      '--kubeconfig',
      config,
      '-n',
      'shop',
      'exec',
      '-i',
      'web',
      '-c',
      'main',
      '--',
      'wc',
      '-c',
    ]);
    let out = '';
    child.stdout.on('data', (part) => (out += String(part)));
    child.stdin.end('x'.repeat(200_000));
    await once(child, 'close');
    expect(out.trim()).toBe('200000');
  });

  test('exec in a container that does not run says so', async () => {
    await expect(kubectl('exec', 'web', '-c', 'side', '--', 'true')).rejects.toMatchObject({
      stderr: expect.stringContaining('container not found ("side")'),
    });
  });

  test('attach -i', async () => {
    const child = spawn('kubectl', ['--kubeconfig', config, '-n', 'shop', 'attach', '-i', 'web', '-c', 'main']);
    let out = '';
    child.stdout.on('data', (part) => (out += String(part)));
    child.stdin.end('hello');
    await once(child, 'close');
    expect(out).toContain('hello');
  });
});

describe('when a node goes away', () => {
  test('its sessions end on both sides', async () => {
    const client = await new Client(sh('echo started; sleep 100', 'stdout=true')).open();
    await vi.waitFor(() => expect(client.out(1)).toBe('started\n'));
    await lab.tunnel.stop();
    await client.closed;
    expect(client.status().message).toContain('session');
    expect(lab.opened.sessions).toBe(0);
  });
});
