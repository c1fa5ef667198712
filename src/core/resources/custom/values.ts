/**
 * Whether a value is what its schema says, in upstream's words and order. What an update leaves as it was is not judged
 * again ("ratcheting"): a schema may become stricter while objects exist that it would refuse.
 * Source: apiextensions validation of custom resources, and the wording of its OpenAPI validator.
 */
import type { FieldCause } from '../../../api/status.ts';
import type { Structural } from '../../../api/schema/custom/structural.ts';
import { equal, isFields } from '../../../std/value.ts';
import type { Fields } from '../../../std/value.ts';
import { invalidValue, required, tooLong } from '../validate/causes.ts';
import { hasFormat } from './formats.ts';
import { goNumber } from './go-number.ts';
import { matchSteps, matchesPattern } from './pattern.ts';

/** Schemas looked at for one object, each as often as it is. Chosen: some seconds at worst, and then the object is refused. */
const maxVisits = 5_000_000;
/** Steps of matching that count as one look at a schema: all strings of an object share one budget. */
const stepsPerVisit = 100;
/** Causes that one answer names. Chosen: more than anybody reads. */
const maxCauses = 200;

/** What is wrong with `value`. `old` is what it was before, where there was something. */
export function valueCauses(schema: Structural, value: Fields, old: Fields | undefined): readonly FieldCause[] {
  const walk: Walk = { causes: [], matches: 0, visits: { left: maxVisits } };
  visit(schema, value, { path: '', old: old === undefined ? undefined : { value: old } }, walk);
  if (walk.visits.left < 0) {
    return [invalidValue('<nil>', '', 'the object is too large to be checked against the schema of its kind')];
  }
  return walk.causes.slice(0, maxCauses);
}

interface At {
  readonly path: string;
  /** What was here before; undefined when nothing was, or when that cannot be told. */
  readonly old: { readonly value: unknown } | undefined;
}

interface Walk {
  readonly causes: FieldCause[];
  /** How much of the value fitted: of several alternatives that all fail, the closest is told. */
  matches: number;
  readonly visits: { left: number };
}

function visit(schema: Structural, value: unknown, at: At, walk: Walk): void {
  if (--walk.visits.left < 0) return;
  if (at.old !== undefined && equal(value, at.old.value)) return;
  const found = typeName(value);
  const before = walk.causes.length;
  if (!fitsType(schema, value, found)) {
    const wanted = schema.intOrString ? 'integer,string' : schema.type;
    walk.causes.push(
      typeInvalid(at.path, found, `${at.path} in body must be of type ${wanted}: ${JSON.stringify(found)}`),
    );
  } else if (value !== null) {
    visitJunctors(schema, value, at, walk);
    if (typeof value === 'string') visitString(schema, value, at, walk);
    else if (typeof value === 'number') visitNumber(schema, value, at, walk);
    else if (Array.isArray(value)) visitList(schema, value, at, walk);
    else if (isFields(value)) visitFields(schema, value, at, walk);
  }
  visitEnum(schema, value, at, walk);
  if (walk.causes.length === before) walk.matches++;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function fitsType(schema: Structural, value: unknown, found: string): boolean {
  if (value === null) return schema.nullable || (schema.type === '' && !schema.intOrString);
  if (schema.intOrString) return found === 'integer' || found === 'string';
  return schema.type === '' || schema.type === found || (schema.type === 'number' && found === 'integer');
}

/** Each alternative is tried apart; its causes count only where the rule says so. */
function tried(schema: Structural, value: unknown, at: At, walk: Walk): Walk {
  const trial: Walk = { causes: [], matches: 0, visits: walk.visits };
  visit(schema, value, { path: at.path, old: undefined }, trial);
  return trial;
}

function visitJunctors(schema: Structural, value: unknown, at: At, walk: Walk): void {
  const say = (text: string): void =>
    void walk.causes.push(invalidValue('<nil>', '', `${JSON.stringify(at.path)} ${text}`));
  if (schema.anyOf.length > 0) {
    const trials = schema.anyOf.map((one) => tried(one, value, at, walk));
    if (!trials.some(({ causes }) => causes.length === 0)) {
      say('must validate at least one schema (anyOf)');
      walk.causes.push(...closest(trials));
    }
  }
  if (schema.oneOf.length > 0) {
    const trials = schema.oneOf.map((one) => tried(one, value, at, walk));
    const fitting = trials.filter(({ causes }) => causes.length === 0).length;
    if (fitting === 0) {
      say('must validate one and only one schema (oneOf). Found none valid');
      walk.causes.push(...closest(trials));
    } else if (fitting > 1) {
      say(`must validate one and only one schema (oneOf). Found ${fitting} valid alternatives`);
    }
  }
  if (schema.allOf.length > 0) {
    const trials = schema.allOf.map((one) => tried(one, value, at, walk));
    const failing = trials.filter(({ causes }) => causes.length > 0);
    for (const { causes } of failing) walk.causes.push(...causes);
    if (failing.length > 0) {
      say(`must validate all the schemas (allOf)${failing.length === trials.length ? '. None validated' : ''}`);
    }
  }
  if (schema.not !== undefined && tried(schema.not, value, at, walk).causes.length === 0) {
    say('must not validate the schema (not)');
  }
}

function closest(trials: readonly Walk[]): readonly FieldCause[] {
  return trials.reduce((best, one) => (one.matches > best.matches ? one : best)).causes;
}

function visitString(schema: Structural, value: string, { path }: At, walk: Walk): void {
  const { maxLength, minLength, pattern, format } = schema;
  if (maxLength !== undefined && value.length > maxLength && characters(value) > maxLength) {
    walk.causes.push(tooLong(path, maxLength, maxLength === 1 ? 'byte' : 'bytes'));
  }
  const say = (text: string): void => void walk.causes.push(invalidValue(path, value, `${path} in body ${text}`));
  if (minLength !== undefined && characters(value) < minLength) say(`should be at least ${minLength} chars long`);
  if (pattern !== '') {
    walk.visits.left -= matchSteps(pattern, value) / stepsPerVisit;
    if (walk.visits.left < 0) return;
    if (!matchesPattern(pattern, value)) say(`should match '${pattern}'`);
  }
  if (format !== '' && !hasFormat(format, value)) {
    walk.causes.push(typeInvalid(path, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`));
  }
}

/** Code points, as upstream counts length. */
function characters(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at++) {
    if ((text.codePointAt(at) ?? 0) > 0xffff) {
      count--;
      at++;
    }
  }
  return count;
}

function visitNumber(schema: Structural, value: number, { path }: At, walk: Walk): void {
  const say = (text: string): void =>
    void walk.causes.push(invalidValue(path, value, `${path} in body should be ${text}`));
  const { multipleOf, maximum, minimum, exclusiveMaximum, exclusiveMinimum } = schema;
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) say(`a multiple of ${goNumber(multipleOf)}`);
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
    say(`less than ${exclusiveMaximum ? '' : 'or equal to '}${goNumber(maximum)}`);
  }
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
    say(`greater than ${exclusiveMinimum ? '' : 'or equal to '}${goNumber(minimum)}`);
  }
  if (schema.format === 'int32' && Number.isInteger(value) && value !== Math.trunc(value) >> 0) {
    walk.causes.push(invalidValue(path, value, `Checked value must be of type integer with format int32 in ${path}`));
  }
}

/** 0.3 is a multiple of 0.1, though not as binary fractions. */
function isMultiple(value: number, of: number): boolean {
  if (of <= 0) return false;
  const quotient = value / of;
  return Math.abs(quotient - Math.round(quotient)) <= Number.EPSILON * Math.max(1, Math.abs(quotient));
}

function visitList(schema: Structural, list: readonly unknown[], at: At, walk: Walk): void {
  const { maxItems, minItems, items } = schema;
  const { path } = at;
  if (minItems !== undefined && list.length < minItems) {
    walk.causes.push(invalidValue(path, list.length, `${path} in body should have at least ${minItems} items`));
  }
  if (maxItems !== undefined && list.length > maxItems) walk.causes.push(tooMany(path, list.length, maxItems));
  if (items === undefined) return;
  const before = schema.listType === 'map' ? oldItems(schema, at.old?.value) : undefined;
  for (const [index, item] of list.entries()) {
    const key = before === undefined ? undefined : keyOf(schema, item);
    const old = key !== undefined && before?.has(key) === true ? { value: before.get(key) } : undefined;
    visit(items, item, { path: `${path}[${index}]`, old }, walk);
  }
}

/** The items that were in a list of type map, by their keys; those of any other list have no identity. */
function oldItems(schema: Structural, old: unknown): ReadonlyMap<string, unknown> | undefined {
  if (!Array.isArray(old)) return undefined;
  return new Map(old.map((item: unknown) => [keyOf(schema, item), item]));
}

/** The values of an item's keys as one text; a key that is left out has its default. */
export function keyOf(schema: Structural, item: unknown): string {
  const fields = isFields(item) ? item : {};
  const keys = schema.mapKeys.map((name) =>
    Object.hasOwn(fields, name) ? fields[name] : (schema.items?.properties.get(name)?.default ?? null),
  );
  return JSON.stringify(keys);
}

function visitFields(schema: Structural, fields: Fields, at: At, walk: Walk): void {
  const { maxProperties, minProperties } = schema;
  const { path } = at;
  const count = Object.keys(fields).length;
  if (minProperties !== undefined && count < minProperties) {
    walk.causes.push(invalidValue(path, count, `${path} in body should have at least ${minProperties} properties`));
  }
  if (maxProperties !== undefined && count > maxProperties) walk.causes.push(tooMany(path, count, maxProperties));
  const before = isFields(at.old?.value) ? at.old.value : undefined;
  for (const [name, value] of Object.entries(fields)) {
    const inner = schema.properties.get(name) ?? schema.additional;
    if (typeof inner !== 'object') continue;
    const old = before !== undefined && Object.hasOwn(before, name) ? { value: before[name] } : undefined;
    visit(inner, value, { path: path === '' ? name : `${path}.${name}`, old }, walk);
  }
  for (const name of schema.required) {
    if (!Object.hasOwn(fields, name)) walk.causes.push(required(path === '' ? name : `${path}.${name}`));
  }
}

function visitEnum(schema: Structural, value: unknown, { path }: At, walk: Walk): void {
  if (schema.enum === undefined) return;
  walk.visits.left -= schema.enum.length;
  if (schema.enum.some((one) => equal(one, value))) return;
  const values = schema.enum.map((one) => JSON.stringify(typeof one === 'string' ? one : JSON.stringify(one)));
  walk.causes.push({
    reason: 'FieldValueNotSupported',
    field: path,
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${values.join(', ')}`,
  });
}

function typeInvalid(field: string, value: unknown, detail: string): FieldCause {
  return { reason: 'FieldValueTypeInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${detail}` };
}

/** The value has more than `limit` parts. */
function tooMany(field: string, count: number, limit: number): FieldCause {
  const items = limit === 1 ? 'item' : 'items';
  return { reason: 'FieldValueTooMany', field, message: `Too many: ${count}: must have at most ${limit} ${items}` };
}
