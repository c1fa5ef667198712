/** Identity by client certificate: CN is the user, every O a group. Source: Kubernetes authentication, X509 client certificates. */
import type { TLSSocket } from 'node:tls';
import { StatusError } from '../../api/status.ts';
import type { Authenticated } from './authenticator.ts';

/** A certificate as its connection showed it. `refused` says why the chain or purpose does not hold. */
export type PeerCertificateIdentity =
  | {
      readonly kind: 'verified';
      readonly commonName: string;
      readonly organizations: readonly string[];
      /** Milliseconds since the epoch. A connection may outlive its certificate. */
      readonly notAfter: number;
      readonly fingerprint: string;
    }
  | { readonly kind: 'refused'; readonly why: string };

/**
 * What `socket` proved in its handshake; undefined when it showed no certificate. OpenSSL has validated the whole chain
 * against our client CA and that the certificate may serve a TLS client; anything but `authorized` is refused.
 */
export function peerCertificate(socket: TLSSocket): PeerCertificateIdentity | undefined {
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) return undefined;
  if (!socket.authorized) return { kind: 'refused', why: String(socket.authorizationError) };
  const { subject } = socket.getPeerCertificate();
  const { CN, O } = subject as { readonly CN?: string | readonly string[]; readonly O?: string | readonly string[] };
  if (typeof CN !== 'string' || CN === '')
    return { kind: 'refused', why: 'the certificate names no single common name' };
  return {
    kind: 'verified',
    commonName: CN,
    organizations: O === undefined ? [] : typeof O === 'string' ? [O] : O,
    notAfter: Date.parse(shown.validTo),
    fingerprint: shown.fingerprint256,
  };
}

/** The user behind a certificate. Throws Unauthorized for one that is refused or has expired since the handshake. */
export function authenticateCertificate(certificate: PeerCertificateIdentity, now: number): Authenticated {
  if (certificate.kind === 'refused') {
    throw new StatusError('Unauthorized', 'Unauthorized', { cause: new Error(certificate.why) });
  }
  if (now > certificate.notAfter) {
    throw new StatusError('Unauthorized', 'Unauthorized', { cause: new Error('client certificate has expired') });
  }
  return {
    authenticator: 'certificate',
    user: {
      name: certificate.commonName,
      uid: '',
      groups: [...certificate.organizations, 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': [
          `X509SHA256=${certificate.fingerprint.replaceAll(':', '').toLowerCase()}`,
        ],
      },
    },
  };
}
