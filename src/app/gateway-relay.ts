/**
 * The way from inside a user namespace to the gateway. A socket belongs to the network it was made in, whoever holds it: the
 * agent listens inside, at the gateway's own address, and hands the listener to its parent, which accepts inside and
 * connects outside. TLS is end to end: nothing is read here. Of several agents in one network the first listens, and when it
 * ends another takes its place.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Server, connect, createServer, isIPv4 } from 'node:net';
import type { Socket } from 'node:net';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';

interface Place {
  readonly host: string;
  readonly port: number;
}

/** How often an agent whose neighbour listens looks whether it still does. */
const lookMs = 250;

/** Outside: serves the listener that `child` hands over, until the child ends. */
export function relayOutside(child: ChildProcess, server: string, log: Logger): void {
  const place = placeOf(server);
  let listener: Server | undefined;
  child.on('message', (_message, handle) => {
    if (!(handle instanceof Server)) return;
    listener = handle;
    handle.on('connection', (inside: Socket) => join(inside, connect(place)));
    handle.on('error', (error) => log.warn('the way to the gateway failed', { error }));
    child.send('taken', () => {}); // it has ended: so do we
  });
  child.on('exit', () => listener?.close());
}

/** Inside: resolves when the gateway can be reached at `server`. Rejects where that address cannot be had here. */
export async function relayFromInside(server: string, clock: Clock): Promise<void> {
  const place = placeOf(server);
  if (!place.host.startsWith('127.')) await addAddress(place.host);
  if (await listenOrLater(place, clock)) return;
  // A neighbour listens.
}

async function listenOrLater(place: Place, clock: Clock): Promise<boolean> {
  const listener = createServer((early) => early.destroy());
  try {
    listener.listen(place.port, place.host);
    await once(listener, 'listening');
  } catch (error) {
    const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    if (!inUse) throw error;
    clock.after(lookMs, () => {
      listenOrLater(place, clock).catch(() => {
        // Neither free nor in use: the requests that need it fail and say so.
      });
    });
    return false;
  }
  const taken = once(process, 'message', { signal: AbortSignal.timeout(10_000) });
  process.send?.('listener', listener);
  await taken;
  listener.close(); // our copy of it: what the parent holds goes on listening
  return true;
}

function join(inside: Socket, outside: Socket): void {
  for (const [one, other] of [
    [inside, outside],
    [outside, inside],
  ] as const) {
    one.setNoDelay(true);
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroySoon());
    one.pipe(other);
  }
}

/** Where the gateway listens. Names other than localhost would need a resolver inside, which there is not. */
function placeOf(server: string): Place {
  const { hostname, port } = new URL(server);
  const host = hostname === 'localhost' ? '127.0.0.1' : hostname;
  if (!isIPv4(host))
    throw new Error(`an ordinary user's node needs a gateway by IPv4 address, not ${hostname}: use its address`);
  return { host, port: port === '' ? 443 : Number(port) };
}

async function addAddress(address: string): Promise<void> {
  const child = spawn('ip', ['address', 'replace', `${address}/32`, 'dev', 'lo'], { stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the gateway's address ${address} cannot be used inside the namespace`);
}
