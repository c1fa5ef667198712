import { badRequest, type StatusError } from '../../api/status.ts';
import type { SessionKind } from '../../core/node/streams/wire.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { UpgradedConnection } from '../router.ts';
import { channelProtocols } from './channels.ts';
import type { NodeLink } from './node-link.ts';
import type { ContainerTarget } from './pod-target.ts';
import { joinSession } from './session.ts';
import type { SessionClient } from './session.ts';
import type { SessionOptions } from './session-options.ts';
import { acceptSpdy, asksForSpdy } from './spdy/handshake.ts';
import { remoteCommandProtocols, spdyClient } from './spdy-client.ts';
import { acceptWebSocket, asksForWebSocket, maxMessageBytes } from './websocket.ts';
import { webSocketClient } from './websocket-client.ts';

export interface Surroundings {
  /** Aborts when the gateway stops. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Makes `connection` a session in a container; resolves when it has ended. Throws BadRequest, with nothing written, for
 * anything but a WebSocket or SPDY/3.1. From there on failures go to the client's error stream, which kubectl prints; a
 * refused handshake of a WebSocket would make kubectl try again by SPDY.
 */
export async function upgradeSession(
  connection: UpgradedConnection,
  session: {
    readonly kind: SessionKind;
    readonly target: ContainerTarget;
    readonly options: SessionOptions;
    readonly link: NodeLink;
  },
  around: Surroundings,
): Promise<void> {
  const { kind, link, options } = session;
  const client = await acceptClient(connection, kind, options, around);
  if (client === undefined) return;
  const { node: _, ...container } = session.target;
  await joinSession({
    client,
    start: () => link.start(kind, { ...container, ...options }),
    reportsExit: kind === 'exec',
    ...around,
  });
}

async function acceptClient(
  connection: UpgradedConnection,
  kind: SessionKind,
  options: SessionOptions,
  around: Surroundings,
): Promise<SessionClient | undefined> {
  if (asksForSpdy(connection)) {
    const { protocol, transport } = acceptSpdy(connection, remoteCommandProtocols);
    return spdyClient(transport, protocol, options, around);
  }
  if (!asksForWebSocket(connection)) throw needsUpgrade(kind);
  return webSocketClient(await acceptWebSocket(connection, channelProtocols, maxMessageBytes), around.log);
}

/** The refusal of a client that speaks plain HTTP. */
export function needsUpgrade(subresource: string): StatusError {
  return badRequest(`Upgrade request required: ${subresource} is spoken over a WebSocket or SPDY/3.1`);
}
