/**
 * What is wrong with the rules in CEL that a schema declares: they do not compile, cannot be judged where they stand, or
 * could cost more than a write may take. Source: apiextensions, apis/validation; Kubernetes, "Validation rules".
 */
import type { Structural } from '../../../api/schema/custom/structural.ts';
import type { FieldCause } from '../../../api/status.ts';
import type { Compiled } from '../../../cel/compile.ts';
import { textOf } from '../../../std/value.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../validate/causes.ts';
import { rulesOf, type Rule } from './rule-compile.ts';
import { ruleFieldPath } from './rule-path.ts';
import { declaredOf, mostPerRequest, type Declared } from './rule-types.ts';

/** What one rule may be estimated to cost, as often as it can be judged in one object. */
const maxRuleCost = 10_000_000;
/** What all rules of a schema together may. */
const maxSchemaCost = 100_000_000;

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

interface Place {
  readonly field: string;
  /** How often this part can occur in one object; undefined: no bound is declared. */
  readonly most: number | undefined;
  /** The list or map from which on nobody can say which old value a value had; '' while one can. */
  readonly uncorrelated: string;
}

interface Spent {
  readonly field: string;
  readonly cost: number;
}

/** The faults of the rules in `schema` and all in it. `field` is where the schema stands. */
export function ruleFaults(schema: Structural, field: string): readonly FieldCause[] {
  const spent: Spent[] = [];
  const causes = faultsIn(schema, declaredOf(schema, true), { field, most: 1, uncorrelated: '' }, spent);
  const total = spent.reduce((sum, one) => sum + one.cost, 0);
  if (total <= maxSchemaCost) return causes;
  const heaviest = spent.toSorted((a, b) => b.cost - a.cost).slice(0, 4);
  const why =
    'contributed to estimated rule & messageExpression cost total exceeding cost limit for entire OpenAPIv3 schema';
  const all = 'x-kubernetes-validations estimated rule & messageExpression cost total for entire OpenAPIv3 schema';
  return [
    ...causes,
    ...heaviest.map((one) => forbiddenField(one.field, why)),
    forbiddenField(field, exceeds(all, total, maxSchemaCost)),
  ];
}

function faultsIn(schema: Structural, declared: Declared | undefined, place: Place, spent: Spent[]): FieldCause[] {
  const { field, most, uncorrelated } = place;
  const causes: FieldCause[] = [];
  if (schema.rules.length > 0 && declared === undefined) {
    const why = `rule declared on schema that does not support validation rules type: '${schema.type}' x-kubernetes-preserve-unknown-fields: '${schema.preserveUnknown}'`;
    causes.push(invalidValue(`${field}.x-kubernetes-validations`, '', why));
  }
  if (declared === undefined) return causes;
  for (const [index, rule] of rulesOf(schema, declared).entries()) {
    causes.push(
      ...faultsOf(schema, rule, declared, { ...place, field: `${field}.x-kubernetes-validations[${index}]` }, spent),
    );
  }
  for (const [name, property] of schema.properties) {
    const inside = { field: `${field}.properties[${name}]`, most, uncorrelated };
    causes.push(...faultsIn(property, declared.fields?.get(name), inside, spent));
  }
  if (schema.items !== undefined) {
    const below = `${field}.items`;
    const lost = uncorrelated === '' && schema.listType !== 'map' ? field : uncorrelated;
    causes.push(
      ...faultsIn(
        schema.items,
        declared.element,
        { field: below, most: times(most, schema.maxItems), uncorrelated: lost },
        spent,
      ),
    );
  }
  if (typeof schema.additional === 'object') {
    const below = `${field}.additionalProperties`;
    const inside = { field: below, most: times(most, schema.maxProperties), uncorrelated };
    causes.push(...faultsIn(schema.additional, declared.element, inside, spent));
  }
  for (const [index, part] of schema.allOf.entries()) {
    causes.push(...faultsIn(part, declared, { ...place, field: `${field}.allOf[${index}]` }, spent));
  }
  return causes;
}

function times(most: number | undefined, bound: number | undefined): number | undefined {
  return most === undefined || bound === undefined ? undefined : most * bound;
}

function faultsOf(schema: Structural, rule: Rule, declared: Declared, place: Place, spent: Spent[]): FieldCause[] {
  const { field } = place;
  const causes = [...textFaults(rule, field)];
  const reason = rule.declared['reason'];
  if (reason !== undefined && !reasons.includes(textOf(reason)))
    causes.push(notSupported(`${field}.reason`, reason, reasons));
  const path = textOf(rule.declared['fieldPath']);
  if (path !== '') {
    const found = ruleFieldPath(schema, path);
    if ('fault' in found)
      causes.push(invalidValue(`${field}.fieldPath`, path, `fieldPath must be a valid path: ${found.fault}`));
  }
  if (textOf(rule.declared['rule']).trim() === '')
    return [...causes, required(`${field}.rule`, 'rule is not specified')];
  causes.push(...expressionFaults(rule, rule.rule, 'rule', 'estimated rule cost', declared, place, spent));
  causes.push(
    ...expressionFaults(
      rule,
      rule.message,
      'messageExpression',
      'estimated messageExpression cost',
      declared,
      place,
      spent,
    ),
  );
  if (rule.isTransition && place.uncorrelated !== '') {
    const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelated}`;
    causes.push(invalidValue(`${field}.rule`, rule.declared, why));
  }
  if (rule.isOldOptional && !rule.isTransition && typeof rule.rule !== 'string') {
    causes.push(invalidValue(`${field}.optionalOldSelf`, true, 'must not be set to true if rule does not use oldSelf'));
  }
  return causes;
}

function textFaults(rule: Rule, field: string): FieldCause[] {
  const source = textOf(rule.declared['rule']);
  const { message } = rule.declared;
  const causes: FieldCause[] = [];
  if (typeof message === 'string' && message !== '') {
    if (message.trim() === '')
      causes.push(invalidValue(`${field}.message`, message, 'message must be non-empty if specified'));
    else if (message.trim().includes('\n')) {
      causes.push(invalidValue(`${field}.message`, message, 'message must not contain line breaks'));
    }
    if (message.length > 2048) {
      causes.push(
        invalidValue(
          `${field}.message`,
          `${message.slice(0, 10)}...`,
          'message must have a maximum length of 2048 characters',
        ),
      );
    }
  } else if (source.trim().includes('\n')) {
    causes.push(required(`${field}.message`, 'message must be specified if rule contains line breaks'));
  }
  const expression = rule.declared['messageExpression'];
  if (typeof expression === 'string' && expression !== '' && expression.trim() === '') {
    causes.push(required(`${field}.messageExpression`, 'must be non-empty if specified'));
  }
  return causes;
}

function expressionFaults(
  rule: Rule,
  made: Compiled | string | undefined,
  part: string,
  what: string,
  declared: Declared,
  place: Place,
  spent: Spent[],
): FieldCause[] {
  if (made === undefined) return [];
  const field = `${place.field}.${part}`;
  if (typeof made === 'string') return [invalidValue(field, rule.declared, made)];
  const cost = (made.cost?.max ?? 0) * (place.most ?? mostPerRequest(declared.minSize));
  spent.push({ field, cost });
  return cost > maxRuleCost ? [forbiddenField(field, exceeds(what, cost, maxRuleCost))] : [];
}

function exceeds(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
