/**
 * The node's tunnel: a WebSocket that the node dials with its own certificate and dials again whenever it ends. Gateways
 * reach the node's containers through it and no other way: a node opens no port.
 */
import { randomInt } from 'node:crypto';
import type { ServerHttp2Session } from 'node:http2';
import { WebSocket, createWebSocketStream } from 'ws';
import type { Clock } from '../../std/clock.ts';
import { keepAlive } from '../../std/keep-alive.ts';
import type { Running } from '../../std/stop.ts';
import { serveStreams } from './streams/serve.ts';
import type { StreamDeps } from './streams/serve.ts';
import { tunnelProtocol } from './streams/wire.ts';

export interface TunnelOptions extends StreamDeps {
  /** `https://host:port` of the gateway. */
  readonly server: string;
  /** PEM of the CA that signed the gateway's certificate. */
  readonly ca: string;
  /** PEM pair of the node's identity, read anew for every dial so that a renewed certificate is taken up. */
  readonly identity: () => { readonly cert: string; readonly key: string };
  readonly nodeName: string;
  /** From 0 to 1. Left out: the machine's own chance. */
  readonly random?: () => number;
}

// Chosen, not measured: as the cluster client's connection.
const pingEveryMs = 10_000;
const dialDeadlineMs = 10_000;
const backoff = { firstMs: 250, mostMs: 15_000 };
/** A tunnel that held this long was a good one: the next dial begins without back-off. */
const goodAfterMs = 10_000;
/** Several HTTP/2 frames may share a message. */
const maxMessageBytes = 4 * 1024 * 1024;

/** Keeps a tunnel to the gateway until it is stopped. Sessions end with the tunnel that carries them. */
export function startTunnel(options: TunnelOptions): Running {
  const { clock, log, nodeName, random = () => randomInt(1_000_001) / 1_000_000 } = options;
  const ended = new AbortController();
  const { signal } = ended;

  const run = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted;) {
      const dialledAt = clock.monotonic();
      try {
        await hold(options, signal);
        log.info('the tunnel to the gateway ended', { node: nodeName });
      } catch (error) {
        log.warn('no tunnel to the gateway', { node: nodeName, error });
      }
      if (signal.aborted) return;
      failures = clock.monotonic() - dialledAt > goodAfterMs ? 0 : failures + 1;
      await clock.sleep(retryAfterMs(failures, random()), signal).catch(() => {}); // aborted: the loop ends
    }
  };
  const running = run();
  return {
    stop: async () => {
      ended.abort();
      await running;
    },
  };
}

/** Half of it is chance, so that the nodes of a gateway that fell do not come back in one moment. */
function retryAfterMs(failures: number, chance: number): number {
  const most = Math.min(backoff.firstMs * 2 ** Math.min(failures, 16), backoff.mostMs);
  return most * (0.5 + chance / 2);
}

/** One tunnel, from the dial to its end. Throws when it could not be made. */
async function hold(options: TunnelOptions, signal: AbortSignal): Promise<void> {
  const socket = await dial(options, signal);
  const duplex = createWebSocketStream(socket);
  duplex.on('error', (error) => options.log.debug('the tunnel was lost', { error }));
  const session = serveStreams(duplex, options);
  options.log.info('connected to the gateway', { node: options.nodeName });
  await lifetime(socket, session, options.clock, signal);
}

function dial({ server, ca, identity, nodeName }: TunnelOptions, signal: AbortSignal): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const url = new URL(`/api/v1/nodes/${encodeURIComponent(nodeName)}/tunnel`, server.replace(/^http/, 'ws'));
    const socket = new WebSocket(url, tunnelProtocol, {
      ca,
      ...identity(),
      minVersion: 'TLSv1.2',
      handshakeTimeout: dialDeadlineMs,
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      followRedirects: false,
    });
    const abort = (): void => socket.terminate();
    signal.addEventListener('abort', abort);
    const settle = (): void => signal.removeEventListener('abort', abort);
    socket.once('error', (error) => {
      settle();
      reject(error);
    });
    socket.once('open', () => {
      settle();
      resolve(socket);
    });
    if (signal.aborted) abort();
  });
}

/** Resolves when the tunnel has ended, and leaves nothing of it open: whichever end goes first takes the other along. */
function lifetime(socket: WebSocket, session: ServerHttp2Session, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cut = (): void => {
      session.destroy();
      socket.terminate();
    };
    const stopPings = keepAlive(clock, pingEveryMs, {
      ping: (answered) => session.ping((error) => (error === null ? answered() : undefined)),
      dead: cut,
    });
    const end = (): void => {
      stopPings();
      signal.removeEventListener('abort', cut);
      cut();
      if (socket.readyState === WebSocket.CLOSED && session.destroyed) resolve();
    };
    session.once('close', end);
    socket.once('close', end);
    signal.addEventListener('abort', cut);
    if (signal.aborted) cut();
  });
}
