import type { Duplex } from 'node:stream';
import { badRequest } from '../../../api/status.ts';
import type { UpgradedConnection } from '../../router.ts';

/** Whether the client asks for SPDY/3.1. */
export function asksForSpdy({ request }: UpgradedConnection): boolean {
  return (request.headers.upgrade ?? '').toLowerCase() === 'spdy/3.1';
}

/**
 * Switches `connection` to SPDY/3.1. Of the protocols that the client offers for its streams, its first that is one of
 * `protocols` is taken, as upstream does. Throws BadRequest, with nothing written, when there is none.
 */
export function acceptSpdy<P extends string>(
  { request, socket, head }: UpgradedConnection,
  protocols: readonly P[],
): { readonly protocol: P; readonly transport: Duplex } {
  const header = request.headers['x-stream-protocol-version'] ?? '';
  const offered = (typeof header === 'string' ? header : header.join(',')).split(',').map((one) => one.trim());
  const protocol = offered.flatMap((one) => protocols.filter((known) => known === one))[0];
  if (protocol === undefined) {
    throw badRequest(
      `unable to upgrade: X-Stream-Protocol-Version must offer one of ${protocols.join(', ')}, and offers ${offered.join(', ') || 'none'}`,
    );
  }
  const lines = ['Connection: Upgrade', 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${protocol}`];
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return { protocol, transport: socket };
}
