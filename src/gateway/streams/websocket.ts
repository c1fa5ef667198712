import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { badRequest } from '../../api/status.ts';
import type { UpgradedConnection } from '../router.ts';

/** The largest message of a client: kubectl and the client libraries send at most 32 KiB. */
export const maxMessageBytes = 1024 * 1024;

/** Whether the client asks for a WebSocket. */
export function asksForWebSocket({ request }: UpgradedConnection): boolean {
  return (request.headers.upgrade ?? '').toLowerCase() === 'websocket';
}

/** Whether the client offers the subprotocol. */
export function offersProtocol({ request }: UpgradedConnection, protocol: string): boolean {
  return chosenProtocol(request.headers['sec-websocket-protocol'] ?? '', [protocol]) !== undefined;
}

/**
 * Finishes the WebSocket handshake of `connection`. Of the subprotocols the client offers, the first of `protocols` is
 * taken. Throws BadRequest, with nothing written, when it is no WebSocket handshake or offers none of them.
 */
export function acceptWebSocket(
  { request, socket, head }: UpgradedConnection,
  protocols: readonly string[],
  maxMessageBytes: number,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    if (chosenProtocol(request.headers['sec-websocket-protocol'] ?? '', protocols) === undefined) {
      reject(badRequest(`the WebSocket must offer one of the subprotocols ${protocols.join(', ')}`));
      return;
    }
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
    });
    const gone = (): void => reject(badRequest('the client went away'));
    socket.once('close', gone);
    server.once('wsClientError', (error) => {
      socket.off('close', gone);
      reject(badRequest(error.message));
    });
    server.handleUpgrade(request, socket, head, (accepted) => {
      socket.off('close', gone);
      resolve(accepted);
    });
  });
}

function chosenProtocol(header: string, protocols: readonly string[]): string | undefined {
  const offered = header.split(',').map((protocol) => protocol.trim());
  return protocols.find((protocol) => offered.includes(protocol));
}
