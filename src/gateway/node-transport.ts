/** Node's request and response objects, of either protocol, as `Inbound` and `Answer`. */
import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { once } from 'node:events';
import type { Duplex, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { StatusError } from '../api/status.ts';
import type { Clock } from '../std/clock.ts';
import { atEndOfTurn } from '../std/turn.ts';
import type { Answer, Inbound, Peer, StreamAnswer, WholeAnswer } from './inbound.ts';
import { header } from './inbound.ts';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Bodies from this size on are compressed for clients that accept it. The size upstream uses. */
const gzipFromBytes = 128 * 1024;
const compress = promisify(gzip);

/** `request` as the chain sees it. `stopping` aborts long-running requests when the gateway ends. */
export function inboundFromNode(request: NodeRequest, from: Source): Inbound {
  return new NodeInbound(request, from);
}

interface Source {
  readonly carrier: NodeResponse | Duplex;
  readonly peer: Peer;
  readonly stopping: AbortSignal;
  readonly clock: Clock;
  readonly bodyDeadlineMs: number;
}

/** A class for its getter: an object literal with one is made the slow way, for every request. */
class NodeInbound implements Inbound {
  readonly method: string;
  readonly url: string;
  readonly headers: Inbound['headers'];
  readonly rawHeaders: readonly string[];
  readonly peer: Peer;
  readonly #request: NodeRequest;
  readonly #from: Source;
  #signal: AbortSignal | undefined;

  constructor(request: NodeRequest, from: Source) {
    this.method = request.method ?? '';
    this.url = request.url ?? '';
    this.headers = request.headers;
    this.rawHeaders = request.rawHeaders;
    this.peer = from.peer;
    this.#request = request;
    this.#from = from;
  }

  get signal(): AbortSignal {
    return (this.#signal ??= AbortSignal.any([whenClosed(this.#from.carrier), this.#from.stopping]));
  }

  body(limitBytes: number): Promise<Buffer> {
    return readBody(this.#request, limitBytes, this.#from);
  }
}

/**
 * Writes `answer`. Resolves when a stream has been handed to the connection, or its client is gone; a whole answer is
 * handed over at the end of this turn of the event loop. Throws what `frames` throw.
 */
export async function writeAnswer(response: NodeResponse, answer: Answer, request: Inbound): Promise<void> {
  if (answer.kind === 'stream') return writeStream(response, answer, request);
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  if (body.length >= gzipFromBytes && /\bgzip\b/.test(header(request, 'accept-encoding'))) {
    const packed = await compress(body, { level: constants.Z_BEST_SPEED });
    const headers = { ...answer.headers, 'content-encoding': 'gzip', vary: 'Accept-Encoding' };
    writeWhole(response, { ...answer, headers }, packed);
  } else {
    writeWhole(response, answer, body);
  }
}

/**
 * The answers of one turn leave together: the first write wakes the process at the other end, and those that follow at
 * once find it awake (docs/adr, what bounds a request).
 */
function writeWhole(response: NodeResponse, { code, contentType, headers }: WholeAnswer, body: Buffer): void {
  atEndOfTurn(() => {
    if (response.destroyed || response.writableEnded) return;
    try {
      const fields = ['content-type', contentType, 'content-length', String(body.length)];
      for (const name in headers) fields.push(name, headers[name] ?? '');
      if (response instanceof ServerResponse) response.writeHead(code, fields);
      else response.writeHead(code, { ...headers, 'content-type': contentType, 'content-length': body.length });
      response.end(body);
    } catch {
      response.destroy(); // a header that HTTP cannot carry: nobody waits here any more
    }
  });
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
