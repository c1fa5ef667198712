/** The nodes whose tunnels end at this gateway. */
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { WebSocket, createWebSocketStream } from 'ws';
import { tunnelProtocol } from '../../core/node/streams/wire.ts';
import type { Clock } from '../../std/clock.ts';
import { keepAlive } from '../../std/keep-alive.ts';
import type { Logger } from '../../std/log.ts';
import type { UpgradedConnection } from '../router.ts';
import { createNodeLink } from './node-link.ts';
import type { NodeLink } from './node-link.ts';
import { acceptWebSocket } from './websocket.ts';

export interface Tunnels {
  /** The connected node's link, or undefined. */
  find(node: string): NodeLink | undefined;
  /**
   * Takes `connection` as the tunnel of `node`; an older one of the same node ends. Resolves when the tunnel has ended.
   * `until`: milliseconds since the epoch when the certificate behind it expires, and the tunnel with it.
   */
  accept(
    node: string,
    connection: UpgradedConnection,
    end: { readonly signal: AbortSignal; readonly until: number },
  ): Promise<void>;
}

// Chosen, not measured: both ends ask, so either finds out.
const pingEveryMs = 10_000;
const maxTunnelMessageBytes = 4 * 1024 * 1024;
/** The longest a timer can be set for, a little under 25 days. */
const longestTimerMs = 2 ** 31 - 1;

/** No tunnels yet. */
export function createTunnels({ clock, log }: { readonly clock: Clock; readonly log: Logger }): Tunnels {
  const nodes = new Map<string, { readonly link: NodeLink; readonly cut: () => void }>();
  return {
    find: (node) => nodes.get(node)?.link,
    accept: async (node, connection, { signal, until }) => {
      const socket = await acceptWebSocket(connection, [tunnelProtocol], maxTunnelMessageBytes);
      const duplex = createWebSocketStream(socket);
      duplex.on('error', (error) => log.debug('a tunnel was lost', { node, error }));
      const session = connect('http://node', {
        createConnection: () => duplex,
        settings: { enablePush: false },
        maxSessionMemory: 64,
      });
      session.on('error', (error) => log.debug('a tunnel failed', { node, error }));
      const cut = (): void => {
        session.destroy();
        socket.terminate();
      };
      nodes.get(node)?.cut();
      const entry = { link: createNodeLink(session, clock), cut };
      nodes.set(node, entry);
      log.info('a node connected', { node });
      const expire = clock.after(Math.min(Math.max(until - clock.now(), 0), longestTimerMs), cut);
      signal.addEventListener('abort', cut);
      if (signal.aborted) cut();
      await ended(session, socket, clock, cut);
      expire();
      signal.removeEventListener('abort', cut);
      if (nodes.get(node) === entry) nodes.delete(node);
      log.info('a node disconnected', { node });
    },
  };
}

/** Resolves when both layers of the tunnel are gone; one that ends takes the other along. */
function ended(session: ClientHttp2Session, socket: WebSocket, clock: Clock, cut: () => void): Promise<void> {
  return new Promise((resolve) => {
    const stopPings = keepAlive(clock, pingEveryMs, {
      ping: (answered) => {
        if (!session.connecting) session.ping((error) => (error === null ? answered() : undefined));
      },
      dead: cut,
    });
    const end = (): void => {
      stopPings();
      cut();
      if (session.destroyed && socket.readyState === WebSocket.CLOSED) resolve();
    };
    session.once('close', end);
    socket.once('close', end);
    if (session.destroyed || socket.readyState === WebSocket.CLOSED) end();
  });
}
