/** The checks of one kind. Pure. */
import type { KubeObject } from '../../../api/meta.ts';
import type { FieldCause } from '../../../api/status.ts';
import type { RuleValidator } from '../custom/rules.ts';

/** What of this cluster the checks have to know. */
export interface CheckContext {
  /**
   * Blocks inside 127.0.0.0/8 that are pods' own addresses here, so that endpoints may name them. Everywhere else upstream's
   * rule holds: an endpoint on loopback would lead clients of a service to whatever their node keeps for itself.
   */
  readonly loopbackPods: readonly string[];
  /** Judges the CEL rules of custom kinds; undefined: kinds with rules are refused. */
  readonly rules?: RuleValidator | undefined;
}

export interface KindChecks {
  /** What is wrong with the object as it is, new or changed. */
  readonly object?: (object: KubeObject, context: CheckContext) => readonly FieldCause[];
  /** What may not change as it did. */
  readonly update?: (next: KubeObject, old: KubeObject) => readonly FieldCause[];
}
