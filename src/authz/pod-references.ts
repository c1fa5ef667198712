import type { KubeObject } from '../api/meta.ts';
import { record, records, text } from './policy-object.ts';

/** What a pod mentions, by resource: the names, all in the pod's own namespace. */
export type References = ReadonlyMap<ReferencedResource, ReadonlySet<string>>;

export type ReferencedResource = 'secrets' | 'configmaps' | 'persistentvolumeclaims' | 'serviceaccounts';

/**
 * The objects that the node of `pod` needs in order to run it: from image pull secrets, environment, volumes and its
 * service account. A mirror pod, which its own node writes, mentions nothing: a node must not grant itself secrets.
 * Source: core/v1 PodSpec; upstream's node authorizer.
 */
export function podReferences(pod: KubeObject): References {
  const found = {
    secrets: new Set<string>(),
    configmaps: new Set<string>(),
    persistentvolumeclaims: new Set<string>(),
    serviceaccounts: new Set<string>(),
  };
  if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] === undefined) {
    const spec = record(pod['spec']) ?? {};
    found.serviceaccounts.add(text(spec['serviceAccountName']));
    for (const secret of records(spec['imagePullSecrets'])) found.secrets.add(text(secret['name']));
    for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
      for (const container of records(spec[list])) addEnvironment(container, found);
    }
    for (const volume of records(spec['volumes'])) addVolume(volume, pod.metadata.name ?? '', found);
  }
  for (const names of Object.values(found)) names.delete('');
  return new Map(Object.entries(found) as [ReferencedResource, Set<string>][]);
}

type Found = Readonly<Record<ReferencedResource, Set<string>>>;
type Fields = Readonly<Record<string, unknown>>;

function addEnvironment(container: Fields, found: Found): void {
  for (const variable of records(container['env'])) {
    const from = record(variable['valueFrom']) ?? {};
    found.secrets.add(nameIn(from['secretKeyRef']));
    found.configmaps.add(nameIn(from['configMapKeyRef']));
  }
  for (const from of records(container['envFrom'])) {
    found.secrets.add(nameIn(from['secretRef']));
    found.configmaps.add(nameIn(from['configMapRef']));
  }
}

function addVolume(volume: Fields, podName: string, found: Found): void {
  found.secrets.add(text(record(volume['secret'])?.['secretName']));
  found.configmaps.add(nameIn(volume['configMap']));
  found.persistentvolumeclaims.add(text(record(volume['persistentVolumeClaim'])?.['claimName']));
  if (record(volume['ephemeral']) !== undefined) {
    found.persistentvolumeclaims.add(`${podName}-${text(volume['name'])}`);
  }
  for (const source of records(record(volume['projected'])?.['sources'])) {
    found.secrets.add(nameIn(source['secret']));
    found.configmaps.add(nameIn(source['configMap']));
  }
  found.secrets.add(nameIn(record(volume['csi'])?.['nodePublishSecretRef']));
  found.secrets.add(text(record(volume['azureFile'])?.['secretName']));
  for (const kind of ['cephfs', 'flexVolume', 'iscsi', 'rbd', 'scaleIO', 'storageos']) {
    found.secrets.add(nameIn(record(volume[kind])?.['secretRef']));
  }
}

function nameIn(reference: unknown): string {
  return text(record(reference)?.['name']);
}
