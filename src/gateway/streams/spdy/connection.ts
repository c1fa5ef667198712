/**
 * The server's end of a SPDY/3.1 connection, over any stream of bytes. Each stream of the client becomes a Duplex.
 *
 * Frames are handled one after the other: when a stream's reader lags behind, nothing more is read, and TCP slows the
 * client. That stops the connection's other streams as well, and there is no way around it: kubectl (moby/spdystream)
 * neither keeps to windows nor grants any. So windows are granted, for clients that do keep to them, and none is asked
 * for: what slows us is TCP, too.
 */
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import type { Clock } from '../../../std/clock.ts';
import { deferred } from '../../../std/deferred.ts';
import type { Deferred } from '../../../std/deferred.ts';
import type { Logger } from '../../../std/log.ts';
import {
  SpdyError,
  createFrameReader,
  dataFrame,
  goAwayCode,
  goAwayFrame,
  pingFrame,
  replyFrame,
  resetCode,
  resetFrame,
  windowUpdateFrame,
} from './frames.ts';
import type { Frame } from './frames.ts';
import { createEmptyBlocks, createHeaderReader } from './header-block.ts';
import type { SpdyHeaders } from './header-block.ts';

export interface SpdyConnection {
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
  /** Calls `answered` when the client answers. */
  ping(answered: () => void): void;
  /** Whether something unread keeps the client's answers from being read. */
  isStalled(): boolean;
  /** Tells the client that this is the end, after all that was written, and waits until it has closed; not for long. */
  close(): Promise<void>;
  /** Ends the connection at once. */
  cut(): void;
}

export interface SpdyOptions {
  /** Judges a stream the client opens: who takes it, or undefined to refuse it. Ids are odd and grow. */
  readonly accept: (headers: SpdyHeaders, id: number) => ((stream: Duplex) => void) | undefined;
  /** How many streams may be open at once; more are refused. */
  readonly maxStreams: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a stream may hold that nobody reads yet. Chosen: a few of the client's frames. */
const unreadBytes = 256 * 1024;
/** Half of the window that a client begins with. */
const grantBytes = 32 * 1024;
/** How long a client may take to close after GOAWAY. Chosen. */
const closeDeadlineMs = 5_000;

interface Open {
  readonly duplex: Duplex;
  /** The client has closed its side, or reset both. */
  ended: boolean;
  reset: boolean;
  /** Settles when there is room for more, or the stream is gone. */
  room: Deferred<void> | undefined;
  ungranted: number;
}

/** Serves `transport` until it ends; all streams end with it. */
export function serveSpdy(transport: Duplex, { accept, maxStreams, clock, log }: SpdyOptions): SpdyConnection {
  const streams = new Map<number, Open>();
  const gone = new AbortController();
  const readFrames = createFrameReader();
  const readHeaders = createHeaderReader();
  const emptyBlock = createEmptyBlocks();
  let lastStream = 0;
  let leaving = false;
  let pingId = 0;
  let awaitedPing: { readonly id: number; readonly answered: () => void } | undefined;
  let ungranted = 0;
  let stalled = false;

  const write = (frame: Buffer, done: (error?: Error | null) => void = () => {}): void => {
    if (transport.writable) transport.write(frame, done);
    else done(new Error('the client is gone'));
  };
  /** Whoever makes us answer waits until the answer is taken: answers cannot pile up. */
  const answer = (frame: Buffer): Promise<void> => new Promise((resolve) => write(frame, () => resolve()));

  /** All is said: the client closes now, or it is closed for it. */
  const finish = (): void => {
    transport.end();
    const cancel = clock.after(closeDeadlineMs, () => transport.destroy());
    transport.once('close', cancel);
  };

  const open = (id: number, ended: boolean): Open => {
    const duplex = new Duplex({
      readableHighWaterMark: unreadBytes,
      read: () => entry.room?.resolve(),
      write: (chunk: Buffer, _encoding, done) => write(dataFrame(id, chunk, false), done),
      final: (done) => write(dataFrame(id, Buffer.alloc(0), true), done),
      destroy: (error, done) => {
        streams.delete(id);
        entry.room?.resolve();
        const whole = entry.ended && duplex.writableFinished;
        if (!whole && !entry.reset) write(resetFrame(id, resetCode.cancel));
        done(error);
        if (leaving && streams.size === 0) finish();
      },
    });
    duplex.on('error', (error) => log.debug('a stream of a client failed', { id, error }));
    const entry: Open = { duplex, ended, reset: false, room: undefined, ungranted: 0 };
    streams.set(id, entry);
    if (ended) duplex.push(null);
    return entry;
  };

  const handleOpen = async ({ stream: id, last, block }: Frame & { kind: 'open' }): Promise<void> => {
    const headers = readHeaders(block); // also of what is refused: the next block builds on it
    if (id % 2 === 0 || id <= lastStream) throw new SpdyError(`stream ${id} after stream ${lastStream}`);
    lastStream = id;
    const take = leaving || streams.size >= maxStreams ? undefined : accept(headers, id);
    if (take === undefined) {
      await answer(resetFrame(id, resetCode.refused));
      return;
    }
    const { duplex } = open(id, last);
    await answer(replyFrame(id, emptyBlock())); // before any data: clients drop what comes before it
    take(duplex);
  };

  const handleData = async ({ stream: id, last, bytes }: Frame & { kind: 'data' }): Promise<void> => {
    const entry = streams.get(id);
    if (entry === undefined || entry.ended) {
      grant(undefined, 0, bytes.length);
      return; // on its way when the stream was closed
    }
    if (bytes.length > 0) {
      entry.room = deferred();
      if (!entry.duplex.push(bytes)) {
        stalled = true;
        await entry.room.promise;
        stalled = false;
      }
      entry.room = undefined;
      grant(entry, id, bytes.length);
    }
    if (last) end(entry);
  };

  const grant = (entry: Open | undefined, id: number, bytes: number): void => {
    ungranted += bytes;
    if (ungranted >= grantBytes) {
      write(windowUpdateFrame(0, ungranted));
      ungranted = 0;
    }
    if (entry === undefined || entry.duplex.destroyed) return;
    entry.ungranted += bytes;
    if (entry.ungranted < grantBytes) return;
    write(windowUpdateFrame(id, entry.ungranted));
    entry.ungranted = 0;
  };

  const end = (entry: Open): void => {
    if (entry.ended) return;
    entry.ended = true;
    entry.duplex.push(null);
  };

  const handle = async (frame: Frame): Promise<void> => {
    switch (frame.kind) {
      case 'open':
        return handleOpen(frame);
      case 'data':
        return handleData(frame);
      case 'headers': {
        readHeaders(frame.block);
        const entry = streams.get(frame.stream);
        if (frame.last && entry !== undefined) end(entry);
        return;
      }
      case 'reset': {
        const entry = streams.get(frame.stream);
        if (entry === undefined) return;
        entry.reset = true;
        entry.duplex.destroy();
        return;
      }
      case 'ping':
        if (frame.id % 2 === 1) return answer(pingFrame(frame.id));
        if (frame.id === awaitedPing?.id) awaitedPing.answered();
        return;
      case 'go-away':
        leaving = true;
        if (streams.size === 0) finish();
        return;
      case 'ignored':
        return;
    }
  };

  const handleAll = async (chunk: Buffer): Promise<void> => {
    try {
      for (const frame of readFrames(chunk)) await handle(frame);
    } catch (error) {
      if (error instanceof SpdyError && transport.writable) {
        const said = answer(goAwayFrame(lastStream, error.code));
        finish();
        await said;
      }
      throw error;
    }
  };
  const serve = async (): Promise<void> => {
    try {
      for await (const chunk of transport) if (Buffer.isBuffer(chunk)) await handleAll(chunk);
    } catch (error) {
      log.debug('a SPDY connection broke off', { error });
    } finally {
      transport.destroy();
    }
  };

  transport.on('error', (error) => log.debug('a SPDY connection failed', { error }));
  transport.once('close', () => {
    leaving = true;
    gone.abort();
    for (const { duplex } of streams.values()) duplex.destroy();
  });
  void serve();

  return {
    gone: gone.signal,
    ping: (answered) => {
      pingId += 2;
      awaitedPing = { id: pingId, answered };
      write(pingFrame(pingId));
    },
    isStalled: () => stalled,
    close: async () => {
      if (gone.signal.aborted) return;
      leaving = true;
      write(goAwayFrame(lastStream, goAwayCode.ok));
      finish();
      if (!transport.closed) await once(transport, 'close');
    },
    cut: () => transport.destroy(),
  };
}
