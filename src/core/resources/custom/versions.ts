/**
 * Objects of a custom kind between the version they are stored in and the one a client asks for. With conversion None the
 * versions differ by name: the object is completed by the schema it was stored under, and pruned to the one asked for.
 * Source: Kubernetes documentation, "Versions in CustomResourceDefinitions".
 */
import { parseApiVersion } from '../../../api/meta.ts';
import type { KubeObject } from '../../../api/meta.ts';
import { withStructuralDefaults } from '../../../api/schema/custom/default.ts';
import type { CustomKind } from '../../../api/schema/custom/kind.ts';
import { prune } from '../../../api/schema/custom/prune.ts';
import type { Structural } from '../../../api/schema/custom/structural.ts';
import { StatusError } from '../../../api/status.ts';

const known = new WeakMap<CustomKind, WeakMap<KubeObject, KubeObject>>();

/** `object`, as stored, in the version of `custom`. The same value where nothing differs. */
export function toCustomServed(custom: CustomKind, object: KubeObject): KubeObject {
  const before = known.get(custom)?.get(object);
  if (before !== undefined) return before;
  const from = custom.definition.schemaOf(parseApiVersion(object.apiVersion).version) ?? custom.schema;
  const completed = completedBy(from, prune(from, object).object as KubeObject); // identity is never pruned
  const made = inVersion(custom, completed, custom.version);
  const kept = known.get(custom) ?? new WeakMap<KubeObject, KubeObject>();
  kept.set(object, made);
  known.set(custom, kept);
  return made;
}

/** Defaults that came after an object must not make it unreadable: one that they would swell too much is shown without them. */
function completedBy(schema: Structural, object: KubeObject): KubeObject {
  try {
    return withStructuralDefaults(schema, object) as KubeObject; // defaulting adds fields, it takes none away
  } catch (error) {
    if (error instanceof StatusError) return object;
    throw error;
  }
}

/** `object`, in the version of `custom`, as it is stored. The same value where nothing differs. */
export function toCustomStored(custom: CustomKind, object: KubeObject): KubeObject {
  return inVersion(custom, object, custom.definition.storageVersion);
}

function inVersion({ definition }: CustomKind, object: KubeObject, version: string): KubeObject {
  const apiVersion = `${definition.group}/${version}`;
  if (object.apiVersion === apiVersion) return object;
  const schema = definition.schemaOf(version);
  const pruned = schema === undefined ? object : prune(schema, object).object;
  return { ...pruned, apiVersion } as KubeObject; // identity is never pruned
}
