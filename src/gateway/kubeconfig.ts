import { stringify } from 'yaml';
import type { KeyPair } from './pki.ts';

/** A kubeconfig of one cluster, one user and one context, as YAML, everything embedded. */
export function kubeconfig(options: {
  readonly server: string;
  /** PEM */
  readonly ca: string;
  readonly user: string;
  readonly identity: KeyPair;
  readonly namespace?: string;
}): string {
  const base64 = (pem: string): string => Buffer.from(pem).toString('base64');
  const { server, ca, user, identity, namespace } = options;
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'gatehouse', cluster: { server, 'certificate-authority-data': base64(ca) } }],
      users: [
        {
          name: user,
          user: { 'client-certificate-data': base64(identity.cert), 'client-key-data': base64(identity.key) },
        },
      ],
      contexts: [
        {
          name: 'gatehouse',
          context: { cluster: 'gatehouse', user, ...(namespace === undefined ? {} : { namespace }) },
        },
      ],
      'current-context': 'gatehouse',
    },
    { lineWidth: 0 },
  );
}
