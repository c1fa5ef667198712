/** Objects with what their kind fills in where the client said nothing. */
import type { KubeObject } from '../../api/meta.ts';
import { withStructuralDefaults } from '../../api/schema/custom/default.ts';
import { applyDefaults } from '../../api/schema/defaults.ts';
import type { ResourceType } from '../../api/schema/kinds.ts';
import type { Address } from './address.ts';
import { toStorage } from './faces.ts';

/** `object`, of the version that `type` serves, with its defaults. */
export function withDefaults(type: ResourceType, object: KubeObject): KubeObject {
  const { custom } = type;
  // Defaulting adds fields, it takes none away.
  if (custom !== undefined) return withStructuralDefaults(custom.schema, object) as KubeObject;
  return applyDefaults(type, object) as KubeObject;
}

/** A whole object as it is stored, with its defaults; what stands for a part of one (a Scale) as it is. */
export function asStored({ type, subresource }: Address, object: KubeObject): KubeObject {
  if (subresource !== undefined && subresource.kind !== type.kind) return object;
  return toStorage(type, withDefaults(type, object));
}
