/**
 * Which of the objects that a selector matches belong to a controller: what it owns, what it may adopt, what it has to
 * let go because labels changed. The decision is pure; `claim` carries it out.
 */
import type { LabelSelector, ObjectMeta, OwnerReference } from '../../api/types/meta.ts';
import { matchesLabels, selectorOf } from '../../api/selector.ts';
import type { ClusterClient } from '../cluster/client.ts';
import { ignoring } from '../cluster/ignoring.ts';
import type { ClusterObject, ResourceRef } from '../cluster/resource-ref.ts';

export interface Claim<T> {
  readonly owned: readonly T[];
  readonly adopt: readonly T[];
  readonly release: readonly T[];
}

/** Sorts `candidates` (of the owner's namespace) by what the owner should do with them. */
export function planClaim<T extends ClusterObject>(
  owner: { readonly metadata: ObjectMeta },
  selector: LabelSelector | undefined,
  candidates: readonly T[],
): Claim<T> {
  const ownerGoing = owner.metadata.deletionTimestamp !== undefined;
  const owned: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  for (const object of candidates) {
    const controller = controllerOf(object);
    const matches = matchesLabels(selectorOf(selector), object.metadata.labels ?? {});
    const going = object.metadata.deletionTimestamp !== undefined;
    if (controller?.uid === owner.metadata.uid) {
      if (matches) owned.push(object);
      else if (!ownerGoing && !going) release.push(object);
    } else if (controller === undefined && matches && !ownerGoing && !going) adopt.push(object);
  }
  return { owned, adopt, release };
}

/**
 * Adopts and releases as planned; answers what is owned afterwards, and what was just written. Nothing is adopted for an
 * owner that the server no longer has or that is being deleted, whatever our copy says: the garbage collector would
 * take what was adopted.
 */
export async function claim<T extends ClusterObject, O extends ClusterObject>(
  client: ClusterClient,
  { of, ownerRef, owner, plan }: { of: ResourceRef<T>; ownerRef: ResourceRef<O>; owner: O; plan: Claim<T> },
  signal: AbortSignal,
): Promise<{ readonly owned: readonly T[]; readonly written: readonly T[] }> {
  const reference = controllerReference(owner);
  const adopted: T[] = [];
  const released: T[] = [];
  for (const object of plan.adopt.length > 0 && (await isLive(client, ownerRef, owner, signal)) ? plan.adopt : []) {
    const ownerReferences = [...(object.metadata.ownerReferences ?? []), reference];
    const taken = await patchOwners(client, of, object, ownerReferences, signal);
    if (taken !== undefined) adopted.push(taken);
  }
  for (const object of plan.release) {
    const rest = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid);
    const free = await patchOwners(client, of, object, rest, signal);
    if (free !== undefined) released.push(free);
  }
  return { owned: [...plan.owned, ...adopted], written: [...adopted, ...released] };
}

async function isLive<O extends ClusterObject>(
  client: ClusterClient,
  ref: ResourceRef<O>,
  { metadata }: O,
  signal: AbortSignal,
): Promise<boolean> {
  const live = await ignoring(['NotFound'], () => client.get(ref, metadata, signal));
  return live !== undefined && live.metadata.uid === metadata.uid && live.metadata.deletionTimestamp === undefined;
}

/** The reference by which `owner` controls an object that it makes. */
export function controllerReference(owner: ClusterObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The reference to the controller of `object`, if it has one. */
export function controllerOf(object: ClusterObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

async function patchOwners<T extends ClusterObject>(
  client: ClusterClient,
  of: ResourceRef<T>,
  object: T,
  ownerReferences: readonly OwnerReference[],
  signal: AbortSignal,
): Promise<T | undefined> {
  const { namespace, name, uid } = object.metadata;
  const body = { metadata: { uid, ownerReferences } }; // the uid makes sure that it is still the same object
  return ignoring(['NotFound'], () => client.patch(of, { namespace, name }, { kind: 'merge', body }, signal));
}
