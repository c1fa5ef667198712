import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  subtractQuantities,
  type Quantity,
} from '../../std/quantity.ts';
import type { Functions } from '../environment.ts';
import { intOf } from '../literals.ts';
import { bool, double, int, string } from '../types.ts';
import { Double, Failure, type Value } from '../values.ts';
import { global, library, member } from './define.ts';
import { opaqueKind } from './opaque.ts';

/** Amounts like `500m` and `1.5Gi`. Source: Kubernetes, apiserver, cel/library/quantity. */
const nano = 1_000_000_000n;
const kind = opaqueKind<Quantity>('kubernetes.Quantity', (a, b) => compareQuantities(a, b) === 0);
export const quantityTypes = new Map([['kubernetes.Quantity', kind.type]]);

const two = [kind.type, kind.type];
const withInt = [kind.type, int];
const ofInt = (value: Value | undefined): Quantity => ({
  nanos: BigInt(value as number | bigint) * nano,
  format: 'DecimalSI',
});
const compare = (a: Value | undefined, b: Value | undefined): number => compareQuantities(kind.held(a), kind.held(b));
const parsed = (text: Value | undefined): Quantity | undefined => parseQuantity(text as string);
/** The largest amount there is stands for all that is more. */
const capped = (2n ** 63n - 1n) * nano;
const whole = (value: Value | undefined): number | bigint | undefined => {
  const { nanos } = kind.held(value);
  return nanos % nano === 0n && nanos < capped && nanos > -capped ? intOf(nanos / nano) : undefined;
};

export const quantities: Functions = library({
  quantity: [
    global('string_to_quantity', [string], kind.type, ([text]) => {
      const quantity = parsed(text);
      return quantity === undefined
        ? new Failure("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
        : kind.of(quantity);
    }),
  ],
  isQuantity: [global('is_quantity_string', [string], bool, ([text]) => parsed(text) !== undefined)],
  sign: [
    member('quantity_sign', [kind.type], int, ([value]) => {
      const { nanos } = kind.held(value);
      return nanos > 0n ? 1 : nanos < 0n ? -1 : 0;
    }),
  ],
  isInteger: [member('quantity_is_integer', [kind.type], bool, ([value]) => whole(value) !== undefined)],
  asInteger: [
    member(
      'quantity_as_integer',
      [kind.type],
      int,
      ([value]) => whole(value) ?? new Failure('cannot convert value to integer'),
    ),
  ],
  asApproximateFloat: [
    member('quantity_get_float', [kind.type], double, ([value]) => new Double(Number(kind.held(value).nanos) / 1e9)),
  ],
  isGreaterThan: [member('quantity_is_greater_than', two, bool, ([a, b]) => compare(a, b) > 0)],
  isLessThan: [member('quantity_is_less_than', two, bool, ([a, b]) => compare(a, b) < 0)],
  compareTo: [member('quantity_compare_to', two, int, ([a, b]) => compare(a, b))],
  add: [
    member('quantity_add', two, kind.type, ([a, b]) => kind.of(addQuantities(kind.held(a), kind.held(b)))),
    member('quantity_add_int', withInt, kind.type, ([a, b]) => kind.of(addQuantities(kind.held(a), ofInt(b)))),
  ],
  sub: [
    member('quantity_sub', two, kind.type, ([a, b]) => kind.of(subtractQuantities(kind.held(a), kind.held(b)))),
    member('quantity_sub_int', withInt, kind.type, ([a, b]) => kind.of(subtractQuantities(kind.held(a), ofInt(b)))),
  ],
  string: [global('quantity_to_string', [kind.type], string, ([value]) => formatQuantity(kind.held(value)))],
});
