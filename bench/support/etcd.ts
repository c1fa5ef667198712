/**
 * An etcd of one member, and the thinnest client for it: gRPC over one persistent HTTP/2 connection, messages encoded by
 * hand. Anything heavier would measure the client.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/std/clock.ts';

export interface Etcd {
  /** Creates `key`; the revision. Throws when it is there. */
  create(key: string, value: Buffer): Promise<bigint>;
  /** Replaces `key` if it is still at `expected`; the new revision. Throws otherwise. */
  update(key: string, value: Buffer, expected: bigint): Promise<bigint>;
  stop(): Promise<void>;
}

/** Starts etcd from PATH on free ports, its data in a folder of its own. Throws when it does not come up in 10 s. */
export async function startEtcd(): Promise<Etcd> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-etcd-'));
  const [client, peer] = await Promise.all([freePort(), freePort()]);
  const child = spawn(
    'etcd',
    [
      ['--data-dir', folder],
      ['--listen-client-urls', `http://127.0.0.1:${client}`],
      ['--advertise-client-urls', `http://127.0.0.1:${client}`],
      ['--listen-peer-urls', `http://127.0.0.1:${peer}`],
      ['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
      ['--initial-cluster', `default=http://127.0.0.1:${peer}`],
    ].flat(),
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const session = await connected(`http://127.0.0.1:${client}`);
  const txn = (request: Buffer): Promise<Buffer> => call(session, '/etcdserverpb.KV/Txn', request);
  return {
    create: async (key, value) => revisionOf(await txn(guardedPut(key, value, 0n))),
    update: async (key, value, expected) => revisionOf(await txn(guardedPut(key, value, expected))),
    stop: async () => {
      session.destroy();
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function connected(url: string): Promise<ClientHttp2Session> {
  const giveUpAt = systemClock.monotonic() + 10_000;
  for (;;) {
    const session = connect(url, { settings: { initialWindowSize: 2 ** 20 } });
    session.on('error', () => {}); // the call under way fails with it
    try {
      await call(session, '/etcdserverpb.KV/Txn', guardedPut('ready', Buffer.from('1'), 0n));
      return session;
    } catch (error) {
      session.destroy();
      if (systemClock.monotonic() > giveUpAt) throw error;
      await systemClock.sleep(100);
    }
  }
}

/** One unary gRPC call. */
function call(session: ClientHttp2Session, path: string, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const parts: Buffer[] = [];
    let status = 'no status';
    stream.on('response', (headers) => {
      status = String(headers['grpc-status'] ?? status);
    });
    stream.on('trailers', (trailers) => {
      status = String(trailers['grpc-status']);
    });
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', reject);
    stream.on('close', () => {
      if (status === '0') resolve(Buffer.concat(parts).subarray(5));
      else reject(new Error(`etcd answered grpc-status ${status}`));
    });
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    message.copy(frame, 5);
    stream.end(frame);
  });
}

/** TxnRequest: if mod_revision(key) = expected then put(key, value). Field numbers: etcd's rpc.proto. */
function guardedPut(key: string, value: Buffer, expected: bigint): Buffer {
  const name = bytes(1, Buffer.from(key));
  const compare = Buffer.concat([varint(1, 0n), varint(2, 2n), bytes(3, Buffer.from(key)), varint(6, expected)]);
  const put = bytes(2, Buffer.concat([name, bytes(2, value)])); // RequestOp.request_put
  return Buffer.concat([bytes(1, compare), bytes(2, put)]);
}

/** TxnResponse: header (1) with revision (3), succeeded (2). */
function revisionOf(response: Buffer): bigint {
  const fields = parse(response);
  if (fields.get(2) !== 1n) throw new Error('etcd: the compare failed');
  const header = fields.get(1);
  const revision = header instanceof Buffer ? parse(header).get(3) : undefined;
  if (typeof revision !== 'bigint') throw new Error('etcd: an answer without revision');
  return revision;
}

function parse(message: Buffer): Map<number, bigint | Buffer> {
  const fields = new Map<number, bigint | Buffer>();
  let at = 0;
  const read = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(read());
    if ((tag & 7) === 0) {
      fields.set(tag >> 3, read());
    } else {
      const length = Number(read());
      fields.set(tag >> 3, message.subarray(at, at + length));
      at += length;
    }
  }
  return fields;
}

function varint(field: number, value: bigint): Buffer {
  return Buffer.from([field << 3, ...digits(value)]);
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...digits(BigInt(value.length))]), value]);
}

function digits(value: bigint): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  return out;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
