import { badRequest, type StatusError } from '../../api/status.ts';
import type { SessionKind } from '../../core/node/streams/wire.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { UpgradedConnection } from '../router.ts';
import { channelProtocols } from './channels.ts';
import type { NodeLink } from './node-link.ts';
import type { PodTarget } from './pod-target.ts';
import { joinSession } from './session.ts';
import type { SessionOptions } from './session-options.ts';
import { acceptWebSocket } from './websocket.ts';

/** The largest message of a client: kubectl and the client libraries send at most 32 KiB. */
const maxMessageBytes = 1024 * 1024;

/**
 * Makes `connection` a session in a container; resolves when it has ended. Throws BadRequest, with nothing written, for
 * anything but a WebSocket. From there on failures go to the client's error channel, which kubectl prints; a refused
 * handshake would make kubectl try again by SPDY and print what that answers.
 */
export async function upgradeSession(
  connection: UpgradedConnection,
  session: {
    readonly kind: SessionKind;
    readonly target: PodTarget;
    readonly options: SessionOptions;
    readonly link: NodeLink;
  },
  around: { readonly signal: AbortSignal; readonly clock: Clock; readonly log: Logger },
): Promise<void> {
  if (connection.request.headers.upgrade?.toLowerCase() !== 'websocket') throw needsWebSocket(session.kind);
  const socket = await acceptWebSocket(connection, channelProtocols, maxMessageBytes);
  const protocol = channelProtocols.find((one) => one === socket.protocol) ?? 'channel.k8s.io';
  const { kind, link, options } = session;
  const { node: _, ...container } = session.target;
  await joinSession({
    socket,
    protocol,
    start: () => link.start(kind, { ...container, ...options }),
    reportsExit: kind === 'exec',
    ...around,
  });
}

/** The refusal of a client that speaks only SPDY, or plain HTTP. */
export function needsWebSocket(subresource: string): StatusError {
  return badRequest(
    `${subresource} needs an upgrade to a WebSocket of subprotocol v5.channel.k8s.io or v4.channel.k8s.io: SPDY is not served (kubectl speaks WebSocket since 1.30)`,
  );
}
