/**
 * Joins a client's WebSocket with a session on a node. Whichever end goes first, the other is let go. A slow client slows
 * the program, and a program that does not read slows the client: nothing is collected in between.
 */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { StatusError, toStatus, unavailable } from '../../api/status.ts';
import type { Status } from '../../api/types/meta.ts';
import type { ExecSession } from '../../core/node/runtimes/runtime.ts';
import { deadline } from '../../std/clock.ts';
import type { Clock } from '../../std/clock.ts';
import { keepAlive } from '../../std/keep-alive.ts';
import type { Logger } from '../../std/log.ts';
import { channel, exitStatus, frame, readFrame, statusFrame } from './channels.ts';
import type { ChannelProtocol } from './channels.ts';

export interface JoinOptions {
  readonly socket: WebSocket;
  readonly protocol: ChannelProtocol;
  readonly start: () => Promise<ExecSession>;
  /** The status for an exit code: that of an attach says nothing about the attaching. */
  readonly reportsExit: boolean;
  /** Aborts when the gateway stops. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
}

const pingEveryMs = 30_000;
/** Nothing said by either side for so long ends a session. As upstream's kubelet. */
const idleMs = 4 * 60 * 60 * 1000;
/** How long a client may take to answer the close of its WebSocket. Chosen. */
const closeDeadlineMs = 5_000;

/** Runs the session to its end. Never throws: what fails is told to the client, whose connection is closed. */
export async function joinSession(options: JoinOptions): Promise<void> {
  const { socket, protocol, signal, log } = options;
  socket.on('error', (error) => log.debug('a streaming client failed', { error }));
  socket.pause(); // input waits until there is something to take it
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  const stop = (): void => socket.close(1001, 'the gateway is stopping');
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  let session: ExecSession | undefined;
  try {
    session = await options.start();
    const last = statusFrame(protocol, await relay(options, session, AbortSignal.any([gone.signal, signal])));
    if (last !== undefined) await send(socket, last);
  } catch (error) {
    const last = statusFrame(protocol, failureStatus(error, log));
    if (last !== undefined) await send(socket, last);
  } finally {
    signal.removeEventListener('abort', stop);
    session?.close();
    await close(socket);
  }
}

/** Both directions until the program and its output have ended. Throws when the client or the node goes away first. */
async function relay(options: JoinOptions, session: ExecSession, gone: AbortSignal): Promise<Status> {
  const { socket, protocol, clock } = options;
  let spokenAt = clock.monotonic();
  const spoke = (): void => {
    spokenAt = clock.monotonic();
  };
  const stopPings = keepAlive(clock, pingEveryMs, {
    ping: (answered) => {
      if (clock.monotonic() - spokenAt > idleMs) socket.close(1001, 'idle');
      if (socket.isPaused) answered(); // its pong would not be read; a client that is gone is still found by writing
      if (socket.readyState === WebSocket.OPEN) socket.once('pong', answered).ping();
    },
    dead: () => socket.terminate(),
  });
  const end = (): void => session.close();
  gone.addEventListener('abort', end);
  if (gone.aborted) end();
  try {
    takeInput(socket, protocol, session, spoke);
    await Promise.all([
      giveOutput(socket, channel.stdout, session.stdout, spoke),
      giveOutput(socket, channel.stderr, session.stderr, spoke),
    ]);
    const code = await session.exit;
    return exitStatus(options.reportsExit ? code : 0);
  } finally {
    gone.removeEventListener('abort', end);
    stopPings();
  }
}

function takeInput(socket: WebSocket, protocol: ChannelProtocol, session: ExecSession, spoke: () => void): void {
  const { stdin } = session;
  const resume = (): void => socket.resume();
  stdin?.on('drain', resume).once('close', resume);
  socket.on('message', (data, isBinary) => {
    if (!isBinary || !Buffer.isBuffer(data)) {
      socket.close(1003, 'binary messages only');
      return;
    }
    spoke();
    const read = readFrame(protocol, data);
    switch (read.kind) {
      case 'input':
        if (isOpen(stdin) && !stdin.write(read.bytes)) socket.pause();
        return;
      case 'end-of-input':
        if (isOpen(stdin)) stdin.end();
        return;
      case 'resize':
        session.resize(read.columns, read.rows);
        return;
      case 'ignored':
        return;
    }
  });
  resume();
}

function isOpen(stdin: Writable | undefined): stdin is Writable {
  return stdin !== undefined && stdin.writable;
}

async function giveOutput(socket: WebSocket, number: number, output: Readable, spoke: () => void): Promise<void> {
  for await (const chunk of output) {
    if (!Buffer.isBuffer(chunk)) continue;
    spoke();
    await send(socket, frame(number, chunk));
  }
}

/** Resolves when the connection has taken `message`, or is gone: the end of the session is then on its way. */
function send(socket: WebSocket, message: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(message, { binary: true }, () => resolve());
    else resolve();
  });
}

async function close(socket: WebSocket): Promise<void> {
  if (socket.readyState === WebSocket.CLOSED) return;
  const closed = once(socket, 'close', { signal: deadline(closeDeadlineMs) }).catch(() => socket.terminate());
  if (socket.isPaused) socket.resume(); // or the client's close is never read
  socket.close(1000);
  await closed;
}

/** What is no StatusError is a lost connection to the node, whose streams break off. */
function failureStatus(error: unknown, log: Logger): Status {
  if (error instanceof StatusError) return toStatus(error);
  log.debug('a session broke off', { error });
  return toStatus(unavailable('the session broke off: the node stopped, or its connection was lost'));
}
