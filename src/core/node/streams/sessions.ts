/** Sessions of exec and attach on a node. A session lives as long as the stream that started it, and no longer. */
import { randomUUID } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StatusError, badRequest } from '../../../api/status.ts';
import { deadline } from '../../../std/clock.ts';
import { deferred } from '../../../std/deferred.ts';
import type { Deferred } from '../../../std/deferred.ts';
import type { Container, ExecSession } from '../runtimes/runtime.ts';
import { runningAttempt } from './containers.ts';
import { pump } from './pump.ts';
import type { StreamDeps } from './serve.ts';
import { exitTrailer, parseSessionStart, sessionHeader } from './wire.ts';
import type { SessionKind, SessionStart } from './wire.ts';

export interface Sessions {
  start(kind: SessionKind, stream: ServerHttp2Stream): Promise<void>;
  stderr(id: string, stream: ServerHttp2Stream): Promise<void>;
  stdin(id: string, stream: ServerHttp2Stream): Promise<void>;
  resize(id: string, size: URLSearchParams, stream: ServerHttp2Stream): Promise<void>;
}

interface Live {
  readonly session: ExecSession;
  /** Held from the first moment: Node throws away what a child wrote and nobody read when it exits. Undefined when not asked for. */
  readonly stderr: Readable | undefined;
  /** Streams that nobody has claimed yet. */
  readonly unclaimed: Set<'stdin' | 'stderr'>;
  /** Settles when all of standard error has been sent. */
  readonly stderrSent: Deferred<void>;
}

// A command line is far smaller; what comes here has passed the gateway's limit on headers.
const startLimitBytes = 256 * 1024;
const startDeadlineMs = 10_000;

/** The sessions of one tunnel. */
export function createSessions({ agent, runtime }: StreamDeps): Sessions {
  const live = new Map<string, Live>();

  const find = (id: string): Live => {
    const found = live.get(id);
    if (found === undefined) throw new StatusError('NotFound', 'this session has ended');
    return found;
  };
  const claim = (id: string, name: 'stdin' | 'stderr'): Live => {
    const found = find(id);
    if (!found.unclaimed.delete(name))
      throw new StatusError('Conflict', `this session's ${name} is taken or was not asked for`);
    return found;
  };
  const open = (kind: SessionKind, { id }: Container, { command, stdin, tty }: SessionStart): Promise<ExecSession> =>
    kind === 'exec' ? runtime.exec(id, { command, stdin, tty }) : runtime.attach(id, { stdin, tty });

  return {
    start: async (kind, stream) => {
      const gone = whenClosed(stream);
      const start = parseSessionStart(await readJson(stream));
      const session = await open(kind, runningAttempt(agent, start), start);
      const id = randomUUID();
      const end = (): void => {
        live.delete(id);
        session.close();
      };
      gone.addEventListener('abort', end);
      if (gone.aborted) {
        end();
        return;
      }
      const unclaimed = new Set<'stdin' | 'stderr'>();
      const stderrSent = deferred<void>();
      if (session.stdin !== undefined) unclaimed.add('stdin');
      const stderr = start.stderr ? session.stderr.pipe(new PassThrough()) : undefined;
      if (stderr === undefined) session.stderr.resume(); // or the program would wait for somebody to read it
      else unclaimed.add('stderr');
      live.set(id, { session, stderr, unclaimed, stderrSent });

      let code = 0;
      stream.once('wantTrailers', () => stream.sendTrailers({ [exitTrailer]: String(code) }));
      stream.respond({ ':status': 200, [sessionHeader]: id }, { waitForTrailers: true });
      if (start.stdout) await pump(session.stdout, stream, gone);
      else session.stdout.resume();
      code = await session.exit;
      if (stderr !== undefined) await Promise.race([stderrSent.promise, aborted(gone)]);
      stream.end();
    },
    stderr: async (id, stream) => {
      const { stderr, stderrSent } = claim(id, 'stderr');
      if (stderr === undefined) throw badRequest('this session has no standard error');
      stream.respond({ ':status': 200 });
      await pump(stderr, stream, whenClosed(stream)).finally(() => stderrSent.resolve());
      stream.end();
    },
    stdin: async (id, stream) => {
      const { stdin } = claim(id, 'stdin').session;
      if (stdin === undefined) throw badRequest('this session has no standard input');
      // The program need not read to its end: what is then left over concerns nobody.
      await pipeline(stream, stdin, { end: true }).catch(() => {});
      if (!stream.destroyed) stream.respond({ ':status': 204 }, { endStream: true });
    },
    resize: async (id, size, stream) => {
      const [columns, rows] = [Number(size.get('columns')), Number(size.get('rows'))];
      find(id).session.resize(columns, rows);
      stream.respond({ ':status': 204 }, { endStream: true });
    },
  };
}

function whenClosed(stream: ServerHttp2Stream): AbortSignal {
  const gone = new AbortController();
  if (stream.destroyed) gone.abort();
  stream.once('close', () => gone.abort());
  return gone.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function readJson(stream: ServerHttp2Stream): Promise<unknown> {
  const late = deadline(startDeadlineMs);
  const cut = (): void => stream.close();
  late.addEventListener('abort', cut);
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of stream) {
      if (!Buffer.isBuffer(part)) continue;
      size += part.length;
      if (size > startLimitBytes) throw new StatusError('RequestEntityTooLarge', 'the start of a session is too large');
      parts.push(part);
    }
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } finally {
    late.removeEventListener('abort', cut);
  }
}
