/** A session's client that speaks SPDY/3.1: a stream each for errors, input, outputs and the size of the terminal. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { PassThrough } from 'node:stream';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import { lastWords } from './exit-status.ts';
import type { SessionClient } from './session.ts';
import type { SessionOptions } from './session-options.ts';
import { serveSpdy } from './spdy/connection.ts';
import { createSizeReader } from './terminal-size.ts';

/**
 * What is spoken on the streams, best first: v5 is the same as v4 here, and v4 tells the end as JSON. v3 brought the size of
 * the terminal. Source: upstream's remotecommand.
 */
export const remoteCommandProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const;
export type RemoteCommandProtocol = (typeof remoteCommandProtocols)[number];

type StreamType = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

/** How long a client may take to open its streams. As upstream. */
const streamsDeadlineMs = 30_000;
/** How long it may take to take the last of them. Chosen. */
const endDeadlineMs = 5_000;

/**
 * The client at the other end of `transport`, once it has opened the streams that `options` ask for. Undefined when it
 * did not in time, or went away: there is then no stream to say anything on, and the connection is closed.
 */
export async function spdyClient(
  transport: Duplex,
  protocol: RemoteCommandProtocol,
  options: SessionOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<SessionClient | undefined> {
  const awaited = new Set(streamTypes(protocol, options));
  const streams = new Map<StreamType, Duplex>();
  const complete = new AbortController();
  const connection = serveSpdy(transport, {
    maxStreams: awaited.size,
    clock,
    log,
    accept: (headers) => {
      const type = [...awaited].find((each) => each === headers.get('streamtype'));
      if (type === undefined) return undefined; // not asked for, or there already
      awaited.delete(type);
      return (stream) => {
        streams.set(type, stream);
        if (awaited.size === 0) complete.abort();
      };
    },
  });
  const decided = AbortSignal.any([complete.signal, connection.gone]);
  const cancel = clock.after(streamsDeadlineMs, () => connection.cut());
  if (!decided.aborted) await once(decided, 'abort');
  cancel();
  if (!complete.signal.aborted) {
    log.debug('a client did not open the streams of its session', { missing: [...awaited] });
    await connection.close();
    return undefined;
  }

  const streamOf = (type: StreamType): Duplex => streams.get(type) ?? new PassThrough().end();
  const [error, stdout, stderr] = [streamOf('error'), streamOf('stdout'), streamOf('stderr')];
  for (const stream of [error, stdout, stderr]) stream.resume(); // clients say nothing there
  return {
    stdin: streamOf('stdin'),
    stdout,
    stderr,
    gone: connection.gone,
    onResize: (listener) => {
      const readSizes = createSizeReader();
      streamOf('resize').on('data', (bytes: Buffer) => {
        for (const { columns, rows } of readSizes(bytes)) listener(columns, rows);
      });
    },
    ping: (answered) => {
      if (connection.isStalled()) answered(); // its answer would not be read; a client that is gone is still found by writing
      connection.ping(answered);
    },
    cut: () => connection.cut(),
    dismiss: () => void connection.close(),
    end: async (status) => {
      const last = lastWords(protocol, status);
      const cancel = clock.after(endDeadlineMs, () => connection.cut());
      // The program's output before its exit code, each to its end.
      await Promise.all([ended(stdout), ended(stderr), ended(error, last)]);
      for (const type of ['stdin', 'resize'] as const) streamOf(type).resume().end();
      cancel();
      await connection.close();
    },
  };
}

function streamTypes(protocol: RemoteCommandProtocol, options: SessionOptions): readonly StreamType[] {
  const resizes = protocol !== 'channel.k8s.io' && protocol !== 'v2.channel.k8s.io';
  return [
    'error',
    ...(options.stdin ? (['stdin'] as const) : []),
    ...(options.stdout ? (['stdout'] as const) : []),
    ...(options.stderr ? (['stderr'] as const) : []),
    ...(options.tty && resizes ? (['resize'] as const) : []),
  ];
}

/** Resolves when `stream` has taken its end, after `words`, or is gone. */
function ended(stream: Duplex, words?: string): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => resolve();
    stream.once('close', done);
    if (!stream.writable) done();
    else if (words === undefined) stream.end(done);
    else stream.end(words, done);
  });
}
