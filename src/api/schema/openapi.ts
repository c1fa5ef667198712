/**
 * The API's description in OpenAPI v3, one document per group and version, derived from the kind table: what kubectl
 * explains, checks manifests against and takes merge keys from. Source: Kubernetes API concepts, "OpenAPI V3".
 */
import { createHash } from 'node:crypto';
import { builtin } from './builtin.ts';
import { customComponent } from './custom/openapi.ts';
import { fieldDescriptions, kindDescriptions } from './describe-table.ts';
import type { Field, ObjectSchema, ScalarSchema, Schema } from './form.ts';
import type { ResourceType } from './kinds.ts';
import { pathsOf } from './openapi-paths.ts';

type Json = Readonly<Record<string, unknown>>;

export interface OpenApiDocument {
  /** Where it is served below /openapi/v3: `api/v1`, `apis/apps/v1`. */
  readonly path: string;
  readonly json: Buffer;
  /** Of the bytes; the index names it so that clients can keep the document. */
  readonly hash: string;
}

/** The documents of everything in `types`. Costs some hundred milliseconds: keep the answer. */
export function openApiDocuments(types: readonly ResourceType[]): readonly OpenApiDocument[] {
  const versions = [...new Set(types.map((type) => type.apiVersion))];
  return versions.map((apiVersion) => {
    const path = apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`;
    const json = Buffer.from(JSON.stringify(document(types.filter((type) => type.apiVersion === apiVersion))));
    return { path, json, hash: createHash('sha256').update(json).digest('hex').toUpperCase() };
  });
}

/** `GET /openapi/v3`: where each document is. */
export function openApiIndex(documents: readonly OpenApiDocument[]): Json {
  return {
    paths: Object.fromEntries(
      documents.map(({ path, hash }) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]),
    ),
  };
}

function document(types: readonly ResourceType[]): Json {
  const components = new Map<string, Json>();
  const custom = new Map<Schema, string>();
  for (const type of types) {
    if (type.custom === undefined) continue;
    const name = customName(type.apiVersion, type.kind);
    custom.set(type.schema, name);
    const metadata = reference(builtin('meta/v1', 'ObjectMeta'), components);
    components.set(name, { ...customComponent(type.custom.schema, metadata), ...gvks(type.apiVersion, type.kind) });
  }
  const refer = (schema: Schema): Json => {
    const name = custom.get(schema);
    return name === undefined ? reference(schema, components) : { $ref: `#/components/schemas/${name}` };
  };
  const paths = Object.fromEntries(types.flatMap((type) => pathsOf(type, refer)));
  for (const type of types) {
    if (type.transient) continue;
    const name = type.custom === undefined ? componentName : customName;
    components.set(name(type.apiVersion, type.listKind), listOf(type, refer));
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.33.0' },
    paths,
    components: {
      schemas: Object.fromEntries([...components].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        BearerToken: { type: 'apiKey', name: 'authorization', in: 'header', description: 'A bearer token.' },
      },
    },
  };
}

/** `com.example.stable.v1.CronTab`: whatever the group, for no two definitions share one. */
function customName(apiVersion: string, kind: string): string {
  const [group = '', version = ''] = apiVersion.split('/');
  return `${group.split('.').toReversed().join('.')}.${version}.${kind}`;
}

/** `io.k8s.api.apps.v1.Deployment`: the name that clients know a type by. */
export function componentName(group: string, name: string): string {
  const slash = group.indexOf('/');
  const [domain, version] = slash < 0 ? ['core', group] : [group.slice(0, slash), group.slice(slash + 1)];
  if (domain === 'meta') return `io.k8s.apimachinery.pkg.apis.meta.${version}.${name}`;
  if (domain.endsWith('.k8s.io') || !domain.includes('.'))
    return `io.k8s.api.${domain.split('.')[0]}.${version}.${name}`;
  return `${domain.split('.').toReversed().join('.')}.${version}.${name}`;
}

function reference(schema: Schema, components: Map<string, Json>): Json {
  switch (schema.kind) {
    case 'object': {
      const name = componentName(schema.group, schema.name);
      if (!components.has(name)) {
        components.set(name, {}); // first, so that a type which holds itself ends
        components.set(name, component(schema, components));
      }
      return { $ref: `#/components/schemas/${name}` };
    }
    case 'list':
      return { type: 'array', items: reference(schema.items, components) };
    case 'map':
      return { type: 'object', additionalProperties: reference(schema.values, components) };
    case 'string':
    case 'boolean':
    case 'integer':
    case 'number':
    case 'quantity':
    case 'int-or-string':
    case 'time':
    case 'microtime':
    case 'duration':
    case 'bytes':
    case 'raw':
    case 'any':
      return scalar(schema, components);
  }
}

function component(schema: ObjectSchema, components: Map<string, Json>): Json {
  const fields = [...schema.fields.values()];
  const required = fields.filter((field) => !field.optional).map((field) => field.name);
  const description = kindDescriptions.get(schema.name);
  const isKind = schema.fields.has('kind') && schema.fields.has('apiVersion') && schema.fields.has('metadata');
  return {
    ...(description === undefined ? {} : { description }),
    type: 'object',
    ...(required.length === 0 ? {} : { required: required.toSorted() }),
    properties: Object.fromEntries(
      fields.map((field) => [field.name, property(schema, field, reference(field.schema, components))]),
    ),
    ...(schema.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    ...(schema.open ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
    ...(isKind && schema.group !== 'meta/v1' ? gvks(schema.group, schema.name) : {}),
  };
}

/** A property. A reference that says more than where it leads is wrapped: a bare one may have no siblings. */
function property(owner: ObjectSchema, field: Field, type: Json): Json {
  const description = fieldDescriptions.get(`${owner.name}.${field.name}`) ?? fieldDescriptions.get(`*.${field.name}`);
  const more: Json = {
    ...(description === undefined ? {} : { description }),
    ...(field.default === undefined ? {} : { default: field.default }),
    ...listing(field.schema),
    ...(field.patchStrategy.length === 0 ? {} : { 'x-kubernetes-patch-strategy': field.patchStrategy.join(',') }),
    ...(field.patchMergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': field.patchMergeKey }),
  };
  return '$ref' in type && Object.keys(more).length > 0 ? { allOf: [type], ...more } : { ...type, ...more };
}

function listing(schema: Schema): Json {
  if (schema.kind === 'map') return schema.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {};
  if (schema.kind !== 'list') return {};
  return {
    'x-kubernetes-list-type': schema.listType,
    ...(schema.mapKeys.length === 0 ? {} : { 'x-kubernetes-list-map-keys': schema.mapKeys }),
  };
}

/** Scalars that upstream gives a name of their own, which explain shows: `<Quantity>`. */
const machinery = 'io.k8s.apimachinery.pkg';
const namedScalars: ReadonlyMap<ScalarSchema['kind'], readonly [name: string, schema: Json]> = new Map([
  [
    'quantity',
    [
      `${machinery}.api.resource.Quantity`,
      { description: 'An amount, such as 500m or 1Gi.', oneOf: [{ type: 'string' }, { type: 'number' }] },
    ],
  ],
  [
    'int-or-string',
    [
      `${machinery}.util.intstr.IntOrString`,
      {
        description: 'A number, or text such as a name or a percentage.',
        format: 'int-or-string',
        oneOf: [{ type: 'integer' }, { type: 'string' }],
      },
    ],
  ],
  [
    'time',
    [
      `${machinery}.apis.meta.v1.Time`,
      { description: 'An instant, in RFC 3339.', type: 'string', format: 'date-time' },
    ],
  ],
  [
    'microtime',
    [
      `${machinery}.apis.meta.v1.MicroTime`,
      { description: 'An instant with microseconds, in RFC 3339.', type: 'string', format: 'date-time' },
    ],
  ],
  [
    'duration',
    [`${machinery}.apis.meta.v1.Duration`, { description: 'A span of time, such as 1h2m3s.', type: 'string' }],
  ],
  [
    'raw',
    [
      `${machinery}.runtime.RawExtension`,
      { description: 'An object of any kind.', type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    ],
  ],
]);

function scalar(schema: ScalarSchema, components: Map<string, Json>): Json {
  const named = namedScalars.get(schema.kind);
  if (named !== undefined) {
    components.set(...named);
    return { $ref: `#/components/schemas/${named[0]}` };
  }
  if (schema.kind === 'integer') return { type: 'integer', format: `int${schema.bits ?? 64}` };
  if (schema.kind === 'number') return { type: 'number', format: 'double' };
  if (schema.kind === 'boolean') return { type: 'boolean' };
  if (schema.kind === 'bytes') return { type: 'string', format: 'byte' };
  if (schema.kind === 'any') return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const known = schema.enum?.filter((value) => value !== '') ?? [];
  return known.length === 0 ? { type: 'string' } : { type: 'string', enum: known.toSorted() };
}

function listOf(type: ResourceType, refer: (schema: Schema) => Json): Json {
  return {
    description: `A list of ${type.kind} objects.`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object', additionalProperties: true },
      items: { type: 'array', items: refer(type.schema) },
    },
    ...gvks(type.apiVersion, type.listKind),
  };
}

function gvks(apiVersion: string, kind: string): Json {
  const slash = apiVersion.indexOf('/');
  return {
    'x-kubernetes-group-version-kind': [
      { group: slash < 0 ? '' : apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1), kind },
    ],
  };
}
