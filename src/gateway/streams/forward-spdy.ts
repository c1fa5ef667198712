/**
 * Port-forward over SPDY/3.1. Each connection is a pair of streams, known by their `streamtype` (data, error) and joined by
 * their `requestid`; old clients leave that out, and their error stream comes right before its data stream.
 * Source: upstream's kubelet, portforward.
 */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../std/clock.ts';
import { keepAlive } from '../../std/keep-alive.ts';
import { isPort } from '../../core/node/streams/wire.ts';
import { forward } from './forward.ts';
import type { ForwardTarget } from './forward.ts';
import { serveSpdy } from './spdy/connection.ts';
import type { SpdyHeaders } from './spdy/header-block.ts';

/** Two for each connection. Chosen: a node serves several clients. */
const maxStreams = 1000;
/** How long the second stream of a pair may take. As upstream. */
const pairDeadlineMs = 30_000;
const pingEveryMs = 30_000;
/** A client that forwards nothing for so long is let go. As upstream's kubelet. */
const idleMs = 4 * 60 * 60 * 1000;

type StreamType = 'data' | 'error';

interface Pair {
  readonly port: number;
  data?: Duplex;
  error?: Duplex;
  readonly cancel: () => void;
}

/** Forwards what the client at the other end of `transport` asks for, until it goes away or `signal` aborts. */
export async function forwardBySpdy(
  transport: Duplex,
  target: ForwardTarget,
  { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock },
): Promise<void> {
  const pairs = new Map<string, Pair>();
  let running = 0;
  let busyAt = clock.monotonic();

  const begin = (id: string, port: number): Pair => {
    const cancel = clock.after(pairDeadlineMs, () => {
      pairs.delete(id);
      pair.error?.end(`request ${id}: timed out waiting for the streams of the connection`);
      pair.data?.destroy();
    });
    const pair: Pair = { port, cancel };
    pairs.set(id, pair);
    return pair;
  };
  const add = (id: string, type: StreamType, port: number, stream: Duplex): void => {
    const pair = pairs.get(id) ?? begin(id, port);
    pair[type] = stream;
    if (type === 'error') stream.resume(); // clients say nothing there
    const { data, error } = pair;
    if (data === undefined || error === undefined) return;
    pair.cancel();
    pairs.delete(id);
    running += 1;
    void forward({ port: pair.port, data, error }, target).finally(() => {
      running -= 1;
      busyAt = clock.monotonic();
    });
  };

  const connection = serveSpdy(transport, {
    maxStreams,
    clock,
    log: target.log,
    accept: (headers, streamId) => {
      const [type, port] = [headers.get('streamtype'), Number(headers.get('port'))];
      if ((type !== 'data' && type !== 'error') || !isPort(port)) return undefined;
      const id = requestId(headers, streamId, type);
      const known = pairs.get(id);
      if (known !== undefined && (known[type] !== undefined || known.port !== port)) return undefined;
      return (stream) => add(id, type, port, stream);
    },
  });
  const stopPings = keepAlive(clock, pingEveryMs, {
    ping: (answered) => {
      if (running === 0 && clock.monotonic() - busyAt > idleMs) void connection.close();
      if (connection.isStalled()) answered(); // its answer would not be read; a client that is gone is still found by writing
      connection.ping(answered);
    },
    dead: () => connection.cut(),
  });
  const stop = (): void => void connection.close();
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  if (!connection.gone.aborted) await once(connection.gone, 'abort');
  signal.removeEventListener('abort', stop);
  stopPings();
  for (const { cancel } of pairs.values()) cancel();
}

function requestId(headers: SpdyHeaders, streamId: number, type: StreamType): string {
  const named = headers.get('requestid') ?? '';
  if (named !== '') return `named ${named}`;
  return `unnamed ${type === 'error' ? streamId : streamId - 2}`;
}
