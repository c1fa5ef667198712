/** Limits that contradict one another. Source: kube-apiserver, core validation, ValidateLimitRange. */
import type { FieldCause } from '../../../api/status.ts';
import type { Quantity } from '../../../std/quantity.ts';
import { compareQuantities, formatQuantity, parseQuantity } from '../../../std/quantity.ts';
import type { Fields } from '../../../std/value.ts';
import { at, fieldsOf, listOf, textOf } from '../../../std/value.ts';
import { duplicate, forbiddenField, invalidValue, required } from './causes.ts';
import type { KindChecks } from './checks.ts';
import { qualifiedName } from './names.ts';

const standardTypes = ['Container', 'Pod', 'PersistentVolumeClaim'];
const one: Quantity = { nanos: 1_000_000_000n, format: 'DecimalSI' };

/** Pairs of which the first may not be greater: where each is, what messages call it, whose value the message shows. */
const rising = [
  { low: 'min', high: 'max', at: 'min', shown: 'min', highName: 'max value' },
  {
    low: 'min',
    high: 'defaultRequest',
    at: 'defaultRequest',
    shown: 'defaultRequest',
    highName: 'default request value',
  },
  { low: 'defaultRequest', high: 'max', at: 'defaultRequest', shown: 'defaultRequest', highName: 'max value' },
  {
    low: 'defaultRequest',
    high: 'default',
    at: 'defaultRequest',
    shown: 'defaultRequest',
    highName: 'default limit value',
  },
  { low: 'min', high: 'default', at: 'default', shown: 'min', highName: 'default value' },
  { low: 'default', high: 'max', at: 'default', shown: 'max', highName: 'max value' },
] as const;

const lowNames: Readonly<Record<string, string>> = {
  min: 'min value',
  default: 'default value',
  defaultRequest: 'default request value',
};

export const limitRangeChecks: KindChecks = {
  object: (object) => {
    const seen = new Set<string>();
    return listOf(at(object, 'spec', 'limits')).flatMap((item, index) => {
      const field = `spec.limits[${index}]`;
      const limit = fieldsOf(item);
      const type = textOf(limit['type']);
      const again = seen.has(type) ? [duplicate(`${field}.type`, type)] : [];
      seen.add(type);
      return [...typeCauses(type, `${field}.type`), ...again, ...limitCauses(limit, type, field)];
    });
  },
};

function typeCauses(type: string, field: string): readonly FieldCause[] {
  const why = qualifiedName(type);
  if (why !== undefined) return [invalidValue(field, type, why)];
  return type.includes('/') || standardTypes.includes(type)
    ? []
    : [invalidValue(field, type, 'must be a standard limit type or fully qualified')];
}

function limitCauses(limit: Fields, type: string, field: string): readonly FieldCause[] {
  const isPod = type === 'Pod';
  const misplaced = isPod
    ? ['default', 'defaultRequest']
        .filter((name) => Object.keys(fieldsOf(limit[name])).length > 0)
        .map((name) => forbiddenField(`${field}.${name}`, "may not be specified when `type` is 'Pod'"))
    : [];
  const isUnbounded = ['min', 'max'].every((name) => at(limit, name, 'storage') === undefined);
  const unbounded =
    type === 'PersistentVolumeClaim' && isUnbounded
      ? [required(`${field}.limits`, 'either minimum or maximum storage value is required, but neither was provided')]
      : [];
  const sides = isPod ? ['max', 'min'] : ['max', 'min', 'default', 'defaultRequest'];
  const names = new Set([...sides, 'maxLimitRequestRatio'].flatMap((side) => Object.keys(fieldsOf(limit[side]))));
  const causes = [...names].toSorted().flatMap((name) => {
    const amount = (side: string): Quantity | undefined =>
      sides.includes(side) ? parseQuantity(textOf(at(limit, side, name))) : undefined;
    const ratio = parseQuantity(textOf(at(limit, 'maxLimitRequestRatio', name)));
    return [
      ...risingCauses(amount, name, field),
      ...(ratio === undefined
        ? []
        : ratioCauses(ratio, amount('min'), amount('max'), `${field}.maxLimitRequestRatio[${name}]`)),
    ];
  });
  return [...misplaced, ...unbounded, ...causes];
}

function risingCauses(
  amount: (side: string) => Quantity | undefined,
  name: string,
  field: string,
): readonly FieldCause[] {
  return rising.flatMap(({ low, high, at: place, shown, highName }) => {
    const [less, more, value] = [amount(low), amount(high), amount(shown)];
    if (less === undefined || more === undefined || value === undefined || compareQuantities(less, more) <= 0)
      return [];
    const why = `${lowNames[low]} ${formatQuantity(less)} is greater than ${highName} ${formatQuantity(more)}`;
    return [invalidValue(`${field}.${place}[${name}]`, formatQuantity(value), why)];
  });
}

function ratioCauses(
  ratio: Quantity,
  min: Quantity | undefined,
  max: Quantity | undefined,
  field: string,
): readonly FieldCause[] {
  const text = formatQuantity(ratio);
  const least = compareQuantities(ratio, one) < 0 ? [invalidValue(field, text, `ratio ${text} is less than 1`)] : [];
  if (min === undefined || max === undefined || min.nanos === 0n) return least;
  if (ratio.nanos * min.nanos <= max.nanos * 1_000_000_000n) return least;
  const most = (Number(max.nanos) / Number(min.nanos)).toFixed(6);
  return [...least, invalidValue(field, text, `ratio ${text} is greater than max/min = ${most}`)];
}
