/**
 * Every pod runs as a service account, and gets a token of it mounted unless pod or account say no.
 * Source: kube-apiserver, admission plugin ServiceAccount.
 */
import type { KubeObject } from '../../api/meta.ts';
import { forbidden } from '../../api/status.ts';
import { at, fieldsOf, listOf, textOf } from '../../std/value.ts';
import type { Mutator } from './chain.ts';

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const mirror = 'kubernetes.io/config.mirror';

/** Seconds a token lives, a little over an hour so that hourly rotation never meets its end. Source: the plugin. */
const tokenSeconds = 3607;

const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Names the account, checks that it exists, adds its image pull secrets and the token volume. Throws Forbidden. */
export const withServiceAccount: Mutator = async ({ store, random }, request, object) => {
  if (request.resource !== 'pods' || request.subresource !== '' || request.operation !== 'CREATE') return object;
  if (object.metadata.annotations?.[mirror] !== undefined) return object; // a mirror pod runs already, without an account
  const spec = fieldsOf(object['spec']);
  const name = textOf(spec['serviceAccountName']) || textOf(spec['serviceAccount']) || 'default';
  const account = await store.get(
    { resource: 'serviceaccounts', namespace: request.namespace, name },
    { kind: 'current' },
  );
  if (account === undefined) {
    const why = `error looking up service account ${request.namespace}/${name}: serviceaccount "${name}" not found`;
    throw forbidden({ group: '', resource: 'pods' }, request.name, why);
  }
  const secrets = listOf(account.object['imagePullSecrets']);
  const named: KubeObject = {
    ...object,
    spec: {
      ...spec,
      serviceAccountName: name,
      serviceAccount: name,
      ...(listOf(spec['imagePullSecrets']).length === 0 && secrets.length > 0 ? { imagePullSecrets: secrets } : {}),
    },
  };
  const automount = spec['automountServiceAccountToken'] ?? account.object['automountServiceAccountToken'] ?? true;
  return automount === true ? withToken(named, volumeName(random)) : named;
};

function volumeName(random: (count: number) => Uint8Array): string {
  return `kube-api-access-${[...random(5)].map((byte) => alphabet[byte % alphabet.length]).join('')}`;
}

/** Mounts the token where a container has nothing mounted there yet. */
function withToken(pod: KubeObject, name: string): KubeObject {
  const spec = fieldsOf(pod['spec']);
  const isMounted = (container: unknown): boolean =>
    listOf(at(container, 'volumeMounts')).some((mount) => at(mount, 'mountPath') === mountPath);
  const mounted = (containers: unknown): unknown[] =>
    listOf(containers).map((container) =>
      isMounted(container)
        ? container
        : {
            ...fieldsOf(container),
            volumeMounts: [...listOf(at(container, 'volumeMounts')), { name, readOnly: true, mountPath }],
          },
    );
  if ([...listOf(spec['containers']), ...listOf(spec['initContainers'])].every(isMounted)) return pod;
  return {
    ...pod,
    spec: {
      ...spec,
      containers: mounted(spec['containers']),
      ...(listOf(spec['initContainers']).length > 0 ? { initContainers: mounted(spec['initContainers']) } : {}),
      volumes: [...listOf(spec['volumes']), tokenVolume(name)],
    },
  };
}

function tokenVolume(name: string): unknown {
  const namespace = { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' }, path: 'namespace' };
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [namespace] } },
      ],
    },
  };
}
