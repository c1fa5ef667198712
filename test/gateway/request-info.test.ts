import { describe, expect, test } from 'vitest';
import { parseRequest, recordedUri } from '../../src/gateway/request-info.ts';

interface Row {
  readonly request: string;
  readonly is: Readonly<Record<string, unknown>>;
}

describe('parseRequest reads', () => {
  test.for<Row>([
    {
      request: 'GET /api/v1/namespaces/shop/pods/a',
      is: { verb: 'get', group: '', version: 'v1', resource: 'pods', namespace: 'shop', name: 'a' },
    },
    { request: 'HEAD /api/v1/namespaces/shop/pods/a', is: { verb: 'get', name: 'a' } },
    { request: 'GET /api/v1/pods', is: { verb: 'list', namespace: '', name: '' } },
    { request: 'GET /api/v1/pods?watch=true', is: { verb: 'watch', longRunning: true } },
    { request: 'GET /api/v1/pods?watch', is: { verb: 'watch' } },
    { request: 'GET /api/v1/pods?watch=0', is: { verb: 'list' } },
    { request: 'GET /api/v1/namespaces/shop/pods/a?watch=true', is: { verb: 'get', longRunning: false } },
    {
      request: 'POST /apis/apps/v1/namespaces/shop/deployments',
      is: { verb: 'create', group: 'apps', resource: 'deployments' },
    },
    {
      request: 'PUT /apis/apps/v1/namespaces/shop/deployments/web/scale',
      is: { verb: 'update', subresource: 'scale', name: 'web' },
    },
    {
      request: 'PATCH /api/v1/nodes/n1/status',
      is: { verb: 'patch', resource: 'nodes', subresource: 'status', namespace: '' },
    },
    { request: 'DELETE /api/v1/namespaces/shop/pods', is: { verb: 'deletecollection', name: '' } },
    { request: 'DELETE /api/v1/namespaces/shop/pods/a', is: { verb: 'delete' } },
    { request: 'GET /api/v1/namespaces', is: { verb: 'list', resource: 'namespaces', namespace: '' } },
    {
      request: 'GET /api/v1/namespaces/shop',
      is: { verb: 'get', resource: 'namespaces', namespace: 'shop', name: 'shop', inNamespace: false },
    },
    {
      request: 'PUT /api/v1/namespaces/shop/finalize',
      is: { resource: 'namespaces', subresource: 'finalize', name: 'shop' },
    },
    {
      request: 'GET /api/v1/namespaces/shop/status',
      is: { resource: 'namespaces', subresource: 'status', name: 'shop' },
    },
    {
      request: 'GET /apis/x.io/v1/namespaces/shop/status',
      is: { resource: 'status', subresource: '', namespace: 'shop', verb: 'list' },
    },
    {
      request: 'POST /api/v1/namespaces/shop/pods/a/exec?command=sh',
      is: { verb: 'create', subresource: 'exec', longRunning: true },
    },
    { request: 'GET /api/v1/namespaces/shop/pods/a/exec?command=sh', is: { verb: 'get', subresource: 'exec' } },
    {
      request: 'GET /api/v1/namespaces/shop/services/a:80/proxy/x/y',
      is: { subresource: 'proxy', name: 'a:80', rest: 'x/y' },
    },
    { request: 'GET /api/v1/pods?fieldSelector=metadata.name%3Da', is: { verb: 'list', name: 'a', pathName: '' } },
    {
      request: 'GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn,metadata.name%3D%3Da&watch=1',
      is: { verb: 'watch', name: 'a' },
    },
    { request: 'GET /api/v1/pods?fieldSelector=metadata.name!%3Da', is: { name: '' } },
    { request: 'GET /api/v1/pods?fieldSelector=metadata.name%3Da%5C,b', is: { name: '' } },
    { request: 'GET /api/v1/namespaces/shop/pods/a%20b', is: { name: 'a b' } },
    { request: 'GET /api', is: { kind: 'path', verb: 'get', path: '/api' } },
    { request: 'GET /api/v1', is: { kind: 'path', path: '/api/v1' } },
    { request: 'GET /apis/apps/v1/', is: { kind: 'path', path: '/apis/apps/v1' } },
    { request: 'GET /', is: { kind: 'path', path: '/' } },
    { request: 'POST /metrics?x=1', is: { kind: 'path', verb: 'post', path: '/metrics' } },
    { request: 'BREW /api/v1/pods', is: { verb: 'brew' } },
    { request: 'GET /api/v1/constructor', is: { verb: 'list', resource: 'constructor' } },
  ])('$request', ({ request, is }) => {
    const [method = '', url = ''] = request.split(' ');
    expect(parseRequest(method, url)).toMatchObject(is);
  });
});

test.for([
  '/api/v1/namespaces/shop/pods/a%2Fb',
  '/api/v1/namespaces/shop%2fpods',
  '/api/v1/../v1/pods',
  '/api/v1/%2e%2e/pods',
  '/api/v1/./pods',
  '/api//v1/pods',
  '//api/v1/pods',
  String.raw`/api/v1\pods`,
  '/api/v1/%5cpods',
  '/api/v1/pods/%00',
  '/api/v1/pods/%zz',
  '/api/v1/pods/%ff',
  'http://elsewhere/api/v1/pods',
  '*',
  '',
])('a path that could be read in two ways is refused: %s', (url) => {
  expect(() => parseRequest('GET', url)).toThrow(/the request path/);
});

test('credentials in the query do not reach the record', () => {
  expect(recordedUri('/api/v1/x?access_token=abc&limit=5&Token=q')).toBe(
    '/api/v1/x?access_token=REDACTED&limit=5&Token=REDACTED',
  );
  expect(recordedUri('/api/v1/x?limit=5')).toBe('/api/v1/x?limit=5');
});
