/**
 * Who owns the files of a pod's volumes. Upstream they are root's, which is who most containers without runAsUser are
 * there; here such a container is an ordinary user (`defaultUser`), and root of a pod passes no permission bits. So that a file of mode
 * 0400 is read here by whom it is read there, it belongs to the container that would be root.
 */
import type { Container, Pod } from '../../api/types/core.ts';
import { defaultUser } from './runtimes/runtime.ts';
import type { Sandbox } from './runtimes/runtime.ts';

/** Ids of the host. `groupReads`: the group is the pod's fsGroup, which may read every file. Source: upstream. */
export interface VolumeOwner {
  /** Where the pod's range of ids begins. */
  readonly offset: number;
  readonly uid: number;
  readonly gid: number;
  readonly groupReads: boolean;
}

/** The owner of the files in the volumes of `pod`; undefined where ids are not its own and files are the agent's. */
export function volumeOwner(pod: Pod, { idOffset }: Sandbox): VolumeOwner | undefined {
  if (idOffset === 0) return undefined;
  const group = pod.spec.securityContext?.fsGroup;
  const user = readerOf(pod);
  return {
    offset: idOffset,
    uid: hostId(idOffset, user),
    gid: hostId(idOffset, group ?? user),
    groupReads: group !== undefined,
  };
}

function readerOf({ spec }: Pod): number {
  const userOf = ({ securityContext }: Container): number | undefined =>
    securityContext?.runAsUser ?? spec.securityContext?.runAsUser;
  const users = [...spec.containers, ...(spec.initContainers ?? [])].map(userOf);
  if (users.includes(undefined)) return defaultUser;
  return users.includes(0) ? 0 : (users[0] ?? defaultUser);
}

/** See Sandbox.idOffset: larger ids than a range holds share its last place. */
function hostId(offset: number, id: number): number {
  return offset + Math.min(id, 65_535);
}
