/** Which checks a kind has. A cause for every wrong field; none means the object may be kept. Pure. */
import type { KubeObject } from '../../../api/meta.ts';
import type { ResourceType } from '../../../api/schema/kinds.ts';
import type { FieldCause } from '../../../api/status.ts';
import { storageName } from '../address.ts';
import { metadataCauses, metadataUpdateCauses } from './metadata.ts';

/** The checks of one kind. `update` sees what may not change; `create` runs for updates of the main resource too. */
export interface KindChecks {
  readonly object?: (object: KubeObject) => readonly FieldCause[];
  readonly update?: (next: KubeObject, old: KubeObject) => readonly FieldCause[];
}

const checks: ReadonlyMap<string, KindChecks> = new Map<string, KindChecks>([]);

/** What is wrong with an object that is to be created. */
export function causesOfCreate(type: ResourceType, object: KubeObject): readonly FieldCause[] {
  const name = storageName(type);
  return [...metadataCauses(type, object), ...(checks.get(name)?.object?.(object) ?? [])];
}

/** What is wrong with changing `old` into `next` through `subresource`. What a status says is its writer's to know. */
export function causesOfUpdate(
  type: ResourceType,
  subresource: string,
  next: KubeObject,
  old: KubeObject,
): readonly FieldCause[] {
  const metadata = metadataUpdateCauses(next, old);
  if (subresource === 'status' || subresource === 'finalize' || subresource === 'approval') return metadata;
  const kind = checks.get(storageName(type));
  if (subresource !== '' && subresource !== 'scale') return [...metadata, ...(kind?.object?.(next) ?? [])];
  return [...metadata, ...(kind?.object?.(next) ?? []), ...(kind?.update?.(next, old) ?? [])];
}
