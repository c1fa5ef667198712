/** Which resources the gateway serves, asked of the gateway: garbage collection and namespace deletion work on all of them. */
import { StatusError } from '../../api/status.ts';
import type { ClusterClient } from './client.ts';
import { resourceRef } from './resource-ref.ts';
import type { ResourceRef } from './resource-ref.ts';

interface APIResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

/** Every resource that has all of `verbs`, each in its group's preferred version. */
export async function discoverResources(
  client: ClusterClient,
  verbs: readonly string[],
  signal: AbortSignal,
): Promise<readonly ResourceRef[]> {
  const groups = (await client.read('/apis', signal)) as {
    readonly groups: readonly { readonly name: string; readonly preferredVersion: { readonly version: string } }[];
  };
  const versions = [
    { group: '', version: 'v1' },
    ...groups.groups.map(({ name, preferredVersion }) => ({ group: name, version: preferredVersion.version })),
  ];
  const lists = await Promise.all(
    versions.map(async ({ group, version }) => {
      const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
      const resources = await resourcesAt(client, path, signal);
      return resources
        .filter((each) => !each.name.includes('/') && verbs.every((verb) => each.verbs.includes(verb)))
        .map((each) => resourceRef(group, version, each.name, each.kind, each.namespaced ? 'namespaced' : 'cluster'));
    }),
  );
  return lists.flat();
}

/** What is served at `path`; nothing when it has gone since the groups were listed. */
async function resourcesAt(client: ClusterClient, path: string, signal: AbortSignal): Promise<readonly APIResource[]> {
  try {
    const list = (await client.read(path, signal)) as { readonly resources: readonly APIResource[] };
    return list.resources;
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'NotFound') return [];
    throw error;
  }
}
