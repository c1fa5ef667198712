/**
 * The built-in types in the internal form, read from the type table: `builtin('apps/v1', 'Deployment')`. A type is
 * built the first time somebody asks for it or for a field that leads to it, so a process pays for what it uses.
 * The table is facts about the Go types (names, types, numbers); its keys are described in `RawType` and `RawField`.
 */
import { readFileSync } from 'node:fs';
import type { Field, ObjectSchema, PatchStrategy, ScalarSchema, Schema } from './form.ts';
import { field, lazyObject } from './form.ts';

interface RawField {
  readonly json?: string;
  /** Go spelling: `*T` pointer, `[]T` list, `map[K]V`, `metav1.X`. */
  readonly type: string;
  readonly proto?: number;
  readonly inline?: boolean;
  readonly optional?: boolean;
  readonly omitempty?: boolean;
  /** JSON text, or `ref(NAME)` for a constant whose value defaulting knows. */
  readonly default?: string;
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listMapKeys?: readonly string[];
  readonly mapType?: string;
  readonly structType?: string;
}

interface RawType {
  readonly object?: boolean;
  readonly clusterScoped?: boolean;
  readonly structType?: string;
  readonly of?: string;
  readonly enum?: readonly string[];
  readonly fields?: readonly RawField[];
}

type RawTable = Readonly<Record<string, Readonly<Record<string, RawType>>>>;

const string: ScalarSchema = { kind: 'string' };
const any: ScalarSchema = { kind: 'any' };
const int32: ScalarSchema = { kind: 'integer', bits: 32 };
const int64: ScalarSchema = { kind: 'integer', bits: 64 };

const scalars: ReadonlyMap<string, ScalarSchema> = new Map<string, ScalarSchema>([
  ['string', string],
  ['bool', { kind: 'boolean' }],
  ['int', int64],
  ['int32', int32],
  ['int64', int64],
  ['uint8', int32],
  ['uint32', int64],
  ['uint64', int64],
  ['float64', { kind: 'number' }],
  ['[]byte', { kind: 'bytes' }],
  ['types.UID', string],
  ['types.NodeName', string],
  ['resource.Quantity', { kind: 'quantity' }],
  ['intstr.IntOrString', { kind: 'int-or-string' }],
  ['runtime.RawExtension', { kind: 'raw' }],
  ['runtime.Unknown', any],
  ['runtime.Object', any],
  ['metav1.FieldsV1', any],
  ['metav1.Time', { kind: 'time' }],
  ['metav1.MicroTime', { kind: 'microtime' }],
  ['metav1.Duration', { kind: 'duration' }],
  ['interface', any],
  ['JSON', any],
  ['JSONSchemaPropsOrArray', schemaOrOther()],
  ['JSONSchemaPropsOrBool', schemaOrOther()],
  ['JSONSchemaPropsOrStringArray', schemaOrOther()],
]);

/** Where a schema, a boolean or a list may stand. */
function schemaOrOther(): ScalarSchema {
  return { kind: 'any', object: () => builtin('apiextensions.k8s.io/v1', 'JSONSchemaProps') };
}

/** Go package aliases as the upstream files import them. */
const packages: ReadonlyMap<string, string> = new Map([
  ['metav1', 'meta/v1'],
  ['v1', 'v1'],
  ['corev1', 'v1'],
  ['apiv1', 'v1'],
  ['authenticationv1', 'authentication.k8s.io/v1'],
  ['authnv1', 'authentication.k8s.io/v1'],
]);

let table: RawTable | undefined;
const built = new Map<string, Schema>();

/**
 * The type `name` of `group` (an apiVersion, or `meta/v1`). Throws when the table has no such type: names come from
 * our own tables, never from a request.
 */
export function builtin(group: string, name: string): ObjectSchema {
  const schema = named(group, name);
  if (schema.kind !== 'object') throw new Error(`${group} ${name} is not an object type`);
  return schema;
}

/** Whether the type table declares `name` in `group`. */
export function isBuiltin(group: string, name: string): boolean {
  const types = Object.hasOwn(raw(), group) ? raw()[group] : undefined; // both names may come from a request
  return types !== undefined && Object.hasOwn(types, name);
}

function raw(): RawTable {
  table ??= JSON.parse(readFileSync(new URL('./kubernetes-types.json', import.meta.url), 'utf8')) as RawTable;
  return table;
}

function named(group: string, name: string): Schema {
  const key = `${group} ${name}`;
  const known = built.get(key);
  if (known !== undefined) return known;
  const type = raw()[group]?.[name];
  if (type === undefined) throw new Error(`the type table has no ${name} in ${group}`);
  const schema = build(group, name, type);
  built.set(key, schema);
  return schema;
}

function build(group: string, name: string, type: RawType): Schema {
  if (type.of !== undefined) {
    const under = resolve(group, type.of);
    return under.kind === 'string' && type.enum !== undefined ? { kind: 'string', enum: type.enum } : under;
  }
  return lazyObject({ name, group, atomic: type.structType === 'atomic', open: false }, () => {
    const fields = type.fields ?? [];
    const isMeta = (f: RawField): boolean => f.type.endsWith('TypeMeta');
    return {
      own: [
        ...(fields.some((f) => f.inline === true && isMeta(f))
          ? [field('apiVersion', string), field('kind', string)]
          : []),
        ...fields.flatMap((f) => (f.json === undefined ? [] : [fieldOf(group, f, f.json)])),
      ],
      embedded: fields.flatMap((f) => {
        if (f.inline !== true || f.json !== undefined || isMeta(f)) return [];
        const schema = resolve(group, f.type);
        return schema.kind === 'object' ? [{ number: f.proto, schema }] : [];
      }),
    };
  });
}

function fieldOf(group: string, f: RawField, name: string): Field {
  return {
    name,
    schema: withListType(resolve(group, f.type), f),
    number: f.proto,
    // An empty list of managers is a wish (forget them all), not the absence of one.
    nullable: f.type.startsWith('*') || name === 'managedFields',
    omitZero: f.omitempty === true,
    optional: f.optional === true || f.omitempty === true,
    default: defaultOf(f.default),
    patchStrategy: (f.patchStrategy?.split(',') ?? []) as PatchStrategy[],
    patchMergeKey: f.patchMergeKey,
  };
}

function defaultOf(text: string | undefined): unknown {
  return text === undefined || text.startsWith('ref(') ? undefined : JSON.parse(text);
}

function resolve(group: string, go: string): Schema {
  const scalar = scalars.get(group === 'meta/v1' && scalars.has(`metav1.${go}`) ? `metav1.${go}` : go);
  if (scalar !== undefined) return scalar;
  if (go.startsWith('*')) return resolve(group, go.slice(1));
  if (go.startsWith('[]')) return { kind: 'list', items: resolve(group, go.slice(2)), listType: 'atomic', mapKeys: [] };
  const map = /^map\[[\w.]+\](.*)$/.exec(go);
  if (map?.[1] !== undefined) return { kind: 'map', values: resolve(group, map[1]), atomic: false };
  const dot = go.indexOf('.');
  const from = dot < 0 ? group : packageOf(group, go.slice(0, dot));
  const name = go.slice(dot + 1);
  // A few fields point into packages that the table leaves out (alpha types): they are kept as they come.
  return raw()[from]?.[name] === undefined ? any : named(from, name);
}

/** The discovery types call meta/v1 `v1`; everybody else means core by it. */
function packageOf(group: string, alias: string): string {
  if (group.startsWith('apidiscovery.') && alias === 'v1') return 'meta/v1';
  return packages.get(alias) ?? alias;
}

function withListType(schema: Schema, f: RawField): Schema {
  if (schema.kind === 'list' && f.listType !== undefined)
    return { ...schema, listType: f.listType, mapKeys: f.listMapKeys ?? [] };
  if (schema.kind === 'map' && f.mapType === 'atomic') return { ...schema, atomic: true };
  return schema;
}
