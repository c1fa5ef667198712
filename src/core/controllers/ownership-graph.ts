/**
 * Who owns whom, over all resources: the garbage collector's memory. Objects that are referred to but were never seen
 * are in it too, as `virtual`: whether they exist has to be asked of the server before anything is done about it.
 */
import type { ObjectMeta, OwnerReference } from '../../api/types/meta.ts';
import type { ResourceRef } from '../cluster/resource-ref.ts';

export interface GraphNode {
  readonly uid: string;
  readonly resource: ResourceRef;
  readonly metadata: ObjectMeta;
}

export interface OwnershipGraph {
  set(node: GraphNode): void;
  remove(uid: string): void;
  get(uid: string): GraphNode | undefined;
  /** Objects that name `uid` among their owners. */
  dependentsOf(uid: string): readonly GraphNode[];
}

export function createOwnershipGraph(): OwnershipGraph {
  const nodes = new Map<string, GraphNode>();
  const dependents = new Map<string, Set<string>>();
  const ownersOf = (node: GraphNode | undefined): readonly OwnerReference[] => node?.metadata.ownerReferences ?? [];
  const unlink = (uid: string): void => {
    for (const owner of ownersOf(nodes.get(uid))) {
      const set = dependents.get(owner.uid);
      set?.delete(uid);
      if (set?.size === 0) dependents.delete(owner.uid);
    }
  };
  return {
    set: (node) => {
      unlink(node.uid);
      nodes.set(node.uid, node);
      for (const owner of ownersOf(node)) {
        const set = dependents.get(owner.uid);
        if (set === undefined) dependents.set(owner.uid, new Set([node.uid]));
        else set.add(node.uid);
      }
    },
    remove: (uid) => {
      unlink(uid);
      nodes.delete(uid);
    },
    get: (uid) => nodes.get(uid),
    dependentsOf: (uid) => [...(dependents.get(uid) ?? [])].flatMap((each) => nodes.get(each) ?? []),
  };
}
