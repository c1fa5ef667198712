/** Wrong fields, in upstream's words and reasons. Source: apimachinery, validation/field. */
import type { FieldCause } from '../../../api/status.ts';

/** How messages show a value: text quoted, lists and objects as JSON. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  return JSON.stringify(value);
}

const tail = (detail: string): string => (detail === '' ? '' : `: ${detail}`);

/** The field has to be there. */
export function required(field: string, detail = ''): FieldCause {
  return { reason: 'FieldValueRequired', field, message: `Required value${tail(detail)}` };
}

/** The field's value cannot be. */
export function invalidValue(field: string, value: unknown, detail: string): FieldCause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${shown(value)}${tail(detail)}` };
}

/** The field's value is none of the known ones. */
export function notSupported(field: string, value: unknown, known: readonly string[]): FieldCause {
  const values = known.toSorted().map((one) => JSON.stringify(one));
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${shown(value)}: supported values: ${values.join(', ')}`,
  };
}

/** The value has to be unique and is not. */
export function duplicate(field: string, value: unknown): FieldCause {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${shown(value)}` };
}

/** The field may not be there, or not change. */
export function forbiddenField(field: string, detail: string): FieldCause {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${detail}` };
}

/** The value has more than `limit` of `unit`. */
export function tooLong(field: string, limit: number, unit = 'bytes'): FieldCause {
  return { reason: 'FieldValueTooLong', field, message: `Too long: may not be more than ${limit} ${unit}` };
}

/** The field names something that is not there. */
export function notFoundValue(field: string, value: unknown): FieldCause {
  return { reason: 'FieldValueNotFound', field, message: `Not found: ${shown(value)}` };
}
