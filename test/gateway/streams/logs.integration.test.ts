import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { KeyPair } from '../../../src/gateway/pki.ts';
import { startStreamsLab, type StreamsLab } from '../../support/streams.ts';

let lab: StreamsLab;
let admin: KeyPair;
beforeAll(async () => {
  lab = await startStreamsLab(['one', 'two', 'three']);
  admin = await lab.at.issue('admin', ['system:masters']);
});
afterAll(() => lab.stop());

async function open(path: string, identity = admin): Promise<IncomingMessage> {
  const { url } = lab.at.gateway;
  const asked = request(`${url}/api/v1/namespaces/shop/pods/${path}`, {
    ca: lab.at.pki.ca.cert,
    agent: false,
    ...identity,
  });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return response.setEncoding('utf8');
}

async function get(path: string, identity = admin): Promise<{ code: number; body: string }> {
  const response = await open(path, identity);
  let body = '';
  for await (const part of response) body += String(part);
  return { code: response.statusCode ?? 0, body };
}

const message = (body: string): string => JSON.parse(body).message;

describe('logs', () => {
  test('come over the tunnel as text', async () => {
    expect(await get('web/log?container=main')).toEqual({ code: 200, body: 'one\ntwo\nthree\n' });
    expect(await get('web/log?container=main&tailLines=1')).toEqual({ code: 200, body: 'three\n' });
    expect(await get('web/log?container=main&tailLines=0')).toEqual({ code: 200, body: '' });
  });

  test.for([
    ['web/log', 400, 'a container name must be specified for pod web, choose one of: [main side]'],
    ['web/log?container=no', 400, 'container no is not valid for pod web'],
    ['web/log?container=side', 400, 'container "side" in pod "web" is waiting to start: CrashLoopBackOff'],
    ['web/log?container=main&previous=true', 400, 'previous terminated container "main" in pod "web" not found'],
    ['gone/log', 404, 'pods "gone" not found'],
    ['far/log?container=main', 503, 'node node-2 is not connected to this gateway'],
    [
      'web/log?container=main&tailLines=-1',
      422,
      'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
    ],
  ] as const)("%s is refused with %d and upstream's words", async ([path, code, words]) => {
    const { body, ...answer } = await get(path);
    expect([answer.code, message(body)]).toEqual([code, words]);
  });

  test('are refused to who may not read them', async () => {
    const alice = await lab.at.issue('alice', []);
    const { code, body } = await get('web/log?container=main', alice);
    expect([code, message(body)]).toEqual([
      403,
      'pods "web" is forbidden: User "alice" cannot get resource "pods/log" in API group "" in the namespace "shop"',
    ]);
  });

  test('that are followed end on the node when their reader goes away', async () => {
    const response = await open('web/log?container=main&follow=true');
    const [first] = (await once(response, 'data')) as [string];
    expect(first).toContain('one');
    expect(lab.opened.logs).toBe(1);
    response.destroy();
    await vi.waitFor(() => expect(lab.opened.logs).toBe(0));
  });
});

describe('the tunnel', () => {
  const dialAs = async (name: string, groups: readonly string[], node: string): Promise<number | undefined> => {
    const identity = await lab.at.issue(name, groups);
    const asked = request(`${lab.at.gateway.url}/api/v1/nodes/${node}/tunnel`, {
      ca: lab.at.pki.ca.cert,
      agent: false,
      ...identity,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        'sec-websocket-protocol': 'v1.tunnel.gatehouse.dev',
      },
    });
    asked.end();
    const code = await new Promise<number | undefined>((resolve, reject) => {
      asked.once('response', (response) => resolve(response.statusCode)).once('error', reject);
      asked.once('upgrade', () => resolve(101));
    });
    asked.destroy();
    return code;
  };

  test('of a node is refused to other nodes, users and administrators', async () => {
    expect(await dialAs('system:node:node-2', ['system:nodes'], 'node-1')).toBe(403);
    expect(await dialAs('alice', [], 'node-1')).toBe(403);
    expect(await dialAs('root', ['system:masters'], 'node-1')).toBe(403);
  });

  test('that ends leaves no log open and answers 503; a new one serves again', async () => {
    const response = await open('web/log?container=main&follow=true');
    await once(response, 'data');
    const ended = once(response, 'close');
    await lab.tunnel.stop();
    await ended;
    expect(lab.opened.logs).toBe(0);
    expect((await get('web/log?container=main')).code).toBe(503);
    const again = await lab.dial();
    expect((await get('web/log?container=main')).code).toBe(200);
    await again.stop();
  });
});
