/**
 * Who owns the replicas, as a Scale shows it and back. A Scale has one field that can be owned; on the object behind it the
 * same field is owned under another path and version.
 * Source: Kubernetes, "Server-Side Apply", "Transferring ownership"; apiserver's scale handler.
 */
import type { ResourceType } from '../../../api/schema/kinds.ts';
import type { ManagedFieldsEntry } from '../../../api/types/meta.ts';
import { difference, holds, setOf } from './field-set.ts';
import type { Entries, Entry } from './managers.ts';
import { isOf, sorted, storedEntries, withFields } from './managers.ts';
import { fieldElement } from './path-element.ts';

const replicas = ['f:spec', 'f:replicas'] as const;

/** Where an object keeps its replicas; a custom kind says where. */
function replicasOf({ custom }: ResourceType): readonly string[] {
  return custom?.scale === undefined ? replicas : custom.scale.specReplicas.map(fieldElement);
}

/** The version of Scale. */
export const scaleVersion = 'autoscaling/v1';

/** The owners of the replicas among those of the object of `type` behind a Scale, as the Scale's. */
export function scaleEntries(type: ResourceType, parent: readonly ManagedFieldsEntry[] | undefined): Entries {
  const path = replicasOf(type);
  const owners = storedEntries(parent).filter((entry) => holds(entry.fieldsV1, path));
  return sorted(owners.map((entry) => ({ ...entry, apiVersion: scaleVersion, fieldsV1: setOf(...replicas) })));
}

/** The entries of the object of `type` after those of its Scale became `scale`. */
export function parentEntries(
  type: ResourceType,
  parent: readonly ManagedFieldsEntry[] | undefined,
  scale: Entries,
): Entries {
  const { apiVersion } = type;
  const path = replicasOf(type);
  const before = storedEntries(parent);
  const left = before.flatMap((entry): readonly Entry[] => {
    if (!holds(entry.fieldsV1, path) || scale.some((owner) => isOfSame(owner, entry))) return [entry];
    return [withFields(entry, difference(entry.fieldsV1, setOf(...path))) ?? []].flat();
  });
  const added = scale
    .filter((owner) => !before.some((entry) => holds(entry.fieldsV1, path) && isOfSame(owner, entry)))
    .map((owner) => ({ ...owner, apiVersion, fieldsV1: setOf(...path) }));
  return sorted([...left, ...added]);
}

/** Versions differ between the two by nature. */
function isOfSame(owner: Entry, entry: Entry): boolean {
  const { manager, operation, apiVersion, subresource = '' } = entry;
  return isOf({ ...owner, apiVersion }, { manager, operation, apiVersion, subresource });
}
