/**
 * The one form in which every type of the API is known: a tree of objects, lists, maps and scalars. Decoding, pruning,
 * protobuf, defaulting, patching, OpenAPI and tables are written against it and against nothing else. Built-in kinds
 * reach it from the type table (builtin.ts); a CustomResourceDefinition's structural schema becomes the same form.
 */
export type Schema = ObjectSchema | ListSchema | MapSchema | ScalarSchema;

/** A struct. `fields` is filled on first use: the types of the API are many, deep, and some recursive. */
export interface ObjectSchema {
  readonly kind: 'object';
  /** Its name in messages and in OpenAPI (`PodSpec`); '' for one that has none. */
  readonly name: string;
  /** The apiVersion that declares it: `apps/v1`, `v1`, `meta/v1`; '' for one that has none. */
  readonly group: string;
  /** Every field by its JSON name, those of embedded structs among them. */
  readonly fields: ReadonlyMap<string, Field>;
  /** The fields declared here, without those of embedded structs: the layout of the protobuf message. */
  readonly own: readonly Field[];
  /** Embedded structs: in JSON their fields stand beside `own`, in protobuf they are a message under `number`. */
  readonly embedded: readonly { readonly number: number; readonly schema: ObjectSchema }[];
  /** Fields that the output has even when the input does not: structs, and scalars and lists whose zero is written. */
  readonly always: readonly Field[];
  /** One owner for the whole, when it is applied. */
  readonly atomic: boolean;
  /** Fields that are not declared are kept as they are, not pruned. */
  readonly open: boolean;
}

export interface Field {
  readonly name: string;
  readonly schema: Schema;
  /** Protobuf field number; undefined when the field is not in the message (apiVersion, kind, custom kinds). */
  readonly number: number | undefined;
  /** Absent and zero are different: absent stays absent. Otherwise absent *is* zero. */
  readonly nullable: boolean;
  /** A zero value is left out of the output (never of a struct, which is always written unless `nullable`). */
  readonly omitZero: boolean;
  /** The client may leave it out. */
  readonly optional: boolean;
  readonly default: unknown;
  readonly patchStrategy: readonly PatchStrategy[];
  readonly patchMergeKey: string | undefined;
}

export type PatchStrategy = 'merge' | 'replace' | 'retainKeys';

export interface ListSchema {
  readonly kind: 'list';
  readonly items: Schema;
  readonly listType: 'atomic' | 'set' | 'map';
  /** The fields that identify an item; empty unless `listType` is map. */
  readonly mapKeys: readonly string[];
}

/** Values by free keys. */
export interface MapSchema {
  readonly kind: 'map';
  readonly values: Schema;
  readonly atomic: boolean;
}

/**
 * A value without parts, by how it is written:
 * bytes = base64 text; quantity = `500m`, a number is taken too; time = RFC 3339 with seconds; microtime = with microseconds;
 * duration = `1h2m3s`; raw = an object of some other kind; any = JSON that nobody looks into.
 */
export interface ScalarSchema {
  readonly kind: ScalarKind;
  /** Integers only. */
  readonly bits?: 32 | 64;
  /** The values known for it; informative, validation decides. */
  readonly enum?: readonly string[];
  /** Of `any` only: an object that stands here is of this type; any other JSON is kept as it comes. */
  readonly object?: () => ObjectSchema;
  /** `any` only: one owner for the whole, when it is applied. Otherwise an object in it is owned key by key. */
  readonly atomic?: boolean;
}

export type ScalarKind =
  | 'string'
  | 'boolean'
  | 'integer'
  | 'number'
  | 'quantity'
  | 'int-or-string'
  | 'time'
  | 'microtime'
  | 'duration'
  | 'bytes'
  | 'raw'
  | 'any';

/** What an object's fields are built from, when they are first asked for. */
export interface Layout {
  readonly own: readonly Field[];
  readonly embedded: readonly { readonly number: number | undefined; readonly schema: ObjectSchema }[];
}

type Built = Pick<ObjectSchema, 'own' | 'fields' | 'embedded' | 'always'>;

/** A struct whose layout is computed on first use, once. An embedded struct without a number is lifted into `own`. */
export function lazyObject(
  head: Pick<ObjectSchema, 'name' | 'group' | 'atomic' | 'open'>,
  layout: () => Layout,
): ObjectSchema {
  let built: Built | undefined;
  const build = (): Built => {
    if (built !== undefined) return built;
    const { own: declared, embedded: parts } = layout();
    const own = [...parts.flatMap((part) => (part.number === undefined ? part.schema.own : [])), ...declared];
    const embedded = parts.flatMap((part) =>
      part.number === undefined ? [] : [{ number: part.number, schema: part.schema }],
    );
    const fields = new Map(embedded.flatMap((part) => [...part.schema.fields]));
    for (const field of own) fields.set(field.name, field);
    const always = [...fields.values()].filter((f) => !f.nullable && (f.schema.kind === 'object' || !f.omitZero));
    built = { own, embedded, fields, always };
    return built;
  };
  return {
    ...head,
    kind: 'object',
    get fields() {
      return build().fields;
    },
    get own() {
      return build().own;
    },
    get embedded() {
      return build().embedded;
    },
    get always() {
      return build().always;
    },
  };
}

/** A plain optional field, for schemas written by hand. */
export function field(name: string, schema: Schema, more: Partial<Omit<Field, 'name' | 'schema'>> = {}): Field {
  return {
    name,
    schema,
    number: undefined,
    nullable: true,
    omitZero: true,
    optional: true,
    default: undefined,
    patchStrategy: [],
    patchMergeKey: undefined,
    ...more,
  };
}
