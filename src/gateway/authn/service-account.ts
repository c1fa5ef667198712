/**
 * Tokens of service accounts: ES256 JWTs bound to an account, and where asked to a pod and its node. They are signed by
 * one key and verified by it, so the key says which algorithm holds, never the token. A token dies with what it is bound to.
 * Source of the claims: Kubernetes, "Managing Service Accounts", bound service account tokens.
 */
import { createPrivateKey, createPublicKey, hash, randomUUID, type KeyObject } from 'node:crypto';
import { SignJWT, calculateJwkThumbprint, exportJWK, jwtVerify, type JWK, type JWTPayload } from 'jose';
import type { User } from '../../api/user.ts';
import { StatusError } from '../../api/status.ts';
import type { Clock } from '../../std/clock.ts';
import type { TokenAuthenticator, VerifiedToken } from './authenticator.ts';

/** An object a token is bound to. */
export interface BoundObject {
  readonly name: string;
  readonly uid: string;
}

export interface TokenClaims {
  readonly namespace: string;
  readonly serviceAccount: BoundObject;
  readonly pod: BoundObject | undefined;
  readonly secret: BoundObject | undefined;
  readonly node: BoundObject | undefined;
}

/** Whether the object is still there, with this very uid. */
export type StillExists = (kind: BoundKind, namespace: string, object: BoundObject) => Promise<boolean>;
export type BoundKind = 'serviceaccounts' | 'pods' | 'secrets' | 'nodes';

export interface TokenIssuer {
  issue(
    claims: TokenClaims,
    options: { readonly audiences: readonly string[]; readonly seconds: number },
  ): Promise<IssuedToken>;
  readonly verify: TokenAuthenticator;
  /** The public keys, as /openid/v1/jwks shows them. */
  readonly jwks: { readonly keys: readonly JWK[] };
  readonly issuer: string;
  /** What a token is for when nobody says. */
  readonly defaultAudiences: readonly string[];
}

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly id: string;
}

/** Verified tokens kept, so that the signature of each is checked once. Chosen: 10 000 of them are about 10 MiB. */
const cacheEntries = 10_000;

interface Verified {
  /** What the token dies with. */
  readonly bound: readonly Bound[];
  readonly user: User;
  readonly audiences: readonly string[];
  readonly notBefore: number;
  readonly expiresAt: number;
  /** The answer to who asks for no audience of their own. */
  readonly here: VerifiedToken;
}

type Bound = readonly [kind: BoundKind, namespace: string, object: BoundObject];

/** Signs and verifies with the PKCS#8 PEM `key` as `issuer`; `apiAudiences` are the audiences this API answers to. */
export async function createTokenIssuer(deps: {
  readonly key: string;
  readonly issuer: string;
  readonly apiAudiences: readonly string[];
  readonly clock: Clock;
  readonly stillExists: StillExists;
}): Promise<TokenIssuer> {
  const privateKey = createPrivateKey(deps.key);
  const publicKey = createPublicKey(privateKey);
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  const cache = new Map<string, Verified>();

  const signed = async (token: string): Promise<Verified | undefined> => {
    const key = hash('sha256', token, 'base64');
    const known = cache.get(key);
    if (known !== undefined) return known;
    const verified = await checkSignature(token, publicKey, deps);
    if (verified === undefined) return undefined;
    if (cache.size >= cacheEntries) {
      const [oldest] = cache.keys();
      if (oldest !== undefined) cache.delete(oldest);
    }
    cache.set(key, verified);
    return verified;
  };

  return {
    issuer: deps.issuer,
    defaultAudiences: deps.apiAudiences,
    jwks: { keys: [{ ...jwk, kid, use: 'sig', alg: 'ES256' }] },
    async issue(claims, { audiences, seconds }) {
      const now = Math.floor(deps.clock.now() / 1000);
      const id = randomUUID();
      const token = await new SignJWT(payloadOf(claims))
        .setProtectedHeader({ alg: 'ES256', kid })
        .setIssuer(deps.issuer)
        .setSubject(userName(claims))
        .setAudience([...audiences])
        .setIssuedAt(now)
        .setNotBefore(now)
        .setExpirationTime(now + seconds)
        .setJti(id)
        .sign(privateKey);
      return { token, id, expiresAt: (now + seconds) * 1000 };
    },
    async verify(token, audiences) {
      const verified = await signed(token);
      if (verified === undefined) return undefined;
      const now = deps.clock.now();
      if (now >= verified.expiresAt || now < verified.notBefore)
        throw unauthorized('the token has expired or is not valid yet');
      const answer = audiences === undefined ? verified.here : answerFor(verified, audiences);
      if (answer.audiences.length === 0) throw unauthorized('the token is for another audience');
      for (const [kind, namespace, object] of verified.bound) {
        if (!(await deps.stillExists(kind, namespace, object))) throw unauthorized(`the token's ${kind} is gone`);
      }
      return answer;
    },
  };
}

/** The token's content if this issuer signed it; undefined if it did not. Time and audience are judged by the caller, on every use. */
async function checkSignature(
  token: string,
  key: KeyObject,
  { issuer, apiAudiences }: { readonly issuer: string; readonly apiAudiences: readonly string[] },
): Promise<Verified | undefined> {
  let payload: JWTPayload;
  try {
    // Time is judged on every use, also of a cached token; here it must not reject, so the token is read at its own beginning.
    const at = new Date((unverifiedStart(token) ?? 0) * 1000);
    ({ payload } = await jwtVerify(token, key, {
      algorithms: ['ES256'],
      issuer,
      currentDate: at,
      requiredClaims: ['exp', 'nbf', 'sub', 'jti', 'aud'],
    }));
  } catch {
    return undefined; // not ours, or not intact: the same to the caller
  }
  const claims = claimsOf(payload);
  if (claims === undefined || payload.sub !== userName(claims)) return undefined;
  const user = userOf(claims, payload.jti ?? '');
  const audiences = typeof payload.aud === 'string' ? [payload.aud] : (payload.aud ?? []);
  return {
    bound: boundObjects(claims),
    user,
    audiences,
    notBefore: (payload.nbf ?? Infinity) * 1000,
    expiresAt: (payload.exp ?? 0) * 1000,
    here: answerFor({ user, audiences }, apiAudiences),
  };
}

/** The token's user, and those of its audiences that were `asked` for. */
function answerFor({ user, audiences }: Pick<Verified, 'user' | 'audiences'>, asked: readonly string[]): VerifiedToken {
  return { user, authenticator: 'service-account', audiences: audiences.filter((one) => asked.includes(one)) };
}

/** When the token says it begins. Nothing depends on it but which instant its own signature check is made at. */
function unverifiedStart(token: string): number | undefined {
  const body = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
    readonly nbf?: unknown;
  } | null;
  return typeof body?.nbf === 'number' ? body.nbf : undefined;
}

function boundObjects({ namespace, serviceAccount, pod, secret, node }: TokenClaims): readonly Bound[] {
  return [
    ['serviceaccounts', namespace, serviceAccount],
    ...(pod === undefined ? [] : [['pods', namespace, pod] as const]),
    ...(secret === undefined ? [] : [['secrets', namespace, secret] as const]),
    // A token of a pod names the node for information; only one bound to a node alone dies with it.
    ...(node === undefined || pod !== undefined ? [] : [['nodes', '', node] as const]),
  ];
}

function unauthorized(why: string): StatusError {
  return new StatusError('Unauthorized', 'Unauthorized', { cause: new Error(why) });
}

function userName({ namespace, serviceAccount }: TokenClaims): string {
  return `system:serviceaccount:${namespace}:${serviceAccount.name}`;
}

function payloadOf({ namespace, serviceAccount, pod, secret, node }: TokenClaims): JWTPayload {
  return {
    'kubernetes.io': {
      namespace,
      ...(node === undefined ? {} : { node }),
      ...(pod === undefined ? {} : { pod }),
      ...(secret === undefined ? {} : { secret }),
      serviceaccount: serviceAccount,
    },
  };
}

function claimsOf(payload: JWTPayload): TokenClaims | undefined {
  const own = payload['kubernetes.io'];
  if (typeof own !== 'object' || own === null) return undefined;
  const { namespace, serviceaccount, pod, secret, node } = own as Record<string, unknown>;
  const serviceAccount = boundObject(serviceaccount);
  if (typeof namespace !== 'string' || serviceAccount === undefined) return undefined;
  return { namespace, serviceAccount, pod: boundObject(pod), secret: boundObject(secret), node: boundObject(node) };
}

function boundObject(value: unknown): BoundObject | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { name, uid } = value as Record<string, unknown>;
  return typeof name === 'string' && typeof uid === 'string' ? { name, uid } : undefined;
}

function userOf(claims: TokenClaims, id: string): User {
  const { namespace, serviceAccount, pod, node } = claims;
  const key = (name: string): string => `authentication.kubernetes.io/${name}`;
  return {
    name: userName(claims),
    uid: serviceAccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra: {
      [key('credential-id')]: [`JTI=${id}`],
      ...(pod === undefined ? {} : { [key('pod-name')]: [pod.name], [key('pod-uid')]: [pod.uid] }),
      ...(node === undefined ? {} : { [key('node-name')]: [node.name], [key('node-uid')]: [node.uid] }),
    },
  };
}
