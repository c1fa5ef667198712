/**
 * One port, two protocols. The listener is an HTTPS server, whose own checks enforce the deadlines of HTTP/1.1; a
 * connection that negotiates h2 is handed to an HTTP/2 server instead, with deadlines of our own. (One secure HTTP/2
 * server with `allowHTTP1` enforces no header deadline on HTTP/1.1: measured on Node 20.)
 *
 * Certificates of clients are asked for and never demanded: who shows none may still show a token.
 */
import { constants } from 'node:crypto';
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import { createServer } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import type { Running } from '../std/stop.ts';
import { peerCertificate } from './authn/certificate.ts';
import { maxHeaders, type Peer } from './inbound.ts';
import type { NodeRequest, NodeResponse } from './node-transport.ts';

/** PEM texts. */
export interface TlsMaterial {
  readonly key: string;
  readonly cert: string;
  readonly clientCa: string;
}

export interface ServerDeadlines {
  /** From the first byte of a connection or request until its headers are whole. */
  readonly headersMs: number;
  /** A whole request, body and all. */
  readonly requestMs: number;
  /** A connection on which nothing happens. */
  readonly idleMs: number;
  /** From the order to stop until what still runs is cut. */
  readonly stopMs: number;
}

export interface Listeners {
  readonly request: (request: NodeRequest, response: NodeResponse, peer: Peer) => void;
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer, peer: Peer) => void;
}

export interface Server extends Running {
  readonly port: number;
  /** Connections made from now on are served with `tls`. */
  renew(tls: TlsMaterial): void;
}

const maxHeaderBytes = 64 * 1024;

/** Listens on `host:port` (0 picks one). Throws what listen throws (EADDRINUSE …). */
export async function startServer(
  listeners: Listeners,
  options: {
    readonly host: string;
    readonly port: number;
    readonly tls: TlsMaterial;
    readonly deadlines: ServerDeadlines;
    readonly clock: Clock;
    readonly log: Logger;
  },
): Promise<Server> {
  const { deadlines, clock } = options;
  const peers = new WeakMap<object, Peer>();
  const sockets = new Set<TLSSocket>();
  const sessions = new Set<ServerHttp2Session>();

  const http2 = createSecureServer({
    ...secureContext(options.tls),
    maxHeaderListPairs: maxHeaders,
    settings: { maxConcurrentStreams: 250, maxHeaderListSize: maxHeaderBytes, enableConnectProtocol: false },
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
  });
  const http1 = createServer({
    ...secureContext(options.tls),
    ALPNProtocols: ['h2', 'http/1.1'],
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: deadlines.headersMs,
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: deadlines.headersMs,
    requestTimeout: deadlines.requestMs,
    keepAliveTimeout: deadlines.idleMs,
    connectionsCheckingInterval: Math.max(Math.min(deadlines.headersMs, 1000) / 2, 50),
  });
  http1.maxHeadersCount = maxHeaders;

  // Set while a socket is handed over: the session for it is made before `emit` returns. Nothing else may become its peer.
  let handedOver: Peer = unknownPeer;
  const asHttp1 = http1.listeners('secureConnection');
  http1.removeAllListeners('secureConnection');
  http1.on('secureConnection', (socket: TLSSocket) => {
    const peer = { address: socket.remoteAddress ?? '', certificate: peerCertificate(socket) };
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (socket.alpnProtocol === 'h2') {
      handedOver = peer;
      http2.emit('secureConnection', socket);
      handedOver = unknownPeer;
    } else {
      peers.set(socket, peer);
      for (const listener of asHttp1) listener.call(http1, socket);
    }
  });
  http1.on('tlsClientError', (error) => options.log.debug('TLS handshake failed', { error }));
  http1.on('request', (request, response) =>
    listeners.request(request, response, peers.get(request.socket) ?? unknownPeer),
  );
  http1.on('upgrade', (request, socket, head) =>
    listeners.upgrade(request, socket, head, peers.get(request.socket) ?? unknownPeer),
  );

  http2.on('session', (session) => {
    peers.set(session, handedOver);
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', (error) => options.log.debug('HTTP/2 session failed', { error }));
    limitSession(session, deadlines, clock);
  });
  http2.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const { session } = request.stream;
    if (session !== undefined) listeners.request(request, response, peers.get(session) ?? unknownPeer);
  });

  http1.listen(options.port, options.host);
  await once(http1, 'listening');
  const { port } = http1.address() as AddressInfo; // a listening TCP server has one

  return {
    port,
    renew: (tls) => http1.setSecureContext(secureContext(tls)),
    stop: () => stop(),
  };

  async function stop(): Promise<void> {
    if (!http1.listening && sockets.size === 0) return;
    const closed = new Promise<void>((resolve) => http1.close(() => resolve()));
    http1.closeIdleConnections();
    for (const session of sessions) session.close();
    const cancel = clock.after(deadlines.stopMs, () => {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    });
    await closed;
    cancel();
  }
}

const unknownPeer: Peer = { address: '', certificate: undefined };

function secureContext(tls: TlsMaterial): SecureContextOptions {
  return {
    key: tls.key,
    cert: tls.cert,
    ca: tls.clientCa,
    minVersion: 'TLSv1.2',
    // Every connection proves itself anew: a resumed session would carry a verdict from before.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** nghttp2 waits for ever: for a first request, for the rest of a header block, for anything. A session may not. */
function limitSession(session: ServerHttp2Session, deadlines: ServerDeadlines, clock: Clock): void {
  let open = 0;
  const cut = (): void => session.destroy();
  let cancel = clock.after(deadlines.headersMs, cut);
  session.on('stream', (stream) => {
    cancel();
    open += 1;
    stream.once('close', () => {
      open -= 1;
      if (open === 0 && !session.destroyed) cancel = clock.after(deadlines.idleMs, cut);
    });
  });
  session.once('close', () => cancel());
}
