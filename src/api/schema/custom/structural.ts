/**
 * A structural schema, as a CustomResourceDefinition declares it, read once into a form that pruning, defaulting,
 * validation, OpenAPI and apply walk. Properties are Maps: their names are a client's. What is malformed is read as
 * absent here; the checks of the definition say what is wrong with it before it is kept.
 * Source: apiextensions.k8s.io/v1 JSONSchemaProps.
 */
import { fieldsOf, isFields, listOf, textOf } from '../../../std/value.ts';
import type { Fields } from '../../../std/value.ts';

export interface Structural {
  /** '' when none is declared: anything goes (an int-or-string, or a part that keeps unknown fields). */
  readonly type: string;
  readonly format: string;
  readonly title: string;
  readonly description: string;
  readonly nullable: boolean;
  /** undefined: none. */
  readonly default: unknown;
  readonly preserveUnknown: boolean;
  readonly embedded: boolean;
  readonly intOrString: boolean;
  readonly listType: string;
  readonly mapKeys: readonly string[];
  readonly mapType: string;
  readonly properties: ReadonlyMap<string, Structural>;
  /** Values of free keys: of a schema, of any kind (true), none (false), or not declared. */
  readonly additional: Structural | boolean | undefined;
  readonly items: Structural | undefined;
  readonly required: readonly string[];
  readonly enum: readonly unknown[] | undefined;
  readonly maximum: number | undefined;
  readonly exclusiveMaximum: boolean;
  readonly minimum: number | undefined;
  readonly exclusiveMinimum: boolean;
  readonly multipleOf: number | undefined;
  readonly maxLength: number | undefined;
  readonly minLength: number | undefined;
  readonly maxItems: number | undefined;
  readonly minItems: number | undefined;
  readonly maxProperties: number | undefined;
  readonly minProperties: number | undefined;
  /** '' when none. In the syntax of RE2. */
  readonly pattern: string;
  readonly allOf: readonly Structural[];
  readonly anyOf: readonly Structural[];
  readonly oneOf: readonly Structural[];
  readonly not: Structural | undefined;
  /** x-kubernetes-validations, as declared. */
  readonly rules: readonly Fields[];
}

/** The schema in `raw`, an openAPIV3Schema. Total: whatever is not as declared counts as absent. */
export function parseStructural(raw: unknown): Structural {
  const from = fieldsOf(raw);
  const given = (name: string): unknown => (Object.hasOwn(from, name) ? from[name] : undefined);
  const number = (name: string): number | undefined => {
    const value = given(name);
    return typeof value === 'number' ? value : undefined;
  };
  const additional = given('additionalProperties');
  const items = given('items');
  const not = given('not');
  const choices = given('enum');
  return {
    type: textOf(given('type')),
    format: textOf(given('format')),
    title: textOf(given('title')),
    description: textOf(given('description')),
    nullable: given('nullable') === true,
    default: given('default') ?? undefined,
    preserveUnknown: given('x-kubernetes-preserve-unknown-fields') === true,
    embedded: given('x-kubernetes-embedded-resource') === true,
    intOrString: given('x-kubernetes-int-or-string') === true,
    listType: textOf(given('x-kubernetes-list-type')),
    mapKeys: listOf(given('x-kubernetes-list-map-keys')).map(textOf),
    mapType: textOf(given('x-kubernetes-map-type')),
    properties: new Map(
      Object.entries(fieldsOf(given('properties'))).map(([name, schema]) => [name, parseStructural(schema)]),
    ),
    additional:
      typeof additional === 'boolean' ? additional : isFields(additional) ? parseStructural(additional) : undefined,
    items: isFields(items) ? parseStructural(items) : undefined,
    required: listOf(given('required')).map(textOf),
    enum: Array.isArray(choices) && choices.length > 0 ? (choices as readonly unknown[]) : undefined,
    maximum: number('maximum'),
    exclusiveMaximum: given('exclusiveMaximum') === true,
    minimum: number('minimum'),
    exclusiveMinimum: given('exclusiveMinimum') === true,
    multipleOf: number('multipleOf'),
    maxLength: number('maxLength'),
    minLength: number('minLength'),
    maxItems: number('maxItems'),
    minItems: number('minItems'),
    maxProperties: number('maxProperties'),
    minProperties: number('minProperties'),
    pattern: textOf(given('pattern')),
    allOf: listOf(given('allOf')).map(parseStructural),
    anyOf: listOf(given('anyOf')).map(parseStructural),
    oneOf: listOf(given('oneOf')).map(parseStructural),
    not: isFields(not) ? parseStructural(not) : undefined,
    rules: listOf(given('x-kubernetes-validations')).map(fieldsOf),
  };
}

/** Whether `schema`, or anything in it, declares validation rules in CEL. */
export function hasRules(schema: Structural): boolean {
  return schema.rules.length > 0 || partsOf(schema).some(hasRules);
}

/** Every schema directly inside `schema`. */
export function partsOf(schema: Structural): readonly Structural[] {
  return [
    ...schema.properties.values(),
    ...(typeof schema.additional === 'object' ? [schema.additional] : []),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...schema.allOf,
    ...schema.anyOf,
    ...schema.oneOf,
    ...(schema.not === undefined ? [] : [schema.not]),
  ];
}
