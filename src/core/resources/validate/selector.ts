/** Label selectors as objects. Source: meta/v1 LabelSelector; wording of apimachinery's validation. */
import { isLabelKey } from '../../../api/selector.ts';
import type { FieldCause } from '../../../api/status.ts';
import { at, fieldsOf, listOf, textOf } from '../../../std/value.ts';
import { forbiddenField, invalidValue, required } from './causes.ts';
import { labelCauses } from './metadata.ts';
import { labelValue, qualifiedName } from './names.ts';

/** What is wrong with `selector` at `field`. */
export function selectorCauses(selector: unknown, field: string): readonly FieldCause[] {
  const labels = fieldsOf(at(selector, 'matchLabels')) as Readonly<Record<string, string>>; // decoded as a map of text
  return [
    ...labelCauses(labels, `${field}.matchLabels`),
    ...listOf(at(selector, 'matchExpressions')).flatMap((expression, index) =>
      expressionCauses(expression, `${field}.matchExpressions[${index}]`),
    ),
  ];
}

function expressionCauses(expression: unknown, field: string): readonly FieldCause[] {
  const [key, operator] = [textOf(at(expression, 'key')), textOf(at(expression, 'operator'))];
  const values = listOf(at(expression, 'values'));
  const causes: FieldCause[] = [];
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0)
      causes.push(required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0)
      causes.push(
        forbiddenField(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
      );
  } else causes.push(invalidValue(`${field}.operator`, operator, 'not a valid selector operator'));
  const why = isLabelKey(key) ? undefined : qualifiedName(key);
  if (why !== undefined) causes.push(invalidValue(`${field}.key`, key, why));
  for (const [index, value] of values.entries()) {
    const valueWhy = labelValue(textOf(value));
    if (valueWhy !== undefined) causes.push(invalidValue(`${field}.values[${index}]`, value, valueWhy));
  }
  return causes;
}

/** Whether a selector names nothing: it would select everything. */
export function isEmptySelector(selector: unknown): boolean {
  return (
    Object.keys(fieldsOf(at(selector, 'matchLabels'))).length === 0 &&
    listOf(at(selector, 'matchExpressions')).length === 0
  );
}
