/**
 * A server that speaks just enough of the Postgres protocol (version 3, simple queries) to say which version it is: no
 * machine that runs these tests need have a Postgres that is too old. Source: PostgreSQL documentation, "Message Formats".
 */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';

export interface OldPostgres {
  readonly url: string;
  stop(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and answers the question for the server's version with `version` (14.13). */
export async function startOldPostgres(version: string): Promise<OldPostgres> {
  const [major = '0', minor = '0'] = version.split('.');
  const number = String(Number(major) * 10_000 + Number(minor));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {}); // the client went away
    let rest = Buffer.alloc(0);
    let begun = false;
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const head = begun ? 1 : 0; // the first message has no type
        if (rest.length < head + 4) return;
        const end = head + rest.readInt32BE(head);
        if (rest.length < end) return;
        const type = begun ? String.fromCharCode(rest[0] ?? 0) : 'startup';
        const text = rest.subarray(head + 4, end).toString();
        rest = rest.subarray(end);
        begun = true;
        if (type === 'startup') socket.write(Buffer.concat([message('R', int32(0)), ready]));
        else if (type === 'Q' && text.includes('server_version_num')) socket.write(row({ number, text: version }));
        else if (type === 'Q') socket.write(Buffer.concat([message('E', refusal), ready]));
        else socket.end();
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `postgresql://somebody@127.0.0.1:${port}/any`,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const ready = message('Z', Buffer.from('I'));
const refusal = Buffer.from('SERROR\0C0A000\0Mthis server only tells its version\0\0');

/** One row of text columns, as the answer to a simple query. */
function row(columns: Readonly<Record<string, string>>): Buffer {
  const count = int16(Object.keys(columns).length);
  // Table, column, type (25: text), size, modifier, format.
  const kind = Buffer.concat([int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)]);
  const names = Object.keys(columns).map((name) => Buffer.concat([Buffer.from(`${name}\0`), kind]));
  const values = Object.values(columns).map((value) => Buffer.concat([int32(value.length), Buffer.from(value)]));
  return Buffer.concat([
    message('T', Buffer.concat([count, ...names])),
    message('D', Buffer.concat([count, ...values])),
    message('C', Buffer.from('SELECT 1\0')),
    ready,
  ]);
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}
