/**
 * A node's own identity: a key that never leaves its folder and a certificate for `system:node:NAME`, asked for by a
 * CertificateSigningRequest with the bootstrap credentials and kept for the next start.
 */
import { X509Certificate } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../std/clock.ts';
import type { ClusterClient } from '../cluster/client.ts';
import { certificateSigningRequests } from '../cluster/resource-ref.ts';

export interface NodeCredentials {
  readonly cert: string;
  readonly key: string;
}

export interface IdentityDeps {
  /** Speaks as the bootstrap user. */
  readonly bootstrap: ClusterClient;
  readonly folder: string;
  readonly name: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Makes a key and a signing request (both PEM) for a subject. */
  readonly createRequest: (subject: {
    readonly user: string;
    readonly groups: readonly string[];
  }) => Promise<{ readonly key: string; readonly request: string }>;
}

// A certificate is renewed when less than a fifth of its life is left. Source: upstream.
const leastLifeLeft = 0.2;
const pollMs = 200;
const deadlineMs = 60_000;

/** The kept identity when it is good for a while yet, else a new one. Throws when nobody signs within a minute. */
export async function obtainIdentity(deps: IdentityDeps): Promise<NodeCredentials> {
  const file = join(deps.folder, 'identity.pem');
  const kept = await readIdentity(file, deps.clock.now());
  if (kept !== undefined) return kept;
  const fresh = await requestIdentity(deps);
  await writeFile(`${file}.new`, `${fresh.cert}\n${fresh.key}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return fresh;
}

async function readIdentity(file: string, now: number): Promise<NodeCredentials | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  const cert = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(text ?? '')?.[0];
  const key = /-----BEGIN (?:EC )?PRIVATE KEY-----[\s\S]*?-----END (?:EC )?PRIVATE KEY-----/.exec(text ?? '')?.[0];
  if (cert === undefined || key === undefined) return undefined;
  const { validFrom, validTo } = new X509Certificate(cert);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  return now < to - (to - from) * leastLifeLeft ? { cert, key } : undefined;
}

async function requestIdentity(deps: IdentityDeps): Promise<NodeCredentials> {
  const { bootstrap, name, clock, signal } = deps;
  const { key, request } = await deps.createRequest({ user: `system:node:${name}`, groups: ['system:nodes'] });
  const made = await bootstrap.create(
    certificateSigningRequests,
    {
      metadata: { generateName: `node-csr-${name}-` },
      spec: {
        signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
        request: Buffer.from(request, 'utf8').toString('base64'),
        usages: ['digital signature', 'client auth'],
      },
    },
    signal,
  );
  const until = clock.monotonic() + deadlineMs;
  while (clock.monotonic() < until) {
    const seen = await bootstrap.get(certificateSigningRequests, { name: made.metadata.name }, signal);
    const certificate = seen.status?.certificate;
    if (certificate !== undefined && certificate !== '') {
      return { cert: Buffer.from(certificate, 'base64').toString('utf8').trim(), key };
    }
    const refusal = seen.status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed');
    if (refusal !== undefined)
      throw new Error(`the certificate for node ${name} was refused: ${refusal.message ?? refusal.reason ?? ''}`);
    await clock.sleep(pollMs, signal);
  }
  throw new Error(
    `nobody signed the certificate request ${made.metadata.name} of node ${name} within ${deadlineMs / 1000} s: is "gatehouse controllers" running?`,
  );
}
