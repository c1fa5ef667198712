/** The node's end of its tunnel: an HTTP/2 server for one connection, which answers what ./wire.ts lists and nothing else. */
import { constants, createServer } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { StatusError, toStatus } from '../../../api/status.ts';
import type { Clock } from '../../../std/clock.ts';
import type { Logger } from '../../../std/log.ts';
import { RuntimeError } from '../runtimes/runtime.ts';
import type { LogOptions, Runtime } from '../runtimes/runtime.ts';
import { attemptForLog } from './containers.ts';
import type { PodFinder } from './containers.ts';
import { forwardPort } from './forward.ts';
import { pump } from './pump.ts';
import { createSessions } from './sessions.ts';
import { parseLogQuery } from './wire.ts';
import type { LogQuery } from './wire.ts';

export interface StreamDeps {
  readonly agent: PodFinder;
  readonly runtime: Pick<Runtime, 'exec' | 'attach' | 'dial' | 'readLogs'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** More than one gateway's clients open at once. Chosen, not measured. */
const maxStreams = 4000;

/** Serves the gateway at the other end of `connection` until the session closes. All it started ends with it. */
export function serveStreams(connection: Duplex, deps: StreamDeps): ServerHttp2Session {
  const server = createServer({ settings: { maxConcurrentStreams: maxStreams }, maxSessionMemory: 64 });
  let session: ServerHttp2Session | undefined;
  server.on('session', (made) => {
    session = made;
  });
  server.on('sessionError', (error) => deps.log.debug('the tunnel failed', { error }));
  const sessions = createSessions(deps);
  server.on('stream', (stream, headers) => {
    stream.on('error', (error) => deps.log.debug('a stream of the tunnel failed', { error }));
    route(stream, headers, deps, sessions).catch((error: unknown) => refuse(stream, error, deps.log));
  });
  server.emit('connection', connection);
  if (session === undefined) throw new Error('the tunnel could not begin'); // `connection` makes it before emit returns
  return session;
}

async function route(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  deps: StreamDeps,
  sessions: ReturnType<typeof createSessions>,
): Promise<void> {
  const url = new URL(headers[':path'] ?? '/', 'http://node');
  const asked = `${headers[':method']} ${url.pathname}`;
  if (asked === 'GET /logs') return sendLog(stream, parseLogQuery(url.searchParams), deps);
  if (asked === 'POST /forward') return forwardPort(stream, url.searchParams, deps);
  if (asked === 'POST /exec') return sessions.start('exec', stream);
  if (asked === 'POST /attach') return sessions.start('attach', stream);
  const [, method, id = '', part] = /^(GET|PUT) \/sessions\/([^/]+)\/(stderr|stdin|size)$/.exec(asked) ?? [];
  if (method === 'GET' && part === 'stderr') return sessions.stderr(id, stream);
  if (method === 'PUT' && part === 'stdin') return sessions.stdin(id, stream);
  if (method === 'PUT' && part === 'size') return sessions.resize(id, url.searchParams, stream);
  throw new StatusError('NotFound', 'a node does not serve this');
}

async function sendLog(stream: ServerHttp2Stream, query: LogQuery, { agent, runtime, clock }: StreamDeps) {
  const { id } = attemptForLog(agent, query, query.previous);
  const gone = new AbortController();
  stream.once('close', () => gone.abort());
  const log = runtime.readLogs(id, logOptions(query, clock.now()), gone.signal);
  stream.respond({ ':status': 200, 'content-type': 'text/plain' });
  await pump(log, stream, gone.signal);
  stream.end();
}

function logOptions(query: LogQuery, now: number): LogOptions {
  const { sinceSeconds, sinceTime = sinceSeconds === undefined ? undefined : now - sinceSeconds * 1000 } = query;
  return {
    follow: query.follow,
    timestamps: query.timestamps,
    ...(query.tailLines === undefined ? {} : { tailLines: query.tailLines }),
    ...(sinceTime === undefined ? {} : { sinceTime }),
    ...(query.limitBytes === undefined ? {} : { limitBytes: query.limitBytes }),
  };
}

function refuse(stream: ServerHttp2Stream, error: unknown, log: Logger): void {
  if (stream.destroyed || stream.closed) return;
  if (!(error instanceof StatusError || error instanceof RuntimeError)) {
    log.warn('a stream of the tunnel failed', { error });
  }
  if (stream.headersSent) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  const failure = statusErrorOf(error);
  stream.respond({ ':status': failure.code, 'content-type': 'application/json' });
  stream.end(JSON.stringify(toStatus(failure)));
}

/** A runtime's own words may be shown: they are written for the pod's status and events. */
function statusErrorOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof RuntimeError) {
    const reason =
      error.reason === 'Unsupported' || error.reason === 'InvalidContainer' ? 'BadRequest' : 'InternalError';
    return new StatusError(reason, error.message, { cause: error });
  }
  return new StatusError('InternalError', 'the node failed: see its log', { cause: error });
}
