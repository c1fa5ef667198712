/** Node's request and response objects, of either protocol, as `Inbound` and `Answer`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { once } from 'node:events';
import type { Duplex, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { StatusError } from '../api/status.ts';
import type { Clock } from '../std/clock.ts';
import type { Answer, Headers, Inbound, Peer, StreamAnswer, WholeAnswer } from './inbound.ts';
import { header } from './inbound.ts';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Bodies from this size on are compressed for clients that accept it. The size upstream uses. */
const gzipFromBytes = 128 * 1024;
const compress = promisify(gzip);

/** `request` as the chain sees it. `stopping` aborts long-running requests when the gateway ends. */
export function inboundFromNode(
  request: NodeRequest,
  from: {
    readonly carrier: NodeResponse | Duplex;
    readonly peer: Peer;
    readonly stopping: AbortSignal;
    readonly clock: Clock;
    readonly bodyDeadlineMs: number;
  },
): Inbound {
  let signal: AbortSignal | undefined;
  return {
    method: request.method ?? '',
    url: request.url ?? '',
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    peer: from.peer,
    get signal() {
      return (signal ??= AbortSignal.any([whenClosed(from.carrier), from.stopping]));
    },
    body: (limitBytes) => readBody(request, limitBytes, from),
  };
}

/** Writes `answer`. Resolves when all of it is handed to the connection, or the client is gone. Throws what `frames` throw. */
export async function writeAnswer(response: NodeResponse, answer: Answer, request: Inbound): Promise<void> {
  if (answer.kind === 'stream') return writeStream(response, answer, request);
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  if (body.length >= gzipFromBytes && /\bgzip\b/.test(header(request, 'accept-encoding'))) {
    const packed = await compress(body, { level: constants.Z_BEST_SPEED });
    writeWhole(response, answer, packed, { 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
  } else {
    writeWhole(response, answer, body);
  }
}

function writeWhole(response: NodeResponse, answer: WholeAnswer, body: Buffer, more?: Headers): void {
  if (response.destroyed || response.writableEnded) return;
  response.writeHead(answer.code, {
    ...answer.headers,
    ...more,
    'content-type': answer.contentType,
    'content-length': body.length,
  });
  response.end(body);
}

async function writeStream(response: NodeResponse, answer: StreamAnswer, { signal }: Inbound): Promise<void> {
  response.writeHead(answer.code, { ...answer.headers, 'content-type': answer.contentType });
  if ('flushHeaders' in response) response.flushHeaders();
  const sink: Writable = response; // both kinds are streams; their overloads of write differ
  try {
    for await (const frame of answer.frames) {
      if (signal.aborted) break;
      // The next frame is only pulled once the client has taken this one.
      if (!sink.write(frame)) await once(sink, 'drain', { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    response.end();
  }
}

/** Of a response, not of its socket: a connection that is kept alive would gather a listener for every request. */
function whenClosed(carrier: NodeResponse | Duplex): AbortSignal {
  const controller = new AbortController();
  if (carrier.destroyed) controller.abort();
  else carrier.once('close', () => controller.abort());
  return controller.signal;
}

/** Counts what really comes; what Content-Length promises only serves to refuse earlier. */
async function readBody(
  request: NodeRequest,
  limitBytes: number,
  { clock, bodyDeadlineMs }: { readonly clock: Clock; readonly bodyDeadlineMs: number },
): Promise<Buffer> {
  const tooLarge = (): StatusError =>
    new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes}`);
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      cancel();
      request.off('data', onData).off('end', onEnd).off('error', onLost).off('close', onLost);
      outcome();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limitBytes) {
        request.pause();
        settle(() => reject(tooLarge()));
      } else chunks.push(chunk);
    };
    const onEnd = (): void =>
      settle(() => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
    const onLost = (): void => settle(() => reject(new StatusError('BadRequest', 'the request body ended early')));
    const cancel = clock.after(bodyDeadlineMs, () =>
      settle(() => reject(new StatusError('Timeout', 'the request body did not arrive in time'))),
    );
    request.on('data', onData).on('end', onEnd).on('error', onLost).on('close', onLost);
  });
}
