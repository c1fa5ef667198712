/** Certificates for those who ask by CertificateSigningRequest: what each signer of kubernetes.io may put its name to. */
import 'reflect-metadata'; // what the dependency injection inside @peculiar/x509 stands on
import * as x509 from '@peculiar/x509';
import { StatusError } from '../api/status.ts';
import { newKey, sign, subjectOf, type CertificateAuthority } from './pki.ts';

export type SignerName =
  | 'kubernetes.io/kube-apiserver-client'
  | 'kubernetes.io/kube-apiserver-client-kubelet'
  | 'kubernetes.io/kubelet-serving';

/** What a PEM request asks for, its signature checked. */
export interface SigningRequest {
  readonly user: string;
  readonly groups: readonly string[];
  readonly names: readonly string[];
  readonly publicKey: x509.PublicKey;
}

/** Parses and checks a PEM certificate request. Throws BadRequest when it is none, or not signed by its own key. */
export async function parseSigningRequest(pem: string): Promise<SigningRequest> {
  try {
    const request = new x509.Pkcs10CertificateRequest(pem);
    if (!(await request.verify())) throw new Error('its signature does not hold');
    const fields = request.subjectName;
    const alternatives = request.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension);
    const [user, ...more] = fields.getField('CN');
    if (user === undefined || more.length > 0) throw new Error('it needs one common name');
    return {
      user,
      groups: fields.getField('O'),
      names: alternatives?.names.toJSON().map(({ value }) => value) ?? [],
      publicKey: request.publicKey,
    };
  } catch (error) {
    const why = error instanceof Error && /its signature|it needs/.test(error.message) ? `: ${error.message}` : '';
    throw new StatusError('BadRequest', `the request is not a certificate request that can be signed${why}`, {
      cause: error,
    });
  }
}

/** Why `signer` may not sign `request`, or undefined. Source: Kubernetes certificates, "Kubernetes signers". Pure. */
export function signerObjection(signer: SignerName, request: Omit<SigningRequest, 'publicKey'>): string | undefined {
  const isNode = /^system:node:[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(request.user);
  const onlyNodes = request.groups.length === 1 && request.groups[0] === 'system:nodes';
  switch (signer) {
    case 'kubernetes.io/kube-apiserver-client':
      if (request.groups.includes('system:masters')) return 'system:masters is not given by request';
      return request.names.length > 0 ? 'a client certificate carries no alternative names' : undefined;
    case 'kubernetes.io/kube-apiserver-client-kubelet':
      if (!isNode || !onlyNodes) return 'the subject must be system:node:NAME in group system:nodes';
      return request.names.length > 0 ? 'a client certificate carries no alternative names' : undefined;
    case 'kubernetes.io/kubelet-serving':
      if (!isNode || !onlyNodes) return 'the subject must be system:node:NAME in group system:nodes';
      return request.names.length === 0 ? 'a serving certificate needs a DNS name or an IP address' : undefined;
  }
}

/** The signed certificate, as PEM. Throws BadRequest for a request that `signer` may not sign. */
export async function signRequest(
  ca: CertificateAuthority,
  asked: { readonly pem: string; readonly signer: SignerName; readonly days: number; readonly now: number },
): Promise<string> {
  const request = await parseSigningRequest(asked.pem);
  const objection = signerObjection(asked.signer, request);
  if (objection !== undefined) throw new StatusError('BadRequest', `${asked.signer} does not sign this: ${objection}`);
  const serving = asked.signer === 'kubernetes.io/kubelet-serving';
  return sign(ca, {
    subject: subjectOf(request.user, request.groups),
    publicKey: request.publicKey,
    purpose: serving ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
    names: request.names,
    now: asked.now,
    days: asked.days,
  });
}

/** A new key and a request for a certificate in the name of `subject`, signed by that key; both PEM. */
export async function createSigningRequest(subject: {
  readonly user: string;
  readonly groups: readonly string[];
}): Promise<{ readonly key: string; readonly request: string }> {
  const { keys, pem } = await newKey();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subjectOf(subject.user, subject.groups),
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return { key: pem, request: request.toString('pem') };
}
