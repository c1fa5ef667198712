/** Port-forward as client libraries without SPDY speak it: channels of a WebSocket, two for each port. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { inspect } from 'node:util';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { KeyPair } from '../../../src/gateway/pki.ts';
import { startStreamsLab, type StreamsLab } from '../../support/streams.ts';

let lab: StreamsLab;
let admin: KeyPair;
let echo: Server;
let closedPort: number;
beforeAll(async () => {
  lab = await startStreamsLab([]);
  admin = await lab.at.issue('admin', ['system:masters']);
  echo = createServer((socket) => {
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

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port; // a listening TCP server has one
}

/** A client that forwards `ports`, and what each channel has said: first its port, then the rest. */
function forwardTo(...ports: readonly number[]) {
  const query = ports.map((port) => `ports=${port}`).join('&');
  const url = `${lab.at.gateway.url.replace('https', 'wss')}/api/v1/namespaces/shop/pods/web/portforward?${query}`;
  const socket = new WebSocket(url, ['v4.channel.k8s.io'], { ca: lab.at.pki.ca.cert, ...admin });
  const said = ports.flatMap(() => [Buffer.alloc(0), Buffer.alloc(0)]);
  socket.on('message', (data) => {
    if (!Buffer.isBuffer(data)) return;
    const number = data[0] ?? 0;
    said[number] = Buffer.concat([said[number] ?? Buffer.alloc(0), data.subarray(1)]);
  });
  const closed = once(socket, 'close');
  return {
    socket,
    closed,
    port: (channel: number) => said[channel]?.readUInt16LE(0),
    text: (channel: number) => said[channel]?.toString('utf8', 2) ?? '',
    send: (channel: number, text: string) => socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)])),
  };
}

test('each port has a channel for data and one for errors, which begin with the port', async () => {
  const port = portOf(echo);
  const client = forwardTo(port, port);
  await once(client.socket, 'open');
  client.send(0, 'one');
  client.send(2, 'x'.repeat(500_000));
  await vi.waitFor(() => expect([client.text(0), client.text(2).length]).toEqual(['hello one', 500_006]));
  expect([0, 1, 2, 3].map((channel) => client.port(channel))).toEqual([port, port, port, port]);
  expect([client.text(1), client.text(3)]).toEqual(['', '']);
  expect(lab.opened.connections).toBe(2);
  client.socket.close();
  await vi.waitFor(() => expect(lab.opened.connections).toBe(0));
});

test('a port where nobody listens is told on its own error channel, and the other goes on', async () => {
  const client = forwardTo(closedPort, portOf(echo));
  await vi.waitFor(() =>
    expect(client.text(1)).toMatch(/^error forwarding port \d+ to pod web, .*connection refused$/),
  );
  client.send(2, 'still here');
  await vi.waitFor(() => expect(client.text(2)).toBe('hello still here'));
  client.socket.terminate();
  await vi.waitFor(() => expect(lab.opened.connections).toBe(0));
});

test('the connection closes when all that it forwards has ended', async () => {
  const client = forwardTo(closedPort);
  expect((await client.closed)[0]).toBe(1000);
});

test('is recorded before it acts', async () => {
  const before = lab.at.rows.length;
  const client = forwardTo(portOf(echo));
  await vi.waitFor(() => expect(client.text(0)).toBe('hello '));
  const recorded = lab.at.rows.slice(before).map((row) => inspect(row, { depth: 5 }));
  expect(recorded.filter((row) => row.includes('portforward')).length).toBeGreaterThan(0);
  client.socket.terminate();
  await vi.waitFor(() => expect(lab.opened.connections).toBe(0));
});
