import { generateKeyPairSync, createHmac } from 'node:crypto';
import { SignJWT, UnsecuredJWT, importPKCS8 } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { createTokenIssuer, type TokenIssuer } from '../../../src/gateway/authn/service-account.ts';
import { systemClock, type Clock } from '../../../src/std/clock.ts';

const key = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const otherKey = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const issuer = 'https://kubernetes.default.svc';
let now = 1_700_000_000_000;
const clock: Clock = { ...systemClock, now: () => now };
const gone = new Set<string>();
const claims = {
  namespace: 'shop',
  serviceAccount: { name: 'web', uid: 'u-web' },
  pod: { name: 'web-1', uid: 'u-pod' },
  secret: undefined,
  node: { name: 'n1', uid: 'u-node' },
};

let tokens: TokenIssuer;
beforeAll(async () => {
  tokens = await createTokenIssuer({
    key: key.privateKey,
    issuer,
    apiAudiences: [issuer],
    clock,
    stillExists: async (kind, _namespace, { uid }) => !gone.has(`${kind}/${uid}`),
  });
});

const issue = async (seconds = 600, audiences = [issuer]) => (await tokens.issue(claims, { audiences, seconds })).token;
const unauthorized = expect.objectContaining({ code: 401 });

describe('a token of a service account', () => {
  test('names its account, pod and node', async () => {
    const verified = await tokens.verify(await issue(), undefined);
    expect(verified?.user).toMatchObject({
      name: 'system:serviceaccount:shop:web',
      uid: 'u-web',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/pod-name': ['web-1'],
        'authentication.kubernetes.io/node-name': ['n1'],
      },
    });
  });

  test('ends at its expiry, also when it was verified before', async () => {
    const token = await issue();
    expect(await tokens.verify(token, undefined)).toBeDefined();
    now += 600_000;
    await expect(tokens.verify(token, undefined)).rejects.toEqual(unauthorized);
    now -= 600_000;
  });

  test('is not valid before it was issued', async () => {
    const token = await issue();
    now -= 60_000;
    await expect(tokens.verify(token, undefined)).rejects.toEqual(unauthorized);
    now += 60_000;
  });

  test('is refused for another audience, also when cached', async () => {
    const token = await issue(600, ['vault']);
    await expect(tokens.verify(token, undefined)).rejects.toEqual(unauthorized);
    expect(await tokens.verify(token, ['vault'])).toMatchObject({ audiences: ['vault'] });
    await expect(tokens.verify(token, undefined)).rejects.toEqual(unauthorized);
  });

  test.for(['serviceaccounts/u-web', 'pods/u-pod'])('dies with %s, also when cached', async (object) => {
    const token = await issue();
    expect(await tokens.verify(token, undefined)).toBeDefined();
    gone.add(object);
    await expect(tokens.verify(token, undefined)).rejects.toEqual(unauthorized);
    gone.delete(object);
  });

  test('is refused when any part is changed', async () => {
    const [head, body, signature] = (await issue()).split('.');
    const forged = Buffer.from(
      JSON.stringify({
        ...JSON.parse(Buffer.from(body ?? '', 'base64url').toString()),
        sub: 'system:serviceaccount:kube-system:root',
      }),
    ).toString('base64url');
    expect(await tokens.verify(`${head}.${forged}.${signature}`, undefined)).toBeUndefined();
  });

  test('is refused when signed by another key, or by another algorithm with our public key', async () => {
    const payload = { 'kubernetes.io': { namespace: 'shop', serviceaccount: claims.serviceAccount } };
    const base = (jwt: SignJWT) =>
      jwt
        .setIssuer(issuer)
        .setAudience(issuer)
        .setSubject('system:serviceaccount:shop:web')
        .setIssuedAt(now / 1000)
        .setNotBefore(now / 1000)
        .setExpirationTime(now / 1000 + 600)
        .setJti('x');
    const foreign = await base(new SignJWT(payload))
      .setProtectedHeader({ alg: 'ES256' })
      .sign(await importPKCS8(otherKey.privateKey, 'ES256'));
    expect(await tokens.verify(foreign, undefined)).toBeUndefined();
    const head = Buffer.from('{"alg":"HS256"}').toString('base64url');
    const body = foreign.split('.')[1] ?? '';
    const mac = createHmac('sha256', key.publicKey).update(`${head}.${body}`).digest('base64url');
    expect(await tokens.verify(`${head}.${body}.${mac}`, undefined)).toBeUndefined();
    expect(await tokens.verify(new UnsecuredJWT(payload).setIssuer(issuer).encode(), undefined)).toBeUndefined();
    const stranger = await base(new SignJWT(payload))
      .setIssuer('https://elsewhere')
      .setProtectedHeader({ alg: 'ES256' })
      .sign(await importPKCS8(key.privateKey, 'ES256'));
    expect(await tokens.verify(stranger, undefined)).toBeUndefined();
  });

  test.for(['', 'x', 'a.b.c', 'bnVsbA.bnVsbA.bnVsbA', '..'])('is not %j', async (token) => {
    expect(await tokens.verify(token, undefined)).toBeUndefined();
  });

  test('can be verified with the published keys, which hold nothing private', () => {
    expect(tokens.jwks.keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
    expect(tokens.jwks.keys[0]).not.toHaveProperty('d');
  });
});
