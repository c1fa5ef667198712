/** The resources that are served, each with its schema: what discovery lists, the registry stores and kubectl asks for. */
import { parseApiVersion } from '../meta.ts';
import { builtin, isBuiltin } from './builtin.ts';
import type { CustomKind } from './custom/kind.ts';
import type { ObjectSchema } from './form.ts';
import { resourceRows } from './kinds-table.ts';
import type { ResourceRow, SubresourceRow } from './kinds-table.ts';
import { ownKind } from './own-kinds-table.ts';

export interface ResourceType {
  readonly group: string;
  readonly version: string;
  /** `apps/v1`, `v1`. */
  readonly apiVersion: string;
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  /** Answered and forgotten, never stored: reviews and bindings. */
  readonly transient: boolean;
  readonly subresources: readonly Subresource[];
  readonly schema: ObjectSchema;
  /** Where its objects lie in the store: another version or group for the second face of a kind (events, autoscaling/v1). */
  readonly storage: { readonly group: string; readonly version: string; readonly resource: string };
  /** Of a kind that a CustomResourceDefinition declares: what only such kinds have. */
  readonly custom?: CustomKind;
}

/** The resources that are served at this moment: the built-in ones, and custom ones as they come and go. */
export interface Kinds {
  /** The resource at /apis/GROUP/VERSION/RESOURCE ('' is the core group), or undefined. Plural names only. */
  find(group: string, version: string, resource: string): ResourceType | undefined;
  /** In discovery's order: core first, within a group the preferred version first. The same list as long as nothing changes. */
  all(): readonly ResourceType[];
}

export interface Subresource {
  /** `status`, `scale`, `log` … */
  readonly name: string;
  readonly verbs: readonly string[];
  /** The kind of its bodies, which may be of another group (Scale, Eviction, TokenRequest). */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: ObjectSchema;
  /** As its resource has it, where the bodies are of the resource's own kind. */
  readonly custom?: CustomKind;
}

/** Every verb that a stored resource can have. */
export const everyVerb: readonly string[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];

let tables: Tables | undefined;

interface Tables {
  readonly types: readonly ResourceType[];
  readonly byResource: ReadonlyMap<string, ResourceType>;
  readonly byKind: ReadonlyMap<string, ResourceType>;
}

/** Every served resource, in discovery's order: core first, in a group the preferred version first. */
export function servedTypes(): readonly ResourceType[] {
  return load().types;
}

/** The served resource at /apis/GROUP/VERSION/RESOURCE ('' is the core group), or undefined. Plural names only. */
export function findType(group: string, version: string, resource: string): ResourceType | undefined {
  return load().byResource.get(`${group}/${version}/${resource}`);
}

/** The built-in kinds alone. */
export const builtinKinds: Kinds = { find: findType, all: servedTypes };

/** The served resource whose objects say `apiVersion` and `kind`, or undefined. */
export function findKind(apiVersion: string, kind: string): ResourceType | undefined {
  return load().byKind.get(`${apiVersion} ${kind}`);
}

/** The subresource `name` of `type`, or undefined. */
export function findSubresource(type: ResourceType, name: string): Subresource | undefined {
  return type.subresources.find((sub) => sub.name === name);
}

/**
 * The schema of a kind that travels in bodies though nothing of it is stored: DeleteOptions, Scale, Status, and also
 * each served kind. undefined when there is none.
 */
export function schemaOf(apiVersion: string, kind: string): ObjectSchema | undefined {
  const own = ownKind(apiVersion, kind);
  if (own !== undefined) return own;
  if (isBuiltin(apiVersion, kind)) return builtin(apiVersion, kind);
  return isBuiltin('meta/v1', kind) ? builtin('meta/v1', kind) : undefined;
}

function load(): Tables {
  if (tables !== undefined) return tables;
  const types = resourceRows.map(toType);
  tables = {
    types,
    byResource: new Map(types.map((type) => [`${type.group}/${type.version}/${type.resource}`, type])),
    byKind: new Map(types.map((type) => [`${type.apiVersion} ${type.kind}`, type])),
  };
  return tables;
}

function toType(row: ResourceRow): ResourceType {
  const { group, version } = parseApiVersion(row.apiVersion);
  return {
    group,
    version,
    apiVersion: row.apiVersion,
    resource: row.resource,
    singular: row.kind.toLowerCase(),
    kind: row.kind,
    listKind: `${row.kind}List`,
    namespaced: row.namespaced,
    shortNames: row.shortNames ?? [],
    categories: row.categories ?? [],
    verbs: row.verbs ?? everyVerb,
    transient: row.transient ?? false,
    subresources: (row.subresources ?? []).map((sub) => toSubresource(row, sub)),
    get schema() {
      return declared(row.apiVersion, row.kind);
    },
    storage: { ...parseApiVersion(row.storedAs ?? row.apiVersion), resource: row.resource },
  };
}

function toSubresource(row: ResourceRow, sub: SubresourceRow): Subresource {
  const { apiVersion, kind } = sub.of ?? row;
  return {
    name: sub.name,
    verbs: sub.verbs,
    ...parseApiVersion(apiVersion),
    kind,
    get schema() {
      return declared(apiVersion, kind);
    },
  };
}

function declared(apiVersion: string, kind: string): ObjectSchema {
  return ownKind(apiVersion, kind) ?? builtin(apiVersion, kind);
}
