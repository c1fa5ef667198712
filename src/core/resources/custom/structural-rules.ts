/**
 * Whether a schema is structural: every field has one type, declared outside of anyOf, allOf, oneOf and not, so that
 * pruning and defaulting are possible. Fields and words as upstream has them, sorted.
 * Source: apiextensions.k8s.io/v1, "Specifying a structural schema".
 */
import type { Structural } from '../../../api/schema/custom/structural.ts';
import type { FieldCause } from '../../../api/status.ts';
import { forbiddenField, invalidValue, required } from '../validate/causes.ts';
import { patternFault } from './pattern.ts';

type Level = 'root' | 'item' | 'field';

/** What keeps `schema`, which stands at `path`, from being structural. */
export function structuralCauses(schema: Structural, path: string): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  invariants(schema, 'root', path, causes);
  completeness(schema, schema, { path, from: path }, causes);
  const text = ({ field, message }: FieldCause): string => `${field}: ${message}`;
  return causes.toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
}

const where: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

function invariants(schema: Structural, level: Level, path: string, causes: FieldCause[]): void {
  if (schema.type === 'array' && schema.items === undefined) {
    causes.push(required(`${path}.items`, 'must be specified'));
  }
  if (schema.items !== undefined) invariants(schema.items, 'item', `${path}.items`, causes);
  for (const [name, inner] of schema.properties) invariants(inner, 'field', `${path}.properties[${name}]`, causes);
  if (schema.additional !== undefined) {
    if (level === 'root') causes.push(forbiddenField(`${path}.additionalProperties`, 'must not be used at the root'));
    if (typeof schema.additional === 'object') {
      invariants(schema.additional, 'field', `${path}.additionalProperties`, causes);
    }
  }
  extensions(schema, path, causes);
  junctors(schema, path, causes, intOrStringPattern(schema));
  typeOf(schema, level, path, causes);
  identity(schema, level, path, causes);
}

function extensions(schema: Structural, path: string, causes: FieldCause[]): void {
  if (!schema.intOrString) return;
  const why = 'must be false if x-kubernetes-int-or-string is true';
  if (schema.preserveUnknown) causes.push(invalidValue(`${path}.x-kubernetes-preserve-unknown-fields`, true, why));
  if (schema.embedded) causes.push(invalidValue(`${path}.x-kubernetes-embedded-resource`, true, why));
}

function typeOf(schema: Structural, level: Level, path: string, causes: FieldCause[]): void {
  const { type } = schema;
  if (schema.embedded && type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    causes.push(type === '' ? required(`${path}.type`, why) : invalidValue(`${path}.type`, type, why));
  } else if (type === '' && !schema.intOrString && !schema.preserveUnknown) {
    causes.push(required(`${path}.type`, where[level]));
  }
  if (schema.embedded && schema.additional !== undefined) {
    const why = 'must not be used if x-kubernetes-embedded-resource is set';
    causes.push(forbiddenField(`${path}.additionalProperties`, why));
  }
  if (level === 'root' && type !== '' && type !== 'object') {
    causes.push(invalidValue(`${path}.type`, type, 'must be object at the root'));
  }
  if (schema.embedded && !schema.preserveUnknown && schema.properties.size === 0) {
    const why =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    causes.push(required(`${path}.properties`, why));
  }
}

/** What a schema may say of apiVersion, kind and metadata: that they are what they are, and how names are spelled. */
function identity(schema: Structural, level: Level, path: string, causes: FieldCause[]): void {
  const isObject = level === 'root' || schema.embedded;
  if (isObject) {
    for (const name of ['kind', 'apiVersion']) {
      const inner = schema.properties.get(name);
      if (inner === undefined || inner.type === 'string') continue;
      causes.push(invalidValue(`${path}.properties[${name}].type`, inner.type, 'must be string'));
    }
  }
  const metadata = schema.properties.get('metadata');
  if (metadata === undefined || !isObject) return;
  const at = `${path}.properties[metadata]`;
  if (metadata.type !== 'object') causes.push(invalidValue(`${at}.type`, metadata.type, 'must be object'));
  if (level !== 'root') return;
  const onlyNames = [...metadata.properties.keys()].every((name) => name === 'name' || name === 'generateName');
  const saysMore =
    !onlyNames ||
    metadata.additional !== undefined ||
    metadata.items !== undefined ||
    metadata.description !== '' ||
    metadata.title !== '' ||
    metadata.nullable ||
    metadata.preserveUnknown ||
    metadata.embedded ||
    metadata.mapType !== '';
  if (saysMore) {
    const why = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
    causes.push(forbiddenField(at, why));
  }
}

/** int-or-string may say so by types in anyOf, alone or first in allOf. */
function intOrStringPattern(schema: Structural): { readonly anyOf: boolean; readonly firstAllOf: boolean } {
  const says = (one: Structural | undefined): boolean =>
    one?.anyOf.length === 2 && one.anyOf[0]?.type === 'integer' && one.anyOf[1]?.type === 'string';
  return { anyOf: says(schema), firstAllOf: says(schema.allOf[0]) };
}

function junctors(
  schema: Structural,
  path: string,
  causes: FieldCause[],
  skip: { readonly anyOf: boolean; readonly firstAllOf: boolean },
): void {
  if (!skip.anyOf) for (const [i, one] of schema.anyOf.entries()) nested(one, `${path}.anyOf[${i}]`, causes, false);
  for (const [i, one] of schema.allOf.entries()) {
    nested(one, `${path}.allOf[${i}]`, causes, skip.firstAllOf && i === 0);
  }
  for (const [i, one] of schema.oneOf.entries()) nested(one, `${path}.oneOf[${i}]`, causes, false);
  if (schema.not !== undefined) nested(schema.not, `${path}.not`, causes, false);
  const fault = schema.pattern === '' ? undefined : patternFault(schema.pattern);
  if (fault !== undefined) {
    const why = `must be a valid regular expression, but isn't: ${fault}`;
    causes.push(invalidValue(`${path}.pattern`, schema.pattern, why));
  }
}

/** Inside a junctor values are judged; nothing is declared there. */
function nested(schema: Structural, path: string, causes: FieldCause[], skipAnyOf: boolean): void {
  junctors(schema, path, causes, { anyOf: skipAnyOf, firstAllOf: false });
  if (schema.items !== undefined) nested(schema.items, `${path}.items`, causes, false);
  for (const [name, inner] of schema.properties) nested(inner, `${path}.properties[${name}]`, causes, false);
  const not = (field: string, given: boolean, what: 'empty' | 'undefined' | 'false'): void => {
    if (given) causes.push(forbiddenField(`${path}.${field}`, `must be ${what} to be structural`));
  };
  not('type', schema.type !== '', 'empty');
  not('additionalProperties', schema.additional !== undefined, 'undefined');
  not('default', schema.default !== undefined, 'undefined');
  not('title', schema.title !== '', 'empty');
  not('description', schema.description !== '', 'empty');
  not('nullable', schema.nullable, 'false');
  not('x-kubernetes-preserve-unknown-fields', schema.preserveUnknown, 'false');
  not('x-kubernetes-embedded-resource', schema.embedded, 'false');
  not('x-kubernetes-int-or-string', schema.intOrString, 'false');
  not('x-kubernetes-list-map-keys', schema.mapKeys.length > 0, 'empty');
  not('x-kubernetes-list-type', schema.listType !== '', 'undefined');
  not('x-kubernetes-map-type', schema.mapType !== '', 'undefined');
  not('x-kubernetes-validations', schema.rules.length > 0, 'empty');
  if (schema.properties.has('metadata')) {
    causes.push(forbiddenField(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
  }
}

/** Whatever a junctor of `rules` looks into is declared in `schema`. */
function completeness(
  schema: Structural,
  rules: Structural,
  at: { readonly path: string; readonly from: string },
  causes: FieldCause[],
): void {
  const { path, from } = at;
  const into = (one: Structural, below: string): void => {
    const inside = `${from}.${below}`;
    for (const [name, inner] of one.properties) {
      const declared =
        schema.properties.get(name) ?? (typeof schema.additional === 'object' ? schema.additional : undefined);
      const field = `${path}.properties[${name}]`;
      if (declared === undefined)
        causes.push(required(field, `because it is defined in ${inside}.properties[${name}]`));
      else completenessInside(declared, inner, { path: field, from: `${inside}.properties[${name}]` }, causes);
    }
    if (one.items !== undefined) {
      if (schema.items === undefined) {
        causes.push(required(`${path}.items`, `because it is defined in ${inside}.items`));
      } else {
        completenessInside(schema.items, one.items, { path: `${path}.items`, from: `${inside}.items` }, causes);
      }
    }
    completeness(schema, { ...one, properties: new Map(), items: undefined }, { path, from: inside }, causes);
  };
  for (const [i, one] of rules.allOf.entries()) into(one, `allOf[${i}]`);
  for (const [i, one] of rules.anyOf.entries()) into(one, `anyOf[${i}]`);
  for (const [i, one] of rules.oneOf.entries()) into(one, `oneOf[${i}]`);
  if (rules.not !== undefined) into(rules.not, 'not');
  if (rules !== schema) return;
  for (const [name, inner] of schema.properties) {
    const below = `${path}.properties[${name}]`;
    completeness(inner, inner, { path: below, from: below }, causes);
  }
  if (schema.items !== undefined) {
    completeness(schema.items, schema.items, { path: `${path}.items`, from: `${path}.items` }, causes);
  }
  if (typeof schema.additional === 'object') {
    const below = `${path}.additionalProperties`;
    completeness(schema.additional, schema.additional, { path: below, from: below }, causes);
  }
}

/** What `one`, part of a junctor, looks into is declared in `declared`, part of the schema. */
function completenessInside(
  declared: Structural,
  one: Structural,
  at: { readonly path: string; readonly from: string },
  causes: FieldCause[],
): void {
  for (const [name, inner] of one.properties) {
    const next =
      declared.properties.get(name) ?? (typeof declared.additional === 'object' ? declared.additional : undefined);
    const field = `${at.path}.properties[${name}]`;
    const from = `${at.from}.properties[${name}]`;
    if (next === undefined) causes.push(required(field, `because it is defined in ${from}`));
    else completenessInside(next, inner, { path: field, from }, causes);
  }
  if (one.items !== undefined) {
    const [field, from] = [`${at.path}.items`, `${at.from}.items`];
    if (declared.items === undefined) causes.push(required(field, `because it is defined in ${from}`));
    else completenessInside(declared.items, one.items, { path: field, from }, causes);
  }
  const rest = { ...one, properties: new Map(), items: undefined, additional: undefined };
  completeness(declared, rest, at, causes);
}
