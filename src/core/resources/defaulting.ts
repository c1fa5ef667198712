/** Objects with what their kind fills in where the client said nothing. */
import type { KubeObject } from '../../api/meta.ts';
import { applyDefaults } from '../../api/schema/defaults.ts';
import type { ResourceType } from '../../api/schema/kinds.ts';

/** `object`, of the version that `type` serves, with its defaults. */
export function withDefaults(type: ResourceType, object: KubeObject): KubeObject {
  return applyDefaults(type, object) as KubeObject; // defaulting adds fields, it takes none away
}
