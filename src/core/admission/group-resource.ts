/** The two parts of a stored resource's name, for messages. */
import type { GroupResource } from '../../api/meta.ts';

/** `deployments.apps` to its parts; `pods` is of the core group. */
export function groupResourceOf(resource: string): GroupResource {
  const dot = resource.indexOf('.');
  return dot < 0 ? { group: '', resource } : { group: resource.slice(dot + 1), resource: resource.slice(0, dot) };
}
