/** The checks of one kind. Pure. */
import type { KubeObject } from '../../../api/meta.ts';
import type { FieldCause } from '../../../api/status.ts';

export interface KindChecks {
  /** What is wrong with the object as it is, new or changed. */
  readonly object?: (object: KubeObject) => readonly FieldCause[];
  /** What may not change as it did. */
  readonly update?: (next: KubeObject, old: KubeObject) => readonly FieldCause[];
}
