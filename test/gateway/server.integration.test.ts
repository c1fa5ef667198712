import { execFile } from 'node:child_process';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issueClientCertificate, type KeyPair } from '../../src/gateway/pki.ts';
import { systemClock } from '../../src/std/clock.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

let at: TestGateway;
let admin: KeyPair;
beforeAll(async () => {
  at = await startTestGateway({ deadlines: { headersMs: 600, idleMs: 1500, requestMs: 4000, stopMs: 500 } });
  admin = await at.issue('admin', ['system:masters']);
});
afterAll(() => at.stop());

interface Reply {
  readonly code: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function ask(path: string, options: RequestOptions & { readonly body?: string | Buffer } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const request = httpsRequest(
      `${at.gateway.url}${path}`,
      { ca: at.pki.ca.cert, agent: false, path, ...rest },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ code: response.statusCode ?? 0, headers: response.headers, body: text }));
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

async function rawSocket(protocol: 'h2' | 'http/1.1'): Promise<TLSSocket> {
  const socket = connect({
    port: at.gateway.port,
    host: '127.0.0.1',
    ca: at.pki.ca.cert,
    ALPNProtocols: [protocol],
    servername: 'localhost',
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

async function secondsUntilClosed(socket: TLSSocket): Promise<number> {
  const began = systemClock.monotonic();
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
  return (systemClock.monotonic() - began) / 1000;
}

const configMap = (name: string): string =>
  JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name }, data: { a: 'b' } });
const json = { 'content-type': 'application/json' };

describe('identity', () => {
  test('a certificate of our authority names its user over HTTP/1.1', async () => {
    const { code, body } = await ask('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      ...admin,
      method: 'POST',
      headers: json,
      body: '{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}',
    });
    expect(code).toBe(201);
    expect(JSON.parse(body).status.userInfo).toMatchObject({
      username: 'admin',
      groups: ['system:masters', 'system:authenticated'],
    });
  });

  test('and over HTTP/2, on a connection of its own', async () => {
    const alice = await at.issue('alice', ['devs']);
    for (const [identity, name] of [
      [admin, 'admin'],
      [alice, 'alice'],
      [undefined, 'system:anonymous'],
    ] as const) {
      const session = connectHttp2(at.gateway.url, { ca: at.pki.ca.cert, ...identity });
      const stream = session.request({ ':path': '/api/v1/nodes/x' });
      stream.setEncoding('utf8');
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      session.close();
      expect(text).toContain(name === 'admin' ? 'nodes \\"x\\" not found' : `User \\"${name}\\" cannot get`);
    }
  });

  test('a certificate of another authority with the same name is Unauthorized', async () => {
    const stranger = await createAuthority(systemClock.now());
    const forged = await issueClientCertificate(stranger, {
      user: 'admin',
      groups: ['system:masters'],
      days: 1,
      now: systemClock.now(),
    });
    const { code, body } = await ask('/api/v1/nodes', forged);
    expect(code).toBe(401);
    expect(JSON.parse(body)).toMatchObject({ kind: 'Status', reason: 'Unauthorized' });
  });

  test('an expired certificate, and one made to serve, are Unauthorized', async () => {
    const expired = await issueClientCertificate(at.pki.ca, {
      user: 'admin',
      groups: ['system:masters'],
      days: 1,
      now: systemClock.now() - 3 * 86_400_000,
    });
    expect((await ask('/api/v1/nodes', expired)).code).toBe(401);
    expect((await ask('/api/v1/nodes', at.pki.serving)).code).toBe(401);
  });

  test('a wrong token is Unauthorized and never anonymous', async () => {
    expect((await ask('/version', { headers: { authorization: 'Bearer nonsense' } })).code).toBe(401);
    expect((await ask('/version', { headers: { authorization: 'Basic YTpi' } })).code).toBe(401);
    expect((await ask('/version')).code).toBe(200);
  });

  test('who may not impersonate is refused, and the headers go no further', async () => {
    const alice = await at.issue('alice', []);
    const headers = { 'impersonate-user': 'admin', 'impersonate-group': 'system:masters' };
    const refused = await ask('/api/v1/nodes', { ...alice, headers });
    expect(JSON.parse(refused.body).message).toBe(
      'users "admin" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
    expect((await ask('/api/v1/nodes', { ...admin, headers: { 'impersonate-user': 'bob' } })).body).toContain(
      'User \\"bob\\" cannot list',
    );
  });

  test('a request at the limit of headers is refused, for one of them may have been dropped', async () => {
    const many = Array.from({ length: 250 }, (_, i): [string, string] => [`x-${i}`, '1']);
    const headers = { host: 'localhost', ...Object.fromEntries(many) };
    expect((await ask('/api/v1/nodes', { ...admin, headers })).code).toBe(400);
  });
});

describe('limits', () => {
  test('a connection that is kept alive gathers nothing from the requests it carried', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on('warning', onWarning);
    for (let i = 0; i < 20; i++) await ask('/api/v1/namespaces/default/configmaps/none', { ...admin, agent });
    process.off('warning', onWarning);
    agent.destroy();
    expect(warnings).toEqual([]);
  });

  test('a header that is half sent is closed by its deadline on HTTP/1.1', async () => {
    const socket = await rawSocket('http/1.1');
    socket.write('GET /version HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    expect(await secondsUntilClosed(socket)).toBeLessThan(3);
  });

  test('and on HTTP/2', async () => {
    const socket = await rawSocket('h2');
    // Preface, empty SETTINGS, then a HEADERS frame that promises 100 bytes and brings 2.
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    socket.write(Buffer.from([0, 0, 100, 1, 0, 0, 0, 0, 1, 0x82, 0x87]));
    expect(await secondsUntilClosed(socket)).toBeLessThan(3);
  });

  test('a connection that says nothing is closed on both', async () => {
    const seconds = await Promise.all(
      [rawSocket('http/1.1'), rawSocket('h2')].map(async (socket) => secondsUntilClosed(await socket)),
    );
    for (const each of seconds) expect(each).toBeLessThan(3);
  });

  test('a chunked body past 3 MiB is refused while it comes', async () => {
    const part = Buffer.alloc(1024 * 1024, 32);
    const socket = connect({
      port: at.gateway.port,
      host: '127.0.0.1',
      ca: at.pki.ca.cert,
      ...admin,
      ALPNProtocols: ['http/1.1'],
      servername: 'localhost',
    });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.write(
      'POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    for (let i = 0; i < 5; i++) {
      socket.write(`${part.length.toString(16)}\r\n`);
      socket.write(part);
      socket.write('\r\n');
    }
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1.1 413 /);
    expect(text).toContain('RequestEntityTooLarge');
  });

  test('a path with an encoded slash or dot segments is a BadRequest with a Status', async () => {
    for (const path of ['/api/v1/namespaces/x%2fpods', '/api/v1/%2e%2e/nodes']) {
      const { code, body } = await ask(path, admin);
      expect([code, JSON.parse(body).reason]).toEqual([400, 'BadRequest']);
    }
  });
});

describe('upgrades', () => {
  const upgrade = async (path: string, headers = ''): Promise<string> => {
    const socket = await rawSocket('http/1.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${headers}\r\n`,
    );
    await once(socket, 'close');
    return text;
  };

  test('one that is not authorized is answered with a Status and its connection closed', async () => {
    const text = await upgrade('/api/v1/namespaces/default/pods/p/exec?command=sh');
    expect(text).toMatch(/^HTTP\/1.1 403 Forbidden\r\n/);
    expect(text).toContain('"reason":"Forbidden"');
  });

  test('one with a wrong token is Unauthorized, and closed', async () => {
    expect(await upgrade('/api/v1/namespaces/default/pods/p/exec', 'Authorization: Bearer x\r\n')).toMatch(
      /^HTTP\/1.1 401 /,
    );
  });

  test('one of a path that has none is refused, and closed', async () => {
    expect(await upgrade('/version')).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe('objects', () => {
  test('are created, read, listed, watched and deleted', async () => {
    await ask('/api/v1/namespaces', {
      ...admin,
      method: 'POST',
      headers: json,
      body: '{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"default"}}',
    });
    const path = '/api/v1/namespaces/default/configmaps';
    const created = await ask(path, { ...admin, method: 'POST', headers: json, body: configMap('one') });
    expect([created.code, JSON.parse(created.body).data]).toEqual([201, { a: 'b' }]);
    expect(created.headers).toMatchObject({
      'cache-control': 'no-cache, private',
      'audit-id': expect.stringMatching(/.{20}/),
    });
    expect((await ask(path, { ...admin, method: 'POST', headers: json, body: configMap('one') })).code).toBe(409);
    expect(JSON.parse((await ask(`${path}/one`, admin)).body)).toMatchObject({
      kind: 'ConfigMap',
      metadata: { name: 'one' },
    });
    const list = JSON.parse((await ask(path, admin)).body);
    expect(list).toMatchObject({ kind: 'ConfigMapList', items: [{ metadata: { name: 'one' } }] });
    const watched = await ask(`${path}?watch=1&resourceVersion=0&timeoutSeconds=1`, admin);
    expect(JSON.parse(watched.body.split('\n')[0] ?? '')).toMatchObject({
      type: 'ADDED',
      object: { metadata: { name: 'one' } },
    });
    const deleted = await ask(`${path}/one`, { ...admin, method: 'DELETE' });
    expect(JSON.parse(deleted.body)).toMatchObject({ kind: 'Status', status: 'Success' });
    expect((await ask(`${path}/one`, admin)).code).toBe(404);
    expect(at.store.rows.filter(({ fact }) => fact.resource === 'configmaps').map(({ fact }) => fact.verb)).toEqual([
      'create',
      'delete',
    ]);
  });

  test.for([
    { request: 'POST /api/v1/namespaces/default/configmaps/x', code: 405 },
    { request: 'PUT /api/v1/namespaces/default/configmaps', code: 405 },
    { request: 'GET /api/v1/namespaces/default/configmaps/x/nothing', code: 404 },
    { request: 'GET /apis/nobody.io/v1/things', code: 404 },
    { request: 'GET /api/v1/namespaces/default/nodes', code: 404 },
    { request: 'PATCH /api/v1/namespaces/default/configmaps/x', code: 415 },
    { request: 'BREW /api/v1/nodes', code: 405 },
    { request: 'GET /apis/nobody.io', code: 404 },
    { request: 'GET /nothing', code: 404 },
    { request: 'DELETE /version', code: 405 },
  ])('$request → $code with a Status', async ({ request, code }) => {
    const [method = '', path = ''] = request.split(' ');
    const answer = await ask(path, { ...admin, method: method === 'BREW' ? 'LINK' : method, headers: json });
    expect([answer.code, JSON.parse(answer.body).kind]).toEqual([code, 'Status']);
  });

  test.for([
    { accept: '', code: 200, type: 'application/json' },
    { accept: 'application/json', code: 200, type: 'application/json' },
    {
      accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
      code: 200,
      type: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
    },
    { accept: 'text/html', code: 406, type: 'application/json' },
  ])('OpenAPI v2 for Accept "$accept" → $code $type', async ({ accept, code, type }) => {
    const answer = await ask('/openapi/v2', { ...admin, headers: accept === '' ? {} : { accept } });
    expect([answer.code, answer.headers['content-type']]).toEqual([code, type]);
  });

  test('nothing is authorized while the policy may be stale, and health still answers', async () => {
    at.database.current = false;
    try {
      expect((await ask('/api/v1/nodes', admin)).code).toBe(503);
      expect((await ask('/livez')).body).toBe('ok');
      expect((await ask('/readyz')).body).toContain('[-]store failed');
    } finally {
      at.database.current = true;
    }
  });

  test('what reads and refusals leave in the trail names who, what and how it ended', async () => {
    const mallory = await at.issue('mallory', []);
    await ask('/api/v1/namespaces/default/secrets', mallory);
    expect(at.rows.map(({ fact }) => fact).filter(({ user }) => user === 'mallory')).toMatchObject([
      { verb: 'list', resource: 'secrets', namespace: 'default', code: 403, allowed: false },
    ]);
  });
});

describe('tokens', () => {
  test('one that was asked for opens the door until its account is gone', async () => {
    const path = '/api/v1/namespaces/default/serviceaccounts';
    await ask(path, {
      ...admin,
      method: 'POST',
      headers: json,
      body: '{"kind":"ServiceAccount","apiVersion":"v1","metadata":{"name":"web"}}',
    });
    const asked = '{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","spec":{"expirationSeconds":600}}';
    const answer = await ask(`${path}/web/token`, { ...admin, method: 'POST', headers: json, body: asked });
    expect(answer.code).toBe(201);
    const { token } = JSON.parse(answer.body).status;
    const headers = { authorization: `Bearer ${token}` };
    expect((await ask('/api/v1/nodes', { headers })).body).toContain('system:serviceaccount:default:web');
    const review = { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', spec: { token } };
    const reviewed = await ask('/apis/authentication.k8s.io/v1/tokenreviews', {
      ...admin,
      method: 'POST',
      headers: json,
      body: JSON.stringify(review),
    });
    expect(JSON.parse(reviewed.body).status).toMatchObject({
      authenticated: true,
      user: { username: 'system:serviceaccount:default:web' },
    });
    await ask(`${path}/web`, { ...admin, method: 'DELETE' });
    expect((await ask('/api/v1/nodes', { headers })).code).toBe(401);
  });
});

describe('kubectl, unmodified,', () => {
  const kubectl = async (...args: readonly string[]): Promise<string> => {
    const config = await at.kubeconfigFor('admin', ['system:masters']);
    const { stdout } = await promisify(execFile)('kubectl', [...args, '--cache-dir', `${config}.cache`], {
      env: { PATH: process.env['PATH'], KUBECONFIG: config },
      timeout: 20_000,
    });
    return stdout;
  };

  test('reads the version', async () => {
    expect(await kubectl('version')).toMatch(/Server Version: v1\.33\.0\+gatehouse/);
  });

  test('lists what is served', async () => {
    const resources = await kubectl('api-resources');
    expect(resources).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment$/m);
  });

  test('asks what it may do', async () => {
    expect(await kubectl('auth', 'can-i', 'delete', 'nodes')).toBe('yes\n');
    expect(
      await kubectl('auth', 'can-i', 'get', 'pods', '--as', 'bob').catch((error: { stdout: string }) => error.stdout),
    ).toBe('no\n');
  });
});

test('in process, the same chain answers fetch', async () => {
  const as = at.gateway.fetchAs({ name: 'admin', groups: ['system:masters'] });
  expect((await as(new Request('https://gateway/api/v1/nodes'))).status).toBe(200);
  expect((await at.gateway.app.fetch(new Request('https://gateway/api/v1/nodes'))).status).toBe(403);
});
