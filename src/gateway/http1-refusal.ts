import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Answer } from './inbound.ts';

/**
 * Answers a request whose connection was taken out of HTTP (a refused upgrade) and closes it: a connection that is left
 * open behind a failed upgrade would carry the next request past every check (CVE-2018-1002105).
 */
export function closeWithAnswer(socket: Duplex, answer: Answer): Promise<void> {
  const body = answer.kind === 'whole' ? Buffer.from(answer.body) : Buffer.alloc(0);
  const headers = {
    ...answer.headers,
    'content-type': answer.contentType,
    'content-length': String(body.length),
    connection: 'close',
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return new Promise((resolve) => {
    if (socket.destroyed) {
      resolve();
      return;
    }
    socket.on('error', () => {}); // the peer may be gone already: then it is closed, which is all that is wanted
    socket.once('close', () => resolve());
    socket.write(`HTTP/1.1 ${answer.code} ${STATUS_CODES[answer.code] ?? ''}\r\n${head.join('\r\n')}\r\n\r\n`);
    socket.end(body, () => socket.destroy());
  });
}
