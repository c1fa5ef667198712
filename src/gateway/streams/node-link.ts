/** The gateway's end of a node's tunnel: what ./wire.ts of the node lists, asked for over HTTP/2. */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { PassThrough } from 'node:stream';
import type { Duplex, Readable } from 'node:stream';
import { StatusError, isReason, unavailable } from '../../api/status.ts';
import type { ExecSession } from '../../core/node/runtimes/runtime.ts';
import { exitTrailer, forwardPath, logPath, sessionHeader } from '../../core/node/streams/wire.ts';
import type { LogQuery, PodRef, SessionKind, SessionStart } from '../../core/node/streams/wire.ts';
import type { Clock } from '../../std/clock.ts';
import { at, textOf } from '../../std/value.ts';

/** A node as the gateway reaches it. Refusals of the node are thrown as the StatusErrors it answered with. */
export interface NodeLink {
  /** The log's bytes. Destroy the stream to stop. */
  log(query: LogQuery): Promise<Readable>;
  /** `exit` rejects with ServiceUnavailable when the node goes away before the program ends. */
  start(kind: SessionKind, start: SessionStart): Promise<ExecSession>;
  /** A connection to `port` inside the pod's network. */
  dial(pod: PodRef, port: number): Promise<Duplex>;
}

// Chosen: a node that takes longer to begin is as good as not connected.
const answerDeadlineMs = 15_000;
const statusLimitBytes = 64 * 1024;

/** The node behind `session`. */
export function createNodeLink(session: ClientHttp2Session, clock: Clock): NodeLink {
  const ask = (headers: OutgoingHttpHeaders, body?: string): Promise<Answered> =>
    exchange(session, clock, headers, { endStream: body === undefined, body });
  return {
    dial: async (pod, port) => {
      const headers = { ':method': 'POST', ':path': forwardPath(pod, port) };
      return (await exchange(session, clock, headers, { endStream: false })).stream;
    },
    log: async (query) => (await ask({ ':method': 'GET', ':path': logPath(query) })).stream,
    start: async (kind, start) => {
      const { stream: stdout, headers } = await ask({ ':method': 'POST', ':path': `/${kind}` }, JSON.stringify(start));
      const path = `/sessions/${textOf(headers[sessionHeader])}`;
      const exit = exitOf(stdout);
      const streams: ClientHttp2Stream[] = [stdout];
      const close = (): void => {
        for (const stream of streams) stream.close();
      };
      try {
        const stderr = start.stderr ? (await ask({ ':method': 'GET', ':path': `${path}/stderr` })).stream : undefined;
        if (stderr !== undefined) streams.push(stderr);
        const stdin = start.stdin ? session.request({ ':method': 'PUT', ':path': `${path}/stdin` }) : undefined;
        stdin?.on('error', () => {}); // the program may end before its input does: `exit` says all there is to say
        stdin?.resume();
        if (stdin !== undefined) streams.push(stdin);
        if (!start.stdout) stdout.resume();
        return {
          ...(stdin === undefined ? {} : { stdin }),
          stdout,
          stderr: stderr ?? new PassThrough().end(),
          exit,
          resize: (columns, rows) => resize(session, `${path}/size?columns=${columns}&rows=${rows}`),
          close,
        };
      } catch (error) {
        close();
        throw error;
      }
    },
  };
}

function exitOf(stdout: ClientHttp2Stream): Promise<number> {
  const exit = new Promise<number>((resolve, reject) => {
    stdout.once('trailers', (trailers: IncomingHttpHeaders) => resolve(Number(textOf(trailers[exitTrailer]))));
    stdout.once('close', () =>
      reject(unavailable('the node ended the session: it stopped, or its connection was lost')),
    );
  });
  exit.catch(() => {}); // whoever asks for it sees it; a session that is only closed leaves it unread
  return exit;
}

function resize(session: ClientHttp2Session, path: string): void {
  if (session.closed || session.destroyed) return;
  const stream = session.request({ ':method': 'PUT', ':path': path }, { endStream: true });
  stream.on('error', () => {}); // the session has ended: nothing has a size any more
  stream.resume();
}

interface Answered {
  readonly stream: ClientHttp2Stream;
  readonly headers: IncomingHttpHeaders;
}

function exchange(
  session: ClientHttp2Session,
  clock: Clock,
  headers: OutgoingHttpHeaders,
  { endStream, body }: { readonly endStream: boolean; readonly body?: string | undefined },
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    if (session.closed || session.destroyed) {
      reject(unavailable('the node went away'));
      return;
    }
    const stream = session.request(headers, { endStream });
    const lost = (error?: unknown): void => {
      cancel();
      reject(unavailable('the node went away before it answered', 1, error));
    };
    const cancel = clock.after(answerDeadlineMs, () => {
      stream.close();
      reject(unavailable(`the node did not answer within ${answerDeadlineMs / 1000} s`));
    });
    stream.on('error', lost);
    stream.once('close', lost);
    stream.once('response', (answer) => {
      cancel();
      stream.off('close', lost);
      if (answer[':status'] === 200) resolve({ stream, headers: answer });
      else {
        stream.end(); // a refused body stays open otherwise
        readStatus(stream, answer[':status'] ?? 0).then(reject, reject);
      }
    });
    if (body !== undefined) stream.end(body);
  });
}

/** The refusal that the node answered with. */
async function readStatus(stream: ClientHttp2Stream, code: number): Promise<StatusError> {
  let text = '';
  stream.setEncoding('utf8');
  for await (const part of stream) {
    text += String(part);
    if (text.length > statusLimitBytes) break;
  }
  const status: unknown = JSON.parse(text);
  const reason = textOf(at(status, 'reason'));
  return new StatusError(isReason(reason) ? reason : 'InternalError', textOf(at(status, 'message')) || `code ${code}`);
}
