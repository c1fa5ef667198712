/** Who owns what after a write: the walk of tracking.ts, for an object at its address. */
import type { KubeObject } from '../../../api/meta.ts';
import { parseApiVersion } from '../../../api/meta.ts';
import type { ResourceType } from '../../../api/schema/kinds.ts';
import type { ManagedFieldsEntry } from '../../../api/types/meta.ts';
import type { Address } from '../address.ts';
import { storageName } from '../address.ts';
import { toServed } from '../faces.ts';
import type { Entries, Who } from './managers.ts';
import { ownable } from './reset.ts';
import { blankOf, trackedCreate, trackedUpdate } from './tracking.ts';

/** The writer as entries name it. Clients that do not say who they are are all one. */
export function writerOf({ type, subresource }: Address, operation: Who['operation'], manager: string): Who {
  return {
    manager: manager === '' ? 'unknown' : manager,
    operation,
    apiVersion: type.apiVersion,
    subresource: subresource?.name ?? '',
  };
}

/** The type of the same objects that says `apiVersion`, or undefined when that is not served. */
export function faceOf({ type, kinds }: Address, apiVersion: string): ResourceType | undefined {
  if (apiVersion === type.apiVersion) return type;
  const { group, version } = parseApiVersion(apiVersion);
  const other = kinds.find(group, version, type.resource);
  return other !== undefined && storageName(other) === storageName(type) ? other : undefined;
}

/** The owners of `object`, as it is served, which `manager` is about to create at `now`. */
export function ownersAtBirth(address: Address, object: KubeObject, manager: string, now: string): Entries {
  const { type } = address;
  const who = writerOf(address, 'Update', manager);
  const face = { schema: type.schema, before: blankOf(type.schema), after: object };
  const { managedFields } = object.metadata;
  return trackedCreate(
    {
      face: (version) => (version === type.apiVersion ? face : undefined),
      who,
      now,
      ownable: ownable(type, undefined),
    },
    managedFields,
  );
}

/** The owners after `manager` changed `old` to `next`, both as they are stored. `sent` are those that came with the wish. */
export function ownersAfter(
  address: Address,
  change: {
    readonly old: KubeObject;
    readonly next: KubeObject;
    readonly sent: readonly ManagedFieldsEntry[] | undefined;
  },
  manager: string,
  now: string,
): Entries {
  const { old, next, sent } = change;
  return trackedUpdate(
    {
      face: (apiVersion) => {
        const face = faceOf(address, apiVersion);
        if (face === undefined) return undefined;
        const shown = (object: KubeObject): KubeObject =>
          object.apiVersion === apiVersion ? object : toServed(face, object);
        return { schema: face.schema, before: shown(old), after: shown(next) };
      },
      who: writerOf(address, 'Update', manager),
      now,
      ownable: (set) => set, // what cannot be changed here is not among the changes
    },
    old.metadata.managedFields,
    sent,
  );
}
