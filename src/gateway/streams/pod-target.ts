/** Which container of which node a stream is about. Pure; refusals in upstream's words. */
import type { Pod } from '../../api/types/core.ts';
import { badRequest } from '../../api/status.ts';
import type { ContainerRef, PodRef } from '../../core/node/streams/wire.ts';

export interface PodTarget extends PodRef {
  readonly node: string;
}

export interface ContainerTarget extends ContainerRef {
  readonly node: string;
}

/** The container that `asked` names, or the only one when it is ''. Throws BadRequest when that is not clear or has no node. */
export function containerTarget(pod: Pod, asked: string): ContainerTarget {
  const container = containerOf(pod, asked);
  return { ...podTarget(pod), container };
}

/** The pod and its node. Throws BadRequest when it has none. */
export function podTarget({ metadata, spec }: Pod): PodTarget {
  const { name, namespace = '', uid = '' } = metadata;
  const node = spec.nodeName ?? '';
  if (node === '') throw badRequest(`pod ${name} does not have a host assigned`);
  return { namespace, pod: name, uid, node };
}

function containerOf({ metadata, spec }: Pod, asked: string): string {
  const names = (of: readonly { readonly name: string }[] | undefined): readonly string[] =>
    (of ?? []).map(({ name }) => name);
  const main = names(spec.containers);
  const init = names(spec.initContainers);
  if (asked !== '') {
    if ([...main, ...init, ...names(spec.ephemeralContainers)].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${metadata.name}`);
  }
  const [only] = main;
  if (only !== undefined && main.length === 1) return only;
  const choice = `a container name must be specified for pod ${metadata.name}, choose one of: [${main.join(' ')}]`;
  throw badRequest(init.length === 0 ? choice : `${choice} or one of the init containers: [${init.join(' ')}]`);
}
