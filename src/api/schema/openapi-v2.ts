/**
 * The API's kinds in OpenAPI v2, derived from the v3 documents: what kubectl falls back to when it checks a `List`, whose
 * kind has no operations in v3. Definitions only: nobody reads the operations there any more.
 * Source: OpenAPI specification 2.0; gnostic's OpenAPIv2.proto for the numbers of the binary form.
 */
import { fieldsOf, isFields, listOf, textOf } from '../../std/value.ts';
import type { OpenApiDocument } from './openapi.ts';
import { Writer, wire } from './protobuf-wire.ts';

type Json = Readonly<Record<string, unknown>>;

/** The v2 document that says of every kind what `documents` say. */
export function openApiV2(documents: readonly OpenApiDocument[]): Json {
  const definitions = new Map<string, Json>();
  for (const { json } of documents) {
    const document: unknown = JSON.parse(json.toString());
    const schemas = fieldsOf(fieldsOf(fieldsOf(document)['components'])['schemas']);
    for (const [name, schema] of Object.entries(schemas)) {
      if (!definitions.has(name)) definitions.set(name, schemaOf(fieldsOf(schema)));
    }
  }
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: 'v1.33.0' },
    paths: {},
    definitions: Object.fromEntries([...definitions].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** One schema in the narrower words of v2: no oneOf, and what stands beside a reference stands beside it. */
function schemaOf(schema: Json): Json {
  const {
    allOf,
    oneOf,
    anyOf: _anyOf,
    not: _not,
    nullable: _nullable,
    enum: _enum,
    properties,
    items,
    additionalProperties,
    $ref,
    ...rest
  } = schema;
  const target = $ref ?? fieldsOf(listOf(allOf)[0])['$ref'];
  return {
    ...rest,
    ...(typeof target === 'string' ? { $ref: target.replace('#/components/schemas/', '#/definitions/') } : {}),
    ...(oneOf === undefined || rest['type'] !== undefined || properties !== undefined ? {} : { type: 'string' }), // text or number: v2 knows it as text, and lets numbers pass
    ...(properties === undefined ? {} : { properties: mapped(properties) }),
    ...(items === undefined ? {} : { items: schemaOf(fieldsOf(items)) }),
    ...(isFields(additionalProperties) ? { additionalProperties: schemaOf(additionalProperties) } : {}),
  };
}

function mapped(schemas: unknown): Json {
  return Object.fromEntries(
    Object.entries(fieldsOf(schemas)).map(([name, schema]) => [name, schemaOf(fieldsOf(schema))]),
  );
}

/** `document`, as `openApiV2` makes it, in protobuf. */
export function openApiV2Protobuf(document: Json): Buffer {
  const info = fieldsOf(document['info']);
  return new Writer()
    .field(1, wire.bytes)
    .text(textOf(document['swagger']))
    .field(2, wire.bytes)
    .bytes(
      new Writer()
        .field(1, wire.bytes)
        .text(textOf(info['title']))
        .field(2, wire.bytes)
        .text(textOf(info['version']))
        .finish(),
    )
    .field(8, wire.bytes)
    .bytes(Buffer.alloc(0))
    .field(9, wire.bytes)
    .bytes(namedSchemas(document['definitions']))
    .finish();
}

/** Numbers of the message Schema. Values of any type travel as YAML, of which JSON is a part. */
function schemaBytes(schema: Json): Buffer {
  const out = new Writer();
  const text = (number: number, value: unknown): void => {
    if (typeof value === 'string') out.field(number, wire.bytes).text(value);
  };
  const part = (number: number, value: Buffer): void => void out.field(number, wire.bytes).bytes(value);
  text(1, schema['$ref']);
  text(2, schema['format']);
  text(4, schema['description']);
  if (schema['default'] !== undefined) part(5, anyBytes(schema['default']));
  for (const name of listOf(schema['required'])) text(19, name);
  if (isFields(schema['additionalProperties'])) {
    part(21, new Writer().field(1, wire.bytes).bytes(schemaBytes(schema['additionalProperties'])).finish());
  } else if (schema['additionalProperties'] === true) {
    part(21, new Writer().field(2, wire.varint).varint(1).finish());
  }
  if (schema['type'] !== undefined) part(22, new Writer().field(1, wire.bytes).text(textOf(schema['type'])).finish());
  if (isFields(schema['items'])) {
    part(23, new Writer().field(1, wire.bytes).bytes(schemaBytes(schema['items'])).finish());
  }
  if (schema['properties'] !== undefined) part(25, namedSchemas(schema['properties']));
  for (const [name, value] of Object.entries(schema)) {
    if (name.startsWith('x-')) part(31, named(name, anyBytes(value)));
  }
  return out.finish();
}

function namedSchemas(schemas: unknown): Buffer {
  const out = new Writer();
  for (const [name, schema] of Object.entries(fieldsOf(schemas))) {
    out.field(1, wire.bytes).bytes(named(name, schemaBytes(fieldsOf(schema))));
  }
  return out.finish();
}

function named(name: string, value: Buffer): Buffer {
  return new Writer().field(1, wire.bytes).text(name).field(2, wire.bytes).bytes(value).finish();
}

function anyBytes(value: unknown): Buffer {
  return new Writer().field(2, wire.bytes).text(JSON.stringify(value)).finish();
}
