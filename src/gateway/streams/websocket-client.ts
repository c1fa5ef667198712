/** A session's client that speaks `channel.k8s.io` over a WebSocket. */
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { deadline } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import { channel, channelProtocols, frame, readFrame } from './channels.ts';
import { lastWords } from './exit-status.ts';
import type { SessionClient } from './session.ts';

/** How long a client may take to answer the close of its WebSocket. Chosen. */
const closeDeadlineMs = 5_000;

/** The client at the other end of `socket`, whose subprotocol has been agreed. */
export function webSocketClient(socket: WebSocket, log: Logger): SessionClient {
  const protocol = channelProtocols.find((one) => one === socket.protocol) ?? 'channel.k8s.io';
  const gone = new AbortController();
  const stdin = new Readable({ read: () => socket.resume() });
  let ended = false;
  let resized = (_columns: number, _rows: number): void => {};

  socket.on('error', (error) => log.debug('a streaming client failed', { error }));
  socket.pause(); // nothing is taken before there is something to take it
  socket.once('close', () => {
    gone.abort();
    stdin.destroy();
  });
  socket.on('message', (data, isBinary) => {
    if (!isBinary || !Buffer.isBuffer(data)) {
      socket.close(1003, 'binary messages only');
      return;
    }
    const read = readFrame(protocol, data);
    switch (read.kind) {
      case 'input':
        if (!ended && read.bytes.length > 0 && !stdin.push(read.bytes)) socket.pause();
        return;
      case 'end-of-input':
        if (!ended) stdin.push(null);
        ended = true;
        return;
      case 'resize':
        resized(read.columns, read.rows);
        return;
      case 'ignored':
        return;
    }
  });

  return {
    stdin,
    stdout: channelWriter(socket, channel.stdout),
    stderr: channelWriter(socket, channel.stderr),
    gone: gone.signal,
    onResize: (listener) => {
      resized = listener;
    },
    ping: (answered) => {
      if (socket.isPaused) answered(); // its pong would not be read; a client that is gone is still found by writing
      if (socket.readyState === WebSocket.OPEN) socket.once('pong', answered).ping();
    },
    cut: () => socket.terminate(),
    dismiss: (why) => socket.close(1001, why),
    end: async (status) => {
      const last = lastWords(protocol, status);
      if (last !== undefined) await sendMessage(socket, frame(channel.error, last));
      await closeWebSocket(socket);
    },
  };
}

function channelWriter(socket: WebSocket, number: number): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      void sendMessage(socket, frame(number, chunk)).then(() => done());
    },
  });
}

/** Resolves when the connection has taken `message`, or is gone. */
export function sendMessage(socket: WebSocket, message: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(message, { binary: true }, () => resolve());
    else resolve();
  });
}

/** Closes in order, or by force when the client does not answer in time. */
export async function closeWebSocket(socket: WebSocket): Promise<void> {
  if (socket.readyState === WebSocket.CLOSED) return;
  const closed = once(socket, 'close', { signal: deadline(closeDeadlineMs) }).catch(() => socket.terminate());
  if (socket.isPaused) socket.resume(); // or the client's close is never read
  socket.close(1000);
  await closed;
}
