import { createWebSocketStream } from 'ws';
import type { UpgradedConnection } from '../router.ts';
import { forwardByChannels, parsePorts } from './forward-channels.ts';
import { forwardBySpdy } from './forward-spdy.ts';
import type { ForwardTarget } from './forward.ts';
import { acceptSpdy, asksForSpdy } from './spdy/handshake.ts';
import { needsUpgrade } from './upgrade-session.ts';
import type { Surroundings } from './upgrade-session.ts';
import { acceptWebSocket, asksForWebSocket, maxMessageBytes, offersProtocol } from './websocket.ts';

const spdyProtocol = 'portforward.k8s.io';
/** SPDY in the binary messages of a WebSocket: kubectl since 1.30. */
const tunnelledProtocol = `SPDY/3.1+${spdyProtocol}`;
const channelProtocol = 'v4.channel.k8s.io';

/**
 * Makes `connection` a port-forward, in whichever of the three protocols the client asks for; resolves when it has ended.
 * Throws BadRequest, with nothing written, for anything else.
 */
export async function upgradeForward(
  connection: UpgradedConnection,
  query: URLSearchParams,
  target: ForwardTarget,
  around: Surroundings,
): Promise<void> {
  if (asksForSpdy(connection)) {
    const { transport } = acceptSpdy(connection, [spdyProtocol]);
    return forwardBySpdy(transport, target, around);
  }
  if (!asksForWebSocket(connection)) throw needsUpgrade('portforward');
  const tunnelled = offersProtocol(connection, tunnelledProtocol);
  const ports = tunnelled ? [] : parsePorts(query);
  const protocols = tunnelled ? [tunnelledProtocol] : [channelProtocol];
  const socket = await acceptWebSocket(connection, protocols, maxMessageBytes);
  if (tunnelled) return forwardBySpdy(createWebSocketStream(socket), target, around);
  return forwardByChannels(socket, ports, target, around);
}
