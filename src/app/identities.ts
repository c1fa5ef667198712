/** The identities of Gatehouse's own parts, each a kubeconfig with a client certificate of its own. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { kubeconfig } from '../gateway/kubeconfig.ts';
import { issueClientCertificate, writeSecret } from '../gateway/pki.ts';
import type { CertificateAuthority } from '../gateway/pki.ts';
import type { Home } from './home.ts';
import { readKubeconfig } from './credentials.ts';

/** A part and who it is to the gateway. */
export const identities = {
  admin: { user: 'kubernetes-admin', groups: ['system:masters'] },
  gateway: { user: 'system:apiserver', groups: ['system:masters'] },
  scheduler: { user: 'system:kube-scheduler', groups: [] },
  controllers: { user: 'system:kube-controller-manager', groups: [] },
  bootstrap: { user: 'system:bootstrap:node', groups: ['system:bootstrappers'] },
} as const;

export type IdentityName = keyof typeof identities;

const days = 365;
const renewBeforeMs = 30 * 24 * 60 * 60 * 1000;

/** Where the kubeconfig of an identity lies. */
export function identityFile(home: Home, name: IdentityName): string {
  return name === 'admin' ? home.kubeconfig : join(home.identities, `${name}.kubeconfig`);
}

/** Writes every kubeconfig that is missing, near its end, or points to another server or authority. */
export async function ensureIdentities(
  home: Home,
  ca: CertificateAuthority,
  server: string,
  now: number,
): Promise<void> {
  for (const [name, { user, groups }] of Object.entries(identities)) {
    const file = identityFile(home, name as IdentityName);
    if (isGood(file, ca, server, now)) continue;
    const identity = await issueClientCertificate(ca, { user, groups, days, now });
    writeSecret(file, kubeconfig({ server, ca: ca.cert, user, identity }));
  }
}

function isGood(file: string, ca: CertificateAuthority, server: string, now: number): boolean {
  if (!existsSync(file)) return false;
  const known = readKubeconfig(file);
  if (known.server !== server || known.ca.trim() !== ca.cert.trim() || known.identity === undefined) return false;
  return Date.parse(new X509Certificate(known.identity.cert).validTo) - now > renewBeforeMs;
}

/** The sealing keys in `folder`: one a line, `id base64`, the first seals. Made on first use. */
export function readSealingKeys(
  folder: string,
  random: (bytes: number) => Buffer,
): readonly { readonly id: string; readonly secret: Buffer }[] {
  const file = join(folder, 'sealing.keys');
  if (!existsSync(file)) writeSecret(file, `k1 ${random(32).toString('base64')}\n`);
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [id = '', secret = ''] = line.split(' ');
      return { id, secret: Buffer.from(secret, 'base64') };
    });
}
