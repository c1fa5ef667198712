/**
 * A load generator, a process of its own: keep-alive TLS connections over HTTP/1.1, each with one request under way.
 * It writes ready bytes and reads no more of an answer than its length, so that it costs little of the machine that the
 * server needs too. Its parent sends a `LoadOrder` per round and is sent a `LoadResult`.
 */
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { systemClock as clock } from '../../src/std/clock.ts';

export interface LoadOrder {
  readonly port: number;
  /** PEM. */
  readonly ca: string;
  readonly path: string;
  readonly token: string;
  readonly connections: number;
  readonly ms: number;
}

export interface LoadResult {
  /** Answered with 200. */
  readonly answered: number;
  /** Answered otherwise, or not at all. */
  readonly failed: number;
  /** From the first request to the last answer. */
  readonly ms: number;
  readonly p50: number;
  readonly p99: number;
}

process.on('message', (order: LoadOrder) => {
  void run(order).then((result) => process.send?.(result));
});
process.once('disconnect', () => process.exit());

async function run(order: LoadOrder): Promise<LoadResult> {
  const request = Buffer.from(
    [
      `GET ${order.path} HTTP/1.1`,
      `Host: 127.0.0.1:${order.port}`,
      'User-Agent: gatehouse-bench',
      'Accept: application/json',
      `Authorization: Bearer ${order.token}`,
      '\r\n',
    ].join('\r\n'),
  );
  const sockets = await Promise.all(Array.from({ length: order.connections }, () => open(order)));
  const times: number[] = [];
  const began = clock.monotonic();
  const failed = await Promise.all(sockets.map((socket) => repeat(socket, request, began + order.ms, times)));
  const ms = clock.monotonic() - began;
  for (const socket of sockets) socket.destroy();
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
  return { answered: times.length, failed: failed.reduce((a, b) => a + b, 0), ms, p50: at(0.5), p99: at(0.99) };
}

async function open({ port, ca }: LoadOrder): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca, ALPNProtocols: ['http/1.1'] });
  await once(socket, 'secureConnect');
  socket.setNoDelay(true);
  return socket;
}

/** Sends `request` again and again until `endAt`; how many were not answered with 200. */
function repeat(socket: TLSSocket, request: Buffer, endAt: number, times: number[]): Promise<number> {
  return new Promise((resolve) => {
    let sentAt = clock.monotonic();
    let failed = 0;
    let rest: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = answerIn(rest);
      if (whole === undefined) return;
      rest = rest.subarray(whole.length);
      const now = clock.monotonic();
      if (whole.ok) times.push(now - sentAt);
      else failed += 1;
      if (now >= endAt) {
        socket.off('close', onClose);
        resolve(failed);
      } else {
        sentAt = now;
        socket.write(request);
      }
    };
    const onClose = (): void => resolve(failed + 1);
    socket.on('data', onData);
    socket.on('error', () => {}); // 'close' follows
    socket.once('close', onClose);
    socket.write(request);
  });
}

function answerIn(bytes: Buffer): { readonly ok: boolean; readonly length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without Content-Length: ${head}`);
  const total = end + 4 + Number(length);
  return bytes.length < total ? undefined : { ok: head.startsWith('HTTP/1.1 200'), length: total };
}
