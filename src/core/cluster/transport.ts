/**
 * HTTPS to the gateway for the core's own processes: one HTTP/2 connection carries all requests and watches of a
 * process. A connection that does not answer a ping is dropped, so a watch on a dead peer ends and is begun again.
 */
import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { StatusError, unavailable } from '../../api/status.ts';
import type { Clock } from '../../std/clock.ts';
import type { Running } from '../../std/stop.ts';

/** What the cluster client needs: a request in, a response with a streaming body out. The gateway's `app.fetch` fits. */
export type Fetch = (request: Request) => Promise<Response>;

export interface TransportOptions {
  /** `https://host:port` of the gateway. */
  readonly server: string;
  /** PEM of the CA that signed the gateway's certificate. */
  readonly ca: string;
  /** PEM pair of the client's identity, read anew for every connection so that a renewed certificate is taken up. */
  readonly identity: () => { readonly cert: string; readonly key: string } | undefined;
  readonly clock: Clock;
}

// Chosen, not measured: twice a long garbage collection of the gateway.
const pingEveryMs = 10_000;
const connectDeadlineMs = 10_000;

/** A `Fetch` over HTTP/2 with a client certificate. */
export function createTransport(options: TransportOptions): Running & { readonly fetch: Fetch } {
  let session: ClientHttp2Session | undefined;
  let stopped = false;

  const open = (): ClientHttp2Session => {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    const fresh = connect(options.server, { ca: options.ca, ...options.identity(), timeout: connectDeadlineMs });
    fresh.on('error', () => {}); // each stream of the session reports it to its own caller
    fresh.on('goaway', () => forget(fresh));
    fresh.on('close', () => forget(fresh));
    session = fresh;
    keepAlive(fresh);
    return fresh;
  };

  const forget = (gone: ClientHttp2Session): void => {
    if (session === gone) session = undefined;
  };

  const keepAlive = (watched: ClientHttp2Session): void => {
    let answered = true;
    const beat = (): void => {
      if (watched.destroyed || watched.closed) return;
      if (!answered) {
        watched.destroy();
        return;
      }
      answered = false;
      if (watched.connecting) answered = true;
      else
        watched.ping((error) => {
          answered = error === null;
        });
      options.clock.after(pingEveryMs, beat);
    };
    options.clock.after(pingEveryMs, beat);
  };

  return {
    fetch: async (request) => {
      if (stopped) throw unavailable('this client has been stopped');
      const body = request.body === null ? undefined : Buffer.from(await request.arrayBuffer());
      return exchange(open(), request, body);
    },
    stop: async () => {
      stopped = true;
      session?.destroy();
    },
  };
}

function exchange(session: ClientHttp2Session, request: Request, body: Buffer | undefined): Promise<Response> {
  const url = new URL(request.url);
  const headers: Record<string, string> = {
    [constants.HTTP2_HEADER_METHOD]: request.method,
    [constants.HTTP2_HEADER_PATH]: `${url.pathname}${url.search}`,
  };
  request.headers.forEach((value, name) => {
    headers[name] = value;
  });
  return new Promise((resolve, reject) => {
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(headers, { endStream: body === undefined });
    } catch (error) {
      reject(unavailable('the gateway cannot be reached', 1, error));
      return;
    }
    let answered = false;
    const onAbort = (): void => {
      stream.close(constants.NGHTTP2_CANCEL);
      reject(request.signal.reason instanceof Error ? request.signal.reason : new StatusError('Timeout', 'aborted'));
    };
    request.signal.addEventListener('abort', onAbort, { once: true });
    if (request.signal.aborted) onAbort();
    stream.on('error', (error) => {
      if (!answered) reject(unavailable('the gateway cannot be reached', 1, error));
    });
    stream.on('close', () => {
      request.signal.removeEventListener('abort', onAbort);
      if (!answered) reject(unavailable('the gateway closed the connection before it answered'));
    });
    stream.on('response', (answer) => {
      answered = true;
      const { [constants.HTTP2_HEADER_STATUS]: status, ...rest } = answer;
      const fields = Object.entries(rest).filter(([name]) => !name.startsWith(':'));
      const code = Number(status);
      const empty = code === 204 || code === 304;
      if (empty) stream.resume();
      resolve(
        new Response(empty ? null : (Readable.toWeb(stream) as ReadableStream<Uint8Array>), {
          status: code,
          headers: fields.map(([name, value]): [string, string] => [name, String(value)]),
        }),
      );
    });
    if (body !== undefined) stream.end(body);
  });
}
