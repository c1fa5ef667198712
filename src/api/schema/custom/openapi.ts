/** A structural schema as OpenAPI shows it: what `kubectl explain` prints and what clients check manifests against. */
import type { Structural } from './structural.ts';

type Json = Readonly<Record<string, unknown>>;

const identity: Json = {
  apiVersion: { description: 'The group and version that the object is of.', type: 'string' },
  kind: { description: 'The kind of the object.', type: 'string' },
};

/** The component of a kind with `schema` as its root; `metadata` is a reference to the metadata that every object has. */
export function customComponent(schema: Structural, metadata: Json): Json {
  const { properties, ...rest } = shown(schema);
  const described = { description: 'Standard object metadata.', allOf: [metadata] };
  return { ...rest, type: 'object', properties: { ...fields(properties), ...identity, metadata: described } };
}

function fields(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function shown(schema: Structural): Json {
  return Object.fromEntries(Object.entries(everything(schema)).filter(([, value]) => value !== undefined));
}

const text = (value: string): string | undefined => (value === '' ? undefined : value);
const flag = (value: boolean): true | undefined => (value ? true : undefined);
const some = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list);

function everything(schema: Structural): Json {
  const { additional } = schema;
  return {
    type: schema.intOrString ? undefined : text(schema.type),
    format: text(schema.format),
    title: text(schema.title),
    description: text(schema.description),
    nullable: flag(schema.nullable),
    default: schema.default,
    enum: schema.enum,
    required: some(schema.required),
    maximum: schema.maximum,
    exclusiveMaximum: flag(schema.exclusiveMaximum),
    minimum: schema.minimum,
    exclusiveMinimum: flag(schema.exclusiveMinimum),
    multipleOf: schema.multipleOf,
    maxLength: schema.maxLength,
    minLength: schema.minLength,
    maxItems: schema.maxItems,
    minItems: schema.minItems,
    maxProperties: schema.maxProperties,
    minProperties: schema.minProperties,
    pattern: text(schema.pattern),
    properties:
      schema.properties.size === 0
        ? undefined
        : Object.fromEntries([...schema.properties].map(([name, property]) => [name, shown(property)])),
    additionalProperties: typeof additional === 'object' ? shown(additional) : additional,
    items: schema.items === undefined ? undefined : shown(schema.items),
    allOf: some(schema.allOf.map(shown)),
    anyOf: some(schema.anyOf.map(shown)),
    oneOf: some(schema.oneOf.map(shown)),
    not: schema.not === undefined ? undefined : shown(schema.not),
    'x-kubernetes-preserve-unknown-fields': flag(schema.preserveUnknown),
    'x-kubernetes-embedded-resource': flag(schema.embedded),
    'x-kubernetes-int-or-string': flag(schema.intOrString),
    'x-kubernetes-list-type': text(schema.listType),
    'x-kubernetes-list-map-keys': some(schema.mapKeys),
    'x-kubernetes-map-type': text(schema.mapType),
    'x-kubernetes-validations': some(schema.rules),
  };
}
