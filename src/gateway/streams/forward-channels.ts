/**
 * Port-forward over `channel.k8s.io`, as client libraries without SPDY speak it: one connection for each port of the query,
 * all begun at once. Port number i has channel 2i for its data and 2i + 1 for what went wrong; the first message of each
 * channel is the port, two bytes, little endian. The protocol knows no end of one direction alone.
 */
import { Duplex, Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { badRequest } from '../../api/status.ts';
import { isPort } from '../../core/node/streams/wire.ts';
import type { Clock } from '../../std/clock.ts';
import { keepAlive } from '../../std/keep-alive.ts';
import { frame } from './channels.ts';
import { forward } from './forward.ts';
import type { Forward, ForwardTarget } from './forward.ts';
import { closeWebSocket, sendMessage } from './websocket-client.ts';

/** A channel is one byte, and there are two for each port. */
const maxPorts = 128;
const pingEveryMs = 30_000;

/** The ports of a query: `ports=80&ports=443,8080`. Throws BadRequest. */
export function parsePorts(query: URLSearchParams): readonly number[] {
  const texts = query.getAll('ports').flatMap((list) => list.split(','));
  if (texts.length === 0) throw badRequest('query parameter "ports" is required');
  if (texts.length > maxPorts) throw badRequest(`at most ${maxPorts} ports can be forwarded at once`);
  return texts.map((text) => {
    const port = Number(text);
    if (!/^\d+$/.test(text) || !isPort(port)) throw badRequest(`unable to parse ${JSON.stringify(text)} as a port`);
    return port;
  });
}

/** Forwards `ports` until all connections have ended, or the client has gone. */
export async function forwardByChannels(
  socket: WebSocket,
  ports: readonly number[],
  target: ForwardTarget,
  { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock },
): Promise<void> {
  socket.on('error', (error) => target.log.debug('a port-forward client failed', { error }));
  const forwards = ports.map((port, index) => channelPair(socket, port, index));
  socket.on('message', (message, isBinary) => {
    if (!isBinary || !Buffer.isBuffer(message)) {
      socket.close(1003, 'binary messages only');
      return;
    }
    const [number = 0] = message;
    const data = number % 2 === 0 ? forwards[number / 2]?.data : undefined;
    if (data === undefined || data.destroyed || message.length < 2) return;
    if (!data.push(message.subarray(1))) socket.pause();
  });
  const stop = (): void => socket.close(1001, 'the gateway is stopping');
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  const stopPings = keepAlive(clock, pingEveryMs, {
    ping: (answered) => {
      if (socket.isPaused) answered(); // its pong would not be read; a client that is gone is still found by writing
      if (socket.readyState === WebSocket.OPEN) socket.once('pong', answered).ping();
    },
    dead: () => socket.terminate(),
  });
  socket.once('close', () => {
    for (const { data } of forwards) data.destroy();
  });
  try {
    for (const [index, port] of ports.entries()) {
      const name = Buffer.alloc(2);
      name.writeUInt16LE(port);
      await sendMessage(socket, frame(2 * index, name));
      await sendMessage(socket, frame(2 * index + 1, name));
    }
    await Promise.all(forwards.map((each) => forward(each, target)));
  } finally {
    signal.removeEventListener('abort', stop);
    stopPings();
    await closeWebSocket(socket);
  }
}

function channelPair(socket: WebSocket, port: number, index: number): Forward {
  const writing = (channel: number) => (chunk: Buffer, _encoding: BufferEncoding, done: () => void) => {
    void sendMessage(socket, frame(channel, chunk)).then(() => done());
  };
  const data: Duplex = new Duplex({
    read: () => socket.resume(),
    write: writing(2 * index),
    final: (done) => {
      data.push(null); // the pod has ended the connection: nothing of the client's is for anybody any more
      done();
    },
  });
  data.on('error', () => {}); // `forward` sees it close
  return { port, data, error: new Writable({ write: writing(2 * index + 1) }) };
}
