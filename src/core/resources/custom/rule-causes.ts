/**
 * What is wrong with a value by the rules in CEL of its schema. All rules of one object share one budget. A rule whose
 * value has not changed does not refuse an update: what was valid once may stay (ratcheting).
 * Source: apiextensions, apiserver/schema/cel.
 */
import type { Structural } from '../../../api/schema/custom/structural.ts';
import type { FieldCause } from '../../../api/status.ts';
import type { Budget, Compiled } from '../../../cel/compile.ts';
import type { Type } from '../../../cel/types.ts';
import { bind, Failure, Optional } from '../../../cel/values.ts';
import { equal, isFields, listOf, textOf } from '../../../std/value.ts';
import { duplicate, forbiddenField, invalidValue, required } from '../validate/causes.ts';
import { rulesOf, type Rule } from './rule-compile.ts';
import { ruleFieldPath } from './rule-path.ts';
import { declaredOf, type Declared } from './rule-types.ts';

/** What the rules of one object may cost together. Upstream's limit. */
const budgetPerObject = 10_000_000;
/** In bytes. */
const maxMessage = 5 * 1024;

/** The cost of the rules has used up what there is; the rest is not judged. */
class BudgetSpent extends Error {
  readonly found: FieldCause;

  constructor(found: FieldCause) {
    super(found.message);
    this.found = found;
  }
}

interface Here {
  readonly path: string;
  readonly value: unknown;
  /** The value before; undefined when there was none, or nobody can say which it was. */
  readonly old: unknown;
  /** Whether nothing in this value has changed, asked only when a rule fails. */
  readonly isUnchanged: () => boolean;
}

const declaredRoots = new WeakMap<Structural, Declared>();

/** The causes for `value`, an object of `schema`. `old` is the object before an update, undefined on creation. */
export function ruleCauses(schema: Structural, value: unknown, old: unknown): readonly FieldCause[] {
  const declared = declaredRoots.get(schema) ?? declaredOf(schema, true);
  if (declared === undefined) return [];
  declaredRoots.set(schema, declared);
  const causes: FieldCause[] = [];
  try {
    const here = { path: '', value, old, isUnchanged: () => old !== undefined && equal(value, old) };
    walk(schema, declared, here, { remaining: budgetPerObject }, causes);
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error;
    causes.push(error.found);
  }
  return causes;
}

function walk(
  schema: Structural,
  declared: Declared | undefined,
  here: Here,
  budget: Budget,
  causes: FieldCause[],
): void {
  const { value, old, path } = here;
  if (declared === undefined || value === null || value === undefined) return;
  for (const rule of rulesOf(schema, declared)) {
    const cause = judge(schema, rule, declared.type, here, budget);
    if (cause !== undefined) causes.push(cause);
  }
  for (const part of schema.allOf) walk(part, declared, here, budget, causes);
  if (Array.isArray(value)) {
    if (schema.items === undefined) return;
    const previous = correlate(schema, old);
    for (const [index, item] of value.entries()) {
      const before = previous(item);
      walk(schema.items, declared.element, below(here, `${path}[${index}]`, item, before), budget, causes);
    }
    return;
  }
  if (!isFields(value)) return;
  const olds = isFields(old) ? old : {};
  for (const [name, inner] of Object.entries(value)) {
    const property = schema.properties.get(name);
    const before = Object.hasOwn(olds, name) ? olds[name] : undefined;
    if (property !== undefined) {
      const at = path === '' ? name : `${path}.${name}`;
      walk(property, declared.fields?.get(name), below(here, at, inner, before), budget, causes);
    } else if (typeof schema.additional === 'object') {
      walk(schema.additional, declared.element, below(here, `${path}[${name}]`, inner, before), budget, causes);
    }
  }
}

function below(here: Here, path: string, value: unknown, old: unknown): Here {
  const isUnchanged = (): boolean => (old === undefined ? here.isUnchanged() : equal(value, old));
  return { path, value, old, isUnchanged };
}

/** Finds the old item that an item was: only lists that are maps can say so. */
function correlate(schema: Structural, old: unknown): (item: unknown) => unknown {
  if (schema.listType !== 'map') return () => undefined;
  const keyOf = (item: unknown): string =>
    JSON.stringify(
      schema.mapKeys.map((key) =>
        isFields(item) && Object.hasOwn(item, key) ? item[key] : (schema.items?.properties.get(key)?.default ?? null),
      ),
    );
  const olds = new Map(listOf(old).map((item) => [keyOf(item), item]));
  return (item) => olds.get(keyOf(item));
}

/** What schemas call the kind of values of a type. */
const kinds: ReadonlyMap<string, string> = new Map([
  ['list', 'array'],
  ['map', 'object'],
  ['object', 'object'],
  ['bool', 'boolean'],
  ['int', 'integer'],
  ['double', 'number'],
]);

function judge(schema: Structural, rule: Rule, type: Type, here: Here, budget: Budget): FieldCause | undefined {
  const shown = kinds.get(type.kind) ?? 'string';
  const field = here.path === '' ? '<nil>' : here.path;
  if (typeof rule.rule === 'string') return invalidValue(field, shown, `rule compile error: ${rule.rule}`);
  if (rule.isTransition && here.old === undefined && !rule.isOldOptional) return undefined;
  if (budget.remaining <= 0) throw new BudgetSpent(invalidValue(field, shown, spent));
  const bindings = { self: here.value, oldSelf: rule.isOldOptional ? optional(here.old, type) : here.old };
  const outcome = rule.rule.evaluate(bindings, budget);
  if (outcome.kind === 'value' && outcome.result === true) return undefined;
  const named = shownRule(rule);
  if (outcome.kind === 'exceeded') {
    const why =
      budget.remaining <= 0
        ? spent
        : `'${outcome.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${named}`;
    throw new BudgetSpent(invalidValue(field, shown, why));
  }
  if (outcome.kind === 'failure') {
    const why = outcome.message.startsWith('no such overload')
      ? `'${outcome.message}': call arguments did not match a supported operator, function or macro signature for rule: ${named}`
      : `${outcome.message} evaluating rule: ${named}`;
    return invalidValue(field, shown, why);
  }
  if (!rule.isTransition && here.isUnchanged()) return undefined;
  return failed(schema, rule, here.path, shown, messageOf(rule, bindings, budget) ?? defaultMessage(rule));
}

const spent = 'validation failed due to running out of cost budget, no further validation rules will be run';

function optional(old: unknown, type: Type): Optional | Failure {
  if (old === undefined || old === null) return new Optional(undefined);
  const value = bind(old, type);
  return value instanceof Failure ? value : new Optional(value);
}

function failed(schema: Structural, rule: Rule, path: string, shown: string, detail: string): FieldCause {
  const relative = textOf(rule.declared['fieldPath']);
  const found = relative === '' ? { field: '' } : ruleFieldPath(schema, relative);
  const inner = 'field' in found ? found.field : '';
  const whole = path === '' ? inner : inner === '' ? path : `${path}.${inner}`;
  const field = whole === '' ? '<nil>' : whole;
  switch (rule.declared['reason']) {
    case 'FieldValueForbidden':
      return forbiddenField(field, detail);
    case 'FieldValueRequired':
      return required(field, detail);
    case 'FieldValueDuplicate':
      return duplicate(field, shown);
    default:
      return invalidValue(field, shown, detail);
  }
}

/** What the rule's own expression says about the failure; undefined when it says nothing usable. */
function messageOf(rule: Rule, bindings: Readonly<Record<string, unknown>>, budget: Budget): string | undefined {
  const message: Compiled | string | undefined = rule.message;
  if (message === undefined || typeof message === 'string' || budget.remaining <= 0) return undefined;
  const outcome = message.evaluate(bindings, budget);
  if (outcome.kind !== 'value' || typeof outcome.result !== 'string') return undefined;
  const text = outcome.result.trim();
  return text === '' || text.includes('\n') || Buffer.byteLength(text) > maxMessage ? undefined : text;
}

function defaultMessage(rule: Rule): string {
  const message = textOf(rule.declared['message']);
  return message === '' ? `failed rule: ${shownRule(rule)}` : message.trim();
}

function shownRule(rule: Rule): string {
  const message = textOf(rule.declared['message']);
  return (message === '' ? textOf(rule.declared['rule']) : message).trim();
}
