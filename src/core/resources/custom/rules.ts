/**
 * Where the rules of a schema in CEL (x-kubernetes-validations) are judged: by whom it is handed in. Without one, a
 * definition that declares rules is refused: a rule that nobody enforces must not look enforced.
 */
import type { Structural } from '../../../api/schema/custom/structural.ts';
import type { FieldCause } from '../../../api/status.ts';

export interface RuleValidator {
  /** What is wrong with the rules that `schema` and all in it declare, as expressions; `field` is the path of the schema. */
  faults(schema: Structural, field: string): readonly FieldCause[];
  /**
   * What is wrong with `value` by the rules of `schema` and all in it. `old` is the object before an update, undefined on
   * creation. Called for values that are otherwise valid; bounded in cost.
   */
  causes(schema: Structural, value: unknown, old: unknown): readonly FieldCause[];
}
