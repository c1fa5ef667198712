import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { serveSpdy } from '../../../../src/gateway/streams/spdy/connection.ts';
import type { SpdyConnection } from '../../../../src/gateway/streams/spdy/connection.ts';
import { createFrameReader, dataFrame, pingFrame, resetFrame } from '../../../../src/gateway/streams/spdy/frames.ts';
import type { SpdyHeaders } from '../../../../src/gateway/streams/spdy/header-block.ts';
import { systemClock } from '../../../../src/std/clock.ts';
import { silentLogger } from '../../../../src/std/log.ts';
import { duplexPair } from '../../../support/duplex-pair.ts';
import { execBytes, forwardBytes } from './recorded.ts';

/** A connection with a client that is bytes. Frames of the server are kept as `TYPE/STREAM` words. */
function connect(accept: (headers: SpdyHeaders) => boolean = () => true, maxStreams = 10) {
  const [transport, client] = duplexPair();
  const streams: Duplex[] = [];
  const connection: SpdyConnection = serveSpdy(transport, {
    accept: (headers) => (accept(headers) ? (stream) => streams.push(stream) : undefined),
    maxStreams,
    clock: systemClock,
    log: silentLogger,
  });
  let heard = Buffer.alloc(0);
  client.on('data', (bytes: Buffer) => (heard = Buffer.concat([heard, bytes])));
  client.on('error', () => {});
  return { client, streams, connection, heard: () => describeFrames(heard) };
}

const names: Readonly<Record<number, string>> = { 2: 'reply', 3: 'reset', 6: 'ping', 7: 'go-away', 9: 'window' };

function describeFrames(bytes: Buffer): readonly string[] {
  const said: string[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8 + bytes.readUIntBE(at + 5, 3)) {
    const word = bytes.readUInt32BE(at);
    if (word < 2 ** 31) {
      const text = bytes.toString('utf8', at + 8, at + 8 + bytes.readUIntBE(at + 5, 3));
      said.push(`data ${word} ${text}${bytes[at + 4] === 1 ? '.' : ''}`);
    } else said.push(`${names[word & 0xff]} ${bytes.readUInt32BE(at + 8)}`);
  }
  return said;
}

/** The three streams of kubectl exec, opened and not yet reset. */
const opens = execBytes.subarray(0, 49 + 33 + 29);

test('streams are replied to before anything else is said on them', async () => {
  const { client, streams, heard } = connect();
  client.write(opens);
  await vi.waitFor(() => expect(streams).toHaveLength(3));
  streams[1]?.write('hi');
  streams[1]?.end();
  await vi.waitFor(() => expect(heard()).toEqual(['reply 1', 'reply 3', 'reply 5', 'data 3 hi', 'data 3 .']));
});

test('the recorded port-forward: data, half closed on both streams, then the client leaves', async () => {
  const { client, streams, connection } = connect();
  client.write(forwardBytes);
  await vi.waitFor(() => expect(streams).toHaveLength(2));
  const [error, data] = streams;
  error?.resume().end();
  let got = '';
  data?.on('data', (part) => (got += String(part)));
  if (data !== undefined) await once(data, 'end');
  expect(got).toBe('x');
  client.once('end', () => client.end());
  data?.end('bye');
  if (!connection.gone.aborted) await once(connection.gone, 'abort');
});

test('a reset ends the stream and no other', async () => {
  const { client, streams, connection } = connect();
  client.write(opens);
  client.write(resetFrame(3, 5));
  await vi.waitFor(() => expect(streams.map(({ destroyed }) => destroyed)).toEqual([false, true, false]));
  expect(connection.gone.aborted).toBe(false);
});

test('what we end before its time is reset; what ended in order is not', async () => {
  const { client, streams, heard } = connect();
  client.write(opens);
  client.write(dataFrame(3, Buffer.alloc(0), true));
  await vi.waitFor(() => expect(streams).toHaveLength(3));
  streams[0]?.destroy();
  streams[1]?.resume().end();
  await vi.waitFor(() => expect(heard().slice(3)).toEqual(['reset 1', 'data 3 .']));
});

test('pings are answered, and ours wait for their own answer', async () => {
  const { client, connection, heard } = connect();
  client.write(pingFrame(1));
  await vi.waitFor(() => expect(heard()).toEqual(['ping 1']));
  const answered = vi.fn<() => void>();
  connection.ping(answered);
  await vi.waitFor(() => expect(heard()).toEqual(['ping 1', 'ping 2']));
  client.write(pingFrame(4));
  client.write(pingFrame(2));
  await vi.waitFor(() => expect(answered).toHaveBeenCalledTimes(1));
});

test('a stream that nobody reads stops the client after a quarter of a MiB, and goes on when it is read', async () => {
  const { client, streams, connection } = connect();
  client.write(opens);
  await vi.waitFor(() => expect(streams).toHaveLength(3));
  const total = 4_000_000;
  let sent = 0;
  const send = (): void => {
    while (sent < total) {
      sent += 10_000;
      if (!client.write(dataFrame(1, Buffer.alloc(10_000), sent >= total))) return;
    }
  };
  client.on('drain', send);
  send();
  await vi.waitFor(() => expect(connection.isStalled()).toBe(true));
  await systemClock.sleep(50);
  expect(sent).toBeLessThan(500_000);
  let got = 0;
  streams[0]?.on('data', (part: Buffer) => (got += part.length));
  await vi.waitFor(() => expect(got).toBe(total));
  expect(connection.isStalled()).toBe(false);
});

test('a client that goes away while it is stopped is let go', async () => {
  const { client, streams, connection } = connect();
  client.write(opens);
  await vi.waitFor(() => expect(streams).toHaveLength(3));
  client.write(dataFrame(1, Buffer.alloc(1_000_000), false));
  await vi.waitFor(() => expect(connection.isStalled()).toBe(true));
  client.destroy();
  await vi.waitFor(() => expect(connection.gone.aborted).toBe(true));
  expect(streams.every(({ destroyed }) => destroyed)).toBe(true);
});

test('windows are granted to clients that keep to them', async () => {
  const { client, streams, heard } = connect();
  client.write(opens);
  await vi.waitFor(() => expect(streams).toHaveLength(3));
  streams[0]?.resume();
  client.write(dataFrame(1, Buffer.alloc(40_000), false));
  await vi.waitFor(() => expect(heard().slice(3)).toEqual(['window 0', 'window 1']));
});

describe('refused', () => {
  test('streams that nobody takes, and those past the limit, each alone', async () => {
    const { client, streams, heard } = connect((headers) => headers.get('streamtype') !== 'error', 1);
    client.write(opens);
    await vi.waitFor(() => expect(heard()).toEqual(['reset 1', 'reply 3', 'reset 5']));
    expect(streams).toHaveLength(1);
  });

  test('a stream opened twice ends the connection, and says so', async () => {
    const { client, connection, heard } = connect();
    client.write(opens);
    client.write(opens.subarray(0, 49));
    await vi.waitFor(() => expect(connection.gone.aborted).toBe(true));
    expect(heard()).toContain('go-away 5');
  });

  test('random bytes after a good beginning end the connection or are passed over, and nothing is left', async () => {
    for (let seed = 1; seed <= 100; seed++) {
      const { client, streams, connection } = connect();
      client.write(opens);
      const noise = Buffer.from(Array.from({ length: 300 }, (_, i) => (seed * 7919 + i * i * 31 + (i >> 2)) & 0xff));
      for (let at = 0; at < noise.length; at += seed) client.write(noise.subarray(at, at + seed));
      await systemClock.sleep(1);
      client.destroy();
      await vi.waitFor(() => expect(connection.gone.aborted).toBe(true));
      expect(streams.every(({ destroyed }) => destroyed)).toBe(true);
    }
  });
});

test('closing says so after all that was written, and waits for the client', async () => {
  const { client, streams, connection, heard } = connect();
  client.write(opens);
  await vi.waitFor(() => expect(streams).toHaveLength(3));
  streams[0]?.write('last words');
  const closed = connection.close();
  client.once('end', () => client.end());
  await closed;
  expect(heard().slice(3)).toEqual(['data 1 last words', 'go-away 5']);
  expect(createFrameReader()(execBytes).length).toBe(7);
});
