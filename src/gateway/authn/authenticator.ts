/** Who is asking: the first proof that a request shows decides, and a proof that fails is never replaced by a weaker one. */
import { StatusError } from '../../api/status.ts';
import { anonymous, type User } from '../../api/user.ts';
import { header, type Inbound } from '../inbound.ts';
import { authenticateCertificate } from './certificate.ts';

export interface Authenticated {
  readonly user: User;
  /** How it was proved: certificate, service-account, anonymous. */
  readonly authenticator: string;
}

/** Verifies a bearer token. Undefined: not a token of its kind. Throws Unauthorized for one that is, and fails. */
export type TokenAuthenticator = (
  token: string,
  audiences: readonly string[] | undefined,
) => Promise<VerifiedToken | undefined>;

export interface VerifiedToken extends Authenticated {
  readonly audiences: readonly string[];
}

/** A longer one is refused before any work is spent on it. Ours are near 1 KiB. */
const tokenLimitBytes = 16 * 1024;

/** The user of `inbound`. Without a proof anonymous; with one that does not hold, Unauthorized. */
export async function authenticate(
  inbound: Inbound,
  { tokens, now }: { readonly tokens: TokenAuthenticator; readonly now: number },
): Promise<Authenticated> {
  if (inbound.peer.certificate !== undefined) return authenticateCertificate(inbound.peer.certificate, now);
  const token = bearerToken(inbound);
  if (token === undefined) return { user: anonymous, authenticator: 'anonymous' };
  const verified = token.length > tokenLimitBytes ? undefined : await tokens(token, undefined);
  if (verified === undefined) throw new StatusError('Unauthorized', 'Unauthorized');
  return verified;
}

const websocketBearer = 'base64url.bearer.authorization.k8s.io.';

/** The token of the Authorization header, or of a browser's WebSocket subprotocol. Throws Unauthorized for any other scheme. */
function bearerToken(inbound: Inbound): string | undefined {
  const authorization = header(inbound, 'authorization');
  if (authorization !== '') {
    const match = /^Bearer +([^\s]+)$/i.exec(authorization);
    if (match?.[1] === undefined) throw new StatusError('Unauthorized', 'Unauthorized');
    return match[1];
  }
  if (inbound.headers['upgrade'] === undefined) return undefined;
  const protocols = header(inbound, 'sec-websocket-protocol')
    .split(',')
    .map((protocol) => protocol.trim());
  const carrier = protocols.find((protocol) => protocol.startsWith(websocketBearer));
  return carrier === undefined
    ? undefined
    : Buffer.from(carrier.slice(websocketBearer.length), 'base64url').toString('utf8');
}
