/**
 * Joins a client with a session on a node. Whichever end goes first, the other is let go. A slow client slows the
 * program, and a program that does not read slows the client: nothing is collected in between.
 */
import type { Readable, Writable } from 'node:stream';
import { StatusError, toStatus, unavailable } from '../../api/status.ts';
import type { Status } from '../../api/types/meta.ts';
import type { ExecSession } from '../../core/node/runtimes/runtime.ts';
import type { Clock } from '../../std/clock.ts';
import { keepAlive } from '../../std/keep-alive.ts';
import type { Logger } from '../../std/log.ts';
import { exitStatus } from './exit-status.ts';

/** The client of a session, whatever protocol it speaks. */
export interface SessionClient {
  /** What it types; ends when its input does. Nothing of it is read before somebody reads here. */
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Aborts when the client has gone. */
  readonly gone: AbortSignal;
  /** Calls `listener` with each size of its terminal. */
  onResize(listener: (columns: number, rows: number) => void): void;
  /** Calls `answered` when the client shows that it is there, or when its answer could not be read at the moment. */
  ping(answered: () => void): void;
  /** Ends the connection at once. */
  cut(): void;
  /** Tells the client that the gateway ends the session, and begins to close. */
  dismiss(why: string): void;
  /** Tells the client how the session ended, and closes. Never throws, and takes a few seconds at most. */
  end(status: Status): Promise<void>;
}

export interface JoinOptions {
  readonly client: SessionClient;
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

/** Runs the session to its end. Never throws: what fails is told to the client, whose connection is closed. */
export async function joinSession(options: JoinOptions): Promise<void> {
  const { client, signal, log } = options;
  const stop = (): void => client.dismiss('the gateway is stopping');
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  let session: ExecSession | undefined;
  let status: Status;
  try {
    session = await options.start();
    status = await relay(options, session, AbortSignal.any([client.gone, signal]));
  } catch (error) {
    status = failureStatus(error, log);
  } finally {
    signal.removeEventListener('abort', stop);
    session?.close();
  }
  await client.end(status);
}

/** Both directions until the program and its output have ended. Throws when the client or the node goes away first. */
async function relay(options: JoinOptions, session: ExecSession, gone: AbortSignal): Promise<Status> {
  const { client, clock } = options;
  let spokenAt = clock.monotonic();
  const spoke = (): void => {
    spokenAt = clock.monotonic();
  };
  const stopPings = keepAlive(clock, pingEveryMs, {
    ping: (answered) => {
      if (clock.monotonic() - spokenAt > idleMs) client.dismiss('idle');
      client.ping(answered);
    },
    dead: () => client.cut(),
  });
  const end = (): void => session.close();
  gone.addEventListener('abort', end);
  if (gone.aborted) end();
  try {
    client.onResize((columns, rows) => session.resize(columns, rows));
    takeInput(client.stdin, session.stdin, spoke);
    await Promise.all([
      giveOutput(client.stdout, session.stdout, spoke),
      giveOutput(client.stderr, session.stderr, spoke),
    ]);
    const code = await session.exit;
    return exitStatus(options.reportsExit ? code : 0);
  } finally {
    gone.removeEventListener('abort', end);
    stopPings();
  }
}

/** A program may end its input early, or take none: the client's is then read and thrown away, for what comes after it counts. */
function takeInput(from: Readable, to: Writable | undefined, spoke: () => void): void {
  from.on('data', spoke);
  if (to === undefined) return;
  to.once('close', () => {
    from.unpipe(to);
    from.resume();
  });
  from.pipe(to);
}

async function giveOutput(to: Writable, output: Readable, spoke: () => void): Promise<void> {
  for await (const chunk of output) {
    if (!Buffer.isBuffer(chunk)) continue;
    spoke();
    await written(to, chunk);
  }
}

/** Resolves when the connection has taken `chunk`, or is gone: the end of the session is then on its way. */
function written(to: Writable, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (to.writable) to.write(chunk, () => resolve());
    else resolve();
  });
}

/** What is no StatusError is a lost connection to the node, whose streams break off. */
function failureStatus(error: unknown, log: Logger): Status {
  if (error instanceof StatusError) return toStatus(error);
  log.debug('a session broke off', { error });
  return toStatus(unavailable('the session broke off: the node stopped, or its connection was lost'));
}
