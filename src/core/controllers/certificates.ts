/**
 * Certificates for nodes: a node asks by a CertificateSigningRequest, the approver grants what is plainly in order, the
 * signer signs what was approved. Anything else waits for a person (`kubectl certificate approve`).
 */
import type { CertificateSigningRequest } from '../../api/types/certificates.ts';
import { rfc3339 } from '../../std/clock.ts';
import { certificateSigningRequests as requestsRef } from '../cluster/resource-ref.ts';
import type { ControllerContext } from './context.ts';
import { whenAllSynced } from './context.ts';
import { startController } from './controller.ts';

const approverIdentity = 'certificate-controller';
const clientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';

/** Checks and signs; the keys stay with whoever made this. */
export interface CertificateSigner {
  /** The subject that a PEM request asks for. Throws when it is malformed or its own signature is wrong. */
  inspect(request: string): Promise<{ readonly user: string; readonly groups: readonly string[] }>;
  /** The signed certificate, PEM, for the signers that this program knows; undefined for any other. Throws on a subject that the signer may not give. */
  sign(options: {
    readonly signerName: string;
    readonly request: string;
    readonly usages: readonly string[];
    readonly expirationSeconds: number | undefined;
  }): Promise<string | undefined>;
}

/** Runs until the context's signal aborts. */
export async function runCertificates(context: ControllerContext, signer: CertificateSigner): Promise<void> {
  const { informers, signal, clock } = context;
  const client = context.clientFor(approverIdentity);
  const controller = startController({
    ...context,
    name: approverIdentity,
    reconcile: async (name) => {
      const request = informers.signingRequests.get('', name);
      if (request === undefined || isDecided(request, 'Denied') || isDecided(request, 'Failed')) return {};
      if (!isDecided(request, 'Approved')) {
        if (await isNodesOwnRequest(request)) await approve(request);
        return {};
      }
      if (request.status?.certificate === undefined || request.status.certificate === '') await sign(request);
      return {};
    },
  });

  /** A node may have a client certificate in its own name: asked by the bootstrap group, or by the node to renew. */
  async function isNodesOwnRequest({ spec }: CertificateSigningRequest): Promise<boolean> {
    if (spec.signerName !== clientSigner) return false;
    const subject = await signer.inspect(decode(spec.request)).catch(() => undefined);
    if (subject === undefined) return false;
    const forNode =
      subject.user.startsWith('system:node:') && subject.groups.length === 1 && subject.groups[0] === 'system:nodes';
    const allowed = ['digital signature', 'key encipherment', 'client auth'];
    const usages = spec.usages ?? [];
    const plain = usages.includes('client auth') && usages.every((usage) => allowed.includes(usage));
    const asker = spec.username === subject.user || (spec.groups ?? []).includes('system:bootstrappers');
    return forNode && plain && asker;
  }

  async function approve(request: CertificateSigningRequest): Promise<void> {
    const now = rfc3339(clock.now());
    const condition = {
      type: 'Approved' as const,
      status: 'True' as const,
      reason: 'AutoApproved',
      message: 'A client certificate in the name of the node that asks for it.',
      lastUpdateTime: now,
      lastTransitionTime: now,
    };
    const status = { ...request.status, conditions: [...(request.status?.conditions ?? []), condition] };
    await client.update(requestsRef, { ...request, status }, 'approval', signal);
  }

  async function sign(request: CertificateSigningRequest): Promise<void> {
    const { signerName, usages = [], expirationSeconds } = request.spec;
    const certificate = await signer.sign({
      signerName,
      request: decode(request.spec.request),
      usages,
      expirationSeconds,
    });
    if (certificate === undefined) return;
    const status = { ...request.status, certificate: Buffer.from(certificate, 'utf8').toString('base64') };
    await client.update(requestsRef, { ...request, status }, 'status', signal);
  }

  informers.signingRequests.onChange((event) => {
    if (event.kind === 'set') controller.enqueue(event.object.metadata.name);
  });
  await whenAllSynced([informers.signingRequests], signal);
}

function isDecided(request: CertificateSigningRequest, type: string): boolean {
  return (request.status?.conditions ?? []).some((condition) => condition.type === type);
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
