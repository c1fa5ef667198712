/** What verifiers of our tokens ask for: OpenID discovery and the keys. Source: Kubernetes, service account issuer discovery. */
import { jsonAnswer } from '../inbound.ts';
import type { PathHandler } from '../router.ts';
import type { TokenIssuer } from './service-account.ts';

/** /.well-known/openid-configuration. `keysUrl` is where /openid/v1/jwks is reached. */
export function openidConfiguration({ issuer }: TokenIssuer, keysUrl: string): PathHandler {
  return () =>
    jsonAnswer(200, {
      issuer,
      jwks_uri: keysUrl,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    });
}

/** /openid/v1/jwks: public keys only. */
export function jwks({ jwks }: TokenIssuer): PathHandler {
  return () => ({ ...jsonAnswer(200, jwks), contentType: 'application/jwk-set+json' });
}
