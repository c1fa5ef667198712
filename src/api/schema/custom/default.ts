/**
 * Defaults of a structural schema. A default is itself completed by the defaults inside its part of the schema, once.
 * A null where null is not allowed counts as absent: it gets the default, or is dropped.
 * Source: Kubernetes documentation of CustomResourceDefinitions, "Defaulting" and "Defaulting and Nullable".
 *
 * Defaults multiply: a list of ten items whose items default to a list of ten, ten levels deep, is a line of schema per
 * level and 10^10 values. Completed defaults are shared, and what they would weigh is counted before anything is printed.
 */
import { StatusError } from '../../status.ts';
import { isFields } from '../../../std/value.ts';
import type { Fields } from '../../../std/value.ts';
import type { Structural } from './structural.ts';

/** Values that defaults may add to one object. Chosen: far more than anybody writes, far less than hurts. */
const maxAdded = 100_000;

/** `object` with the defaults of `schema`; the same value when there are none to fill in. Throws RequestEntityTooLarge where they add too much. */
export function withStructuralDefaults(schema: Structural, object: Fields): Fields {
  const budget = { left: maxAdded };
  return complete(schema, object, budget) as Fields; // an object stays one
}

/** How many values the default of `schema` comes to when it is complete; Infinity is possible. */
export function weightOfDefault(schema: Structural): number {
  return schema.default === undefined ? 0 : completed(schema).weight;
}

interface Completed {
  readonly value: unknown;
  readonly weight: number;
}

const known = new WeakMap<Structural, Completed>();

function completed(schema: Structural): Completed {
  const before = known.get(schema);
  if (before !== undefined) return before;
  const counter = { left: Number.MAX_SAFE_INTEGER };
  const value = complete(schema, schema.default, counter);
  const made = { value, weight: sizeOf(schema.default) + Number.MAX_SAFE_INTEGER - counter.left };
  known.set(schema, made);
  return made;
}

function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, inner) => sum + sizeOf(inner), 1);
}

interface Budget {
  left: number;
}

function complete(schema: Structural, value: unknown, budget: Budget): unknown {
  if (Array.isArray(value)) return completeList(schema, value, budget);
  return isFields(value) ? completeFields(schema, value, budget) : value;
}

function completeList(schema: Structural, list: readonly unknown[], budget: Budget): readonly unknown[] {
  const { items } = schema;
  if (items === undefined) return list;
  const filled = list.map((item) =>
    isMissing(items, item) && items.default !== undefined ? take(items, budget) : complete(items, item, budget),
  );
  return filled.every((item, index) => item === list[index]) ? list : filled;
}

function completeFields(schema: Structural, fields: Fields, budget: Budget): Fields {
  const filled: (readonly [string, unknown])[] = [];
  let isSame = true;
  for (const [name, value] of Object.entries(fields)) {
    const inner = schema.properties.get(name) ?? schema.additional;
    if (typeof inner !== 'object') {
      filled.push([name, value]);
      continue;
    }
    const missing = isMissing(inner, value);
    if (missing && inner.default === undefined) {
      isSame = false;
      continue;
    }
    const kept = missing ? take(inner, budget) : complete(inner, value, budget);
    isSame &&= kept === value;
    filled.push([name, kept]);
  }
  for (const [name, inner] of schema.properties) {
    if (inner.default === undefined || Object.hasOwn(fields, name)) continue;
    filled.push([name, take(inner, budget)]);
    isSame = false;
  }
  return isSame ? fields : Object.fromEntries(filled);
}

/** Null where null is not allowed. */
function isMissing(schema: Structural, value: unknown): boolean {
  return value === null && !schema.nullable;
}

function take(schema: Structural, budget: Budget): unknown {
  const { value, weight } = completed(schema);
  budget.left -= weight;
  if (budget.left < 0) {
    throw new StatusError('RequestEntityTooLarge', `the defaults of this kind would add more than ${maxAdded} values`);
  }
  return value;
}
