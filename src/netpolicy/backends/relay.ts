/**
 * One service port relayed by this process: a listener that asks for every client where it may go, and carries bytes.
 */
import type { Socket as DatagramSocket, RemoteInfo } from 'node:dgram';
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { ServiceEndpoint } from '../service-map.ts';

/** A client as the listener sees it. */
export interface RelayClient {
  readonly address: string;
  readonly port: number;
}

/** A client that may go on, and whether it still may: asked again after every change. */
export interface Admission {
  readonly endpoint: ServiceEndpoint;
  /** The address of this machine to dial the endpoint from; left out, the system chooses. */
  readonly from?: string;
  stillAllowed(): boolean;
}

/** Undefined: refused. A rejection refuses, too. */
export type Admit = (client: RelayClient) => Promise<Admission | undefined>;

export interface Relay {
  /** Cuts what is no longer allowed. */
  review(): void;
  close(): Promise<void>;
}

/** A connection or UDP session on which nothing moved for this long is ended. Chosen, as common proxies do, not measured. */
const idleTimeoutMs = 300_000;
const datagramIdleTimeoutMs = 60_000;

/** UDP sessions of one service port at most; a flood of source ports is refused beyond it. */
const maxSessions = 4096;

/** Relays TCP. Half-closed connections stay so, and a slow reader slows its writer. Rejects when it cannot listen. */
export async function relayTcp(address: string, port: number, admit: Admit): Promise<Relay> {
  const open = new Map<Socket, Admission | undefined>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    open.set(client, undefined);
    client.on('error', () => client.destroy());
    client.on('close', () => open.delete(client));
    const source = { address: client.remoteAddress ?? '', port: client.remotePort ?? 0 };
    admit(source).then(
      (admission) => {
        if (admission === undefined || client.destroyed) {
          client.resetAndDestroy();
          return;
        }
        open.set(client, admission);
        join(client, admission);
      },
      () => client.resetAndDestroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port }, resolve);
  });
  return {
    review: () => {
      for (const [client, admission] of open) if (admission?.stillAllowed() === false) client.resetAndDestroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const client of open.keys()) client.destroy();
      }),
  };
}

function join(client: Socket, { endpoint: { address, port }, from }: Admission): void {
  // Every byte of either direction passes the upstream socket, so its idleness is the connection's.
  const upstream = connect({
    host: address,
    port,
    allowHalfOpen: true,
    timeout: idleTimeoutMs,
    ...(from === undefined ? {} : { localAddress: from }),
  });
  upstream.on('timeout', () => upstream.destroy());
  upstream.on('error', () => upstream.destroy());
  upstream.on('close', (failed) => (failed ? client.resetAndDestroy() : client.destroy()));
  client.on('close', () => upstream.destroy());
  upstream.on('connect', () => {
    client.pipe(upstream);
    upstream.pipe(client);
  });
}

interface Session {
  readonly upstream: DatagramSocket;
  readonly admission: Admission;
  lastMs: number;
}

/** A socket towards the endpoint. Nothing can be sent on it before it is connected: a second datagram has to wait, or is lost. */
async function connected({ endpoint: { address, port }, from }: Admission): Promise<DatagramSocket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      const connect = (): void => socket.connect(port, address, resolve);
      if (from === undefined) connect();
      else socket.bind({ address: from, exclusive: true }, connect);
    });
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Relays UDP: each client gets a socket of its own towards its endpoint. `now` is a monotonic clock in milliseconds. */
export async function relayUdp(address: string, port: number, admit: Admit, now: () => number): Promise<Relay> {
  const sessions = new Map<string, Session>();
  const asking = new Set<string>();
  let closed = false;
  const family = address.includes(':') ? 'udp6' : 'udp4';
  const server = createSocket(family);

  const end = (key: string): void => {
    sessions.get(key)?.upstream.close();
    sessions.delete(key);
  };
  const expire = (): void => {
    for (const [key, { lastMs }] of sessions) if (now() - lastMs > datagramIdleTimeoutMs) end(key);
  };
  const begin = async (key: string, message: Buffer, client: RemoteInfo): Promise<void> => {
    expire();
    if (sessions.size + asking.size >= maxSessions || asking.has(key)) return;
    asking.add(key);
    try {
      const admission = await admit(client);
      if (admission === undefined) return;
      const upstream = await connected(admission);
      if (closed || !admission.stillAllowed()) {
        upstream.close();
        return;
      }
      const session = { upstream, admission, lastMs: now() };
      sessions.set(key, session);
      upstream.on('error', () => end(key));
      upstream.on('message', (answer) => {
        session.lastMs = now();
        server.send(answer, client.port, client.address);
      });
      upstream.send(message);
    } finally {
      asking.delete(key);
    }
  };

  server.on('message', (message, client) => {
    const key = `${client.address} ${client.port}`;
    const session = sessions.get(key);
    if (session === undefined) {
      begin(key, message, client).catch(() => end(key)); // whoever cannot be judged is refused
      return;
    }
    session.lastMs = now();
    session.upstream.send(message);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.bind({ address, port, exclusive: true }, resolve);
  });
  server.on('error', () => {}); // a send to a client that is gone
  return {
    review: () => {
      for (const [key, { admission }] of sessions) if (!admission.stillAllowed()) end(key);
    },
    close: () =>
      new Promise((resolve) => {
        closed = true;
        for (const key of sessions.keys()) end(key);
        server.close(() => resolve());
      }),
  };
}
