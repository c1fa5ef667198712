/**
 * What a schema of a definition may say, apart from being structural: which words of JSON Schema are supported, what list
 * and map types need, and defaults that are valid themselves. Fields and words as upstream has them.
 * Source: apiextensions.k8s.io/v1 JSONSchemaProps.
 */
import { withStructuralDefaults, weightOfDefault } from '../../../api/schema/custom/default.ts';
import { prune } from '../../../api/schema/custom/prune.ts';
import type { Structural } from '../../../api/schema/custom/structural.ts';
import { parseStructural } from '../../../api/schema/custom/structural.ts';
import type { FieldCause } from '../../../api/status.ts';
import { equal, fieldsOf, isFields, listOf } from '../../../std/value.ts';
import type { Fields } from '../../../std/value.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../validate/causes.ts';
import { valueCauses } from './values.ts';

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
/** Values that one default may come to. Chosen, see default.ts. */
const maxDefault = 10_000;

/** What is wrong with `raw`, a schema at `path`, and with all in it. */
export function schemaCauses(raw: Fields, path: string): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  check(raw, path, causes);
  return causes;
}

function check(raw: Fields, path: string, causes: FieldCause[]): void {
  words(raw, path, causes);
  const schema = parseStructuralShallow(raw);
  lists(schema, raw, path, causes);
  const each = (name: string): void => {
    for (const [key, inner] of Object.entries(fieldsOf(raw[name]))) {
      if (isFields(inner)) check(inner, `${path}.${name}[${key}]`, causes);
    }
  };
  if (isFields(raw['additionalProperties'])) check(raw['additionalProperties'], `${path}.additionalProperties`, causes);
  each('properties');
  if (isFields(raw['not'])) check(raw['not'], `${path}.not`, causes);
  for (const name of ['allOf', 'oneOf', 'anyOf']) {
    for (const [index, inner] of listOf(raw[name]).entries()) {
      if (isFields(inner)) check(inner, `${path}.${name}[${index}]`, causes);
    }
  }
  if (isFields(raw['items'])) check(raw['items'], `${path}.items`, causes);
}

/** The schema's own words and, as far as lists need it, its items. */
function parseStructuralShallow(raw: Fields): Structural {
  const items = fieldsOf(raw['items']);
  const withoutParts = (from: Fields): Fields => ({
    ...from,
    ...Object.fromEntries(['not', 'allOf', 'oneOf', 'anyOf', 'additionalProperties'].map((name) => [name, undefined])),
  });
  const shallow = (from: Fields): Fields =>
    Object.fromEntries(
      Object.entries(fieldsOf(from['properties'])).map(([name, inner]) => [
        name,
        { ...withoutParts(fieldsOf(inner)), properties: undefined, items: undefined },
      ]),
    );
  const inner = isFields(raw['items'])
    ? { ...withoutParts(items), items: undefined, properties: shallow(items) }
    : undefined;
  return parseStructural({ ...withoutParts(raw), properties: undefined, items: inner });
}

/** Words that are not supported. */
const unsupported = ['$ref', 'definitions', 'dependencies', 'patternProperties', 'additionalItems', 'id'];

function words(raw: Fields, path: string, causes: FieldCause[]): void {
  for (const name of unsupported) {
    if (raw[name] !== undefined) causes.push(forbiddenField(`${path}.${name}`, `${name} is not supported`));
  }
  const { type } = raw;
  if (type === 'null') {
    causes.push(forbiddenField(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'));
  } else if (type !== undefined && type !== '' && !types.some((one) => one === type)) {
    causes.push(notSupported(`${path}.type`, type, types));
  }
  if (Array.isArray(raw['items'])) {
    causes.push(forbiddenField(`${path}.items`, 'items must be a schema object and not an array'));
  }
  if (raw['uniqueItems'] === true) {
    const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    causes.push(forbiddenField(`${path}.uniqueItems`, why));
  }
  const additional = raw['additionalProperties'];
  if (additional === false) {
    causes.push(forbiddenField(`${path}.additionalProperties`, 'additionalProperties cannot be set to false'));
  } else if (additional !== undefined && Object.keys(fieldsOf(raw['properties'])).length > 0) {
    const why = 'additionalProperties and properties are mutual exclusive';
    causes.push(forbiddenField(`${path}.additionalProperties`, why));
  }
  if (raw['x-kubernetes-preserve-unknown-fields'] === false) {
    causes.push(invalidValue(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'));
  }
}

function lists(schema: Structural, raw: Fields, path: string, causes: FieldCause[]): void {
  if (schema.mapType !== '') {
    mustBe('object', 'x-kubernetes-map-type', schema, path, causes);
    if (schema.mapType !== 'atomic' && schema.mapType !== 'granular') {
      causes.push(notSupported(`${path}.x-kubernetes-map-type`, schema.mapType, ['atomic', 'granular']));
    }
  }
  if (schema.listType !== '') {
    mustBe('array', 'x-kubernetes-list-type', schema, path, causes);
    if (!['atomic', 'set', 'map'].includes(schema.listType)) {
      causes.push(notSupported(`${path}.x-kubernetes-list-type`, schema.listType, ['atomic', 'map', 'set']));
    }
  }
  if (schema.mapKeys.length > 0 && schema.listType !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    const field = `${path}.x-kubernetes-list-type`;
    causes.push(schema.listType === '' ? required(field, why) : invalidValue(field, schema.listType, why));
  }
  if (schema.listType === 'set') setItems(schema, path, causes);
  if (schema.listType === 'map') mapItems(schema, raw, path, causes);
}

function mustBe(type: string, word: string, schema: Structural, path: string, causes: FieldCause[]): void {
  if (schema.type === type) return;
  const why = `must be ${type} if ${word} is specified`;
  causes.push(schema.type === '' ? required(`${path}.type`, why) : invalidValue(`${path}.type`, schema.type, why));
}

function setItems({ items }: Structural, path: string, causes: FieldCause[]): void {
  if (items === undefined) return;
  if (items.nullable) {
    causes.push(forbiddenField(`${path}.items.nullable`, 'cannot be nullable when x-kubernetes-list-type is set'));
  }
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  if (items.type === 'object' && items.mapType !== 'atomic') {
    const field = `${path}.items.x-kubernetes-map-type`;
    causes.push(items.mapType === '' ? required(field, why) : invalidValue(field, items.mapType, why));
  }
  if (items.type === 'array' && items.listType !== '' && items.listType !== 'atomic') {
    causes.push(invalidValue(`${path}.items.x-kubernetes-list-type`, items.listType, why));
  }
}

function mapItems(schema: Structural, raw: Fields, path: string, causes: FieldCause[]): void {
  const { items, mapKeys } = schema;
  if (mapKeys.length === 0) {
    const why = 'must not be empty if x-kubernetes-list-type is map';
    causes.push(required(`${path}.x-kubernetes-list-map-keys`, why));
  }
  if (items === undefined) {
    if (raw['items'] === undefined) {
      causes.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
    }
    return;
  }
  if (items.type !== 'object') {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    causes.push(invalidValue(`${path}.items.type`, items.type, why));
  }
  for (const [index, key] of mapKeys.entries()) {
    const field = `${path}.x-kubernetes-list-map-keys[${index}]`;
    if (mapKeys.indexOf(key) !== index) causes.push({ ...invalidValue(field, key, 'must be unique') });
    const property = items.properties.get(key);
    if (property === undefined) {
      causes.push(invalidValue(field, key, 'entries must all be names of item properties'));
      continue;
    }
    const at = `${path}.items.properties[${key}]`;
    if (property.type === 'object' || property.type === 'array') {
      const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      causes.push(invalidValue(`${at}.type`, property.type, why));
    }
    if (property.nullable) {
      const why = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
      causes.push(forbiddenField(`${at}.nullable`, why));
    }
    if (property.default === undefined && !items.required.includes(key)) {
      const why = 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      causes.push(required(`${at}.default`, why));
    }
  }
}

/** What is wrong with the defaults in `schema`, which is structural and stands at `path`. */
export function defaultCauses(schema: Structural, path: string): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  if (schema.default !== undefined) causes.push(forbiddenField(`${path}.default`, 'must not be set at the root'));
  for (const [name, inner] of schema.properties) {
    const isIdentity = ['apiVersion', 'kind', 'metadata'].includes(name);
    if (isIdentity && inner.default !== undefined) {
      causes.push(forbiddenField(`${path}.properties[${name}].default`, 'must not be set in top-level metadata'));
    } else defaultsIn(inner, `${path}.properties[${name}]`, causes);
  }
  return causes;
}

function defaultsIn(schema: Structural, path: string, causes: FieldCause[]): void {
  if (schema.default !== undefined) oneDefault(schema, `${path}.default`, causes);
  for (const [name, inner] of schema.properties) defaultsIn(inner, `${path}.properties[${name}]`, causes);
  if (schema.items !== undefined) defaultsIn(schema.items, `${path}.items`, causes);
  if (typeof schema.additional === 'object') defaultsIn(schema.additional, `${path}.additionalProperties`, causes);
}

/** A default is judged as the one field of an object. */
function oneDefault(schema: Structural, field: string, causes: FieldCause[]): void {
  const { default: value } = schema;
  if (weightOfDefault(schema) > maxDefault) {
    causes.push(invalidValue(field, '', `comes to more than ${maxDefault} values with the defaults inside it`));
    return;
  }
  const holder: Structural = {
    ...parseStructural({ type: 'object' }),
    properties: new Map([['default', { ...schema, default: undefined }]]),
  };
  if (!equal(prune(holder, { default: value }).object, { default: value })) {
    causes.push(invalidValue(field, value, 'must not have unknown fields'));
    return;
  }
  const completed = withStructuralDefaults(holder, { default: value });
  for (const cause of valueCauses(holder, completed, undefined)) {
    const inside = cause.field === '<nil>' ? '' : cause.field.slice('default'.length);
    causes.push({ ...cause, field: `${field}${inside}` });
  }
}
