/** What containers ask of a node. Source: core/v1 ResourceRequirements. */
import { compareQuantities, parseQuantity } from '../../../std/quantity.ts';
import type { FieldCause } from '../../../api/status.ts';
import type { Fields } from '../../../std/value.ts';
import { fieldsOf, textOf } from '../../../std/value.ts';
import { invalidValue } from './causes.ts';

/** What is wrong with requests and limits at `field`. */
export function resourceCauses(resources: Fields, field: string): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  const limits = fieldsOf(resources['limits']);
  for (const side of ['limits', 'requests']) {
    for (const [name, value] of Object.entries(fieldsOf(resources[side]))) {
      const amount = parseQuantity(textOf(value));
      if (amount !== undefined && amount.nanos < 0n)
        causes.push(invalidValue(`${field}.${side}[${name}]`, value, 'must be greater than or equal to 0'));
      const known =
        name.includes('/') ||
        ['cpu', 'memory', 'ephemeral-storage', 'storage'].includes(name) ||
        name.startsWith('hugepages-');
      if (!known)
        causes.push(invalidValue(`${field}.${side}[${name}]`, name, 'must be a standard resource for containers'));
    }
  }
  for (const [name, value] of Object.entries(fieldsOf(resources['requests']))) {
    const [request, limit] = [parseQuantity(textOf(value)), parseQuantity(textOf(limits[name]))];
    if (request !== undefined && limit !== undefined && compareQuantities(request, limit) > 0) {
      causes.push(
        invalidValue(
          `${field}.requests`,
          value,
          `must be less than or equal to ${name} limit of ${textOf(limits[name])}`,
        ),
      );
    }
  }
  return causes;
}
