/**
 * The resources that one CustomResourceDefinition adds: a type for each version that it serves, in the same shape as the
 * built-in ones. What only custom kinds have is under `custom`.
 */
import { parseApiVersion } from '../../meta.ts';
import type { KubeObject } from '../../meta.ts';
import { at, fieldsOf, listOf, textOf } from '../../../std/value.ts';
import type { Fields } from '../../../std/value.ts';
import { builtin } from '../builtin.ts';
import type { Column } from '../columns-table.ts';
import type { ResourceType, Subresource } from '../kinds.ts';
import { everyVerb } from '../kinds.ts';
import { customColumns } from './columns.ts';
import { customForm } from './form.ts';
import { fieldNames, parseJsonPath } from './json-path.ts';
import type { Structural } from './structural.ts';
import { parseStructural } from './structural.ts';

/** What a custom kind has beyond a built-in one, for one of its versions. */
export interface CustomKind {
  readonly definition: CustomDefinition;
  readonly version: string;
  readonly schema: Structural;
  /** Where the numbers of a Scale lie, as names of fields; undefined where it cannot be scaled. */
  readonly scale: ScalePaths | undefined;
  readonly columns: readonly Column[];
  /** What it can be selected by, besides name and namespace: `spec.color`. */
  readonly selectable: readonly string[];
  /** What a client that uses this version is warned of. */
  readonly deprecation: string | undefined;
}

export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  readonly selector: readonly string[] | undefined;
}

/** What the versions of a custom kind share. */
export interface CustomDefinition {
  /** `crontabs.stable.example.com`. */
  readonly name: string;
  readonly uid: string;
  readonly group: string;
  readonly storageVersion: string;
  /** The schema of a version that is declared, served or not. Read on first use. */
  schemaOf(version: string): Structural | undefined;
  /** spec.conversion.webhook; undefined when versions differ by name alone. */
  readonly webhook: Fields | undefined;
  /** It is being deleted: its objects are only read and deleted. */
  readonly isEnding: boolean;
  /** Aborts when this state of the definition is replaced: watches of its kinds end, and clients begin anew. */
  readonly retired: AbortSignal;
}

/** What a kind that is being deleted still allows. */
const endingVerbs = ['delete', 'deletecollection', 'get', 'list', 'watch'];

/** Whether `definition` (a CustomResourceDefinition) is to be served. */
export function isEstablished(definition: KubeObject): boolean {
  return isTrue(definition, 'Established');
}

function isTrue(definition: KubeObject, type: string): boolean {
  const conditions = listOf(at(definition, 'status', 'conditions')).map(fieldsOf);
  return conditions.some((condition) => condition['type'] === type && condition['status'] === 'True');
}

/** The types that `definition` (a CustomResourceDefinition) serves, the preferred version first; schemas are read on first use. */
export function customTypes(definition: KubeObject, retired: AbortSignal): readonly ResourceType[] {
  return typesOf(definition, retired)
    .filter(({ isServed }) => isServed)
    .map(({ type }) => type);
}

/** The type that the objects of `definition` are stored as, served or not; undefined where no version is for storage. */
export function storageTypeOf(definition: KubeObject): ResourceType | undefined {
  return typesOf(definition, new AbortController().signal).find(({ type }) => type.version === type.storage.version)
    ?.type;
}

function typesOf(
  definition: KubeObject,
  retired: AbortSignal,
): readonly { readonly type: ResourceType; readonly isServed: boolean }[] {
  const spec = fieldsOf(definition['spec']);
  const names = fieldsOf(at(definition, 'status', 'acceptedNames'));
  const group = textOf(spec['group']);
  const versions = listOf(spec['versions']).map(fieldsOf);
  const isEnding = definition.metadata.deletionTimestamp !== undefined || isTrue(definition, 'Terminating');
  const webhook =
    at(spec, 'conversion', 'strategy') === 'Webhook' ? fieldsOf(at(spec, 'conversion', 'webhook')) : undefined;
  const shared: CustomDefinition = {
    name: definition.metadata.name,
    uid: definition.metadata.uid ?? '',
    group,
    storageVersion: textOf(versions.find((version) => version['storage'] === true)?.['name']),
    schemaOf: schemaReader(versions),
    webhook,
    isEnding,
    retired,
  };
  return versions
    .toSorted((a, b) => byPriority(textOf(a['name']), textOf(b['name'])))
    .map((version) => ({
      type: typeOf(version, { names, shared, isNamespaced: spec['scope'] === 'Namespaced' }),
      isServed: version['served'] === true,
    }));
}

function typeOf(
  version: Fields,
  of: { readonly names: Fields; readonly shared: CustomDefinition; readonly isNamespaced: boolean },
): ResourceType {
  const { names, shared } = of;
  const apiVersion = `${shared.group}/${textOf(version['name'])}`;
  const kind = textOf(names['kind']);
  const custom = customOf(version, `${apiVersion} ${kind}`, shared);
  let form: ResourceType['schema'] | undefined;
  const schema = (): ResourceType['schema'] => (form ??= customForm(custom.schema));
  const base = { ...parseApiVersion(apiVersion), kind };
  const status: Subresource = {
    ...base,
    name: 'status',
    verbs: ['get', 'patch', 'update'],
    custom,
    get schema() {
      return schema();
    },
  };
  return {
    ...base,
    apiVersion,
    resource: textOf(names['plural']),
    singular: textOf(names['singular']),
    listKind: textOf(names['listKind']),
    namespaced: of.isNamespaced,
    shortNames: listOf(names['shortNames']).map(textOf),
    categories: listOf(names['categories']).map(textOf),
    verbs: shared.isEnding ? endingVerbs : everyVerb,
    transient: false,
    subresources: [
      ...(at(version, 'subresources', 'status') === undefined ? [] : [status]),
      ...(custom.scale === undefined ? [] : [scaleSubresource]),
    ],
    custom,
    get schema() {
      return schema();
    },
    storage: { group: shared.group, version: shared.storageVersion, resource: textOf(names['plural']) },
  };
}

const scaleSubresource: Subresource = {
  name: 'scale',
  verbs: ['get', 'patch', 'update'],
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  get schema() {
    return builtin('autoscaling/v1', 'Scale');
  },
};

function customOf(version: Fields, what: string, definition: CustomDefinition): CustomKind {
  const scale = at(version, 'subresources', 'scale');
  const name = textOf(version['name']);
  let columns: readonly Column[] | undefined;
  return {
    definition,
    version: name,
    get schema() {
      return definition.schemaOf(name) ?? parseStructural({});
    },
    scale: scale === undefined ? undefined : scalePaths(fieldsOf(scale)),
    get columns() {
      return (columns ??= customColumns(version['additionalPrinterColumns']));
    },
    selectable: listOf(version['selectableFields']).map((one) => textOf(fieldsOf(one)['jsonPath']).replace(/^\./, '')),
    deprecation: deprecationOf(version, what),
  };
}

function deprecationOf(version: Fields, what: string): string | undefined {
  if (version['deprecated'] !== true) return undefined;
  const own = textOf(version['deprecationWarning']);
  return own === '' ? `${what} is deprecated` : own;
}

function scalePaths(scale: Fields): ScalePaths {
  const names = (field: string): readonly string[] | undefined => {
    const path = parseJsonPath(textOf(scale[field]));
    return path === undefined ? undefined : fieldNames(path);
  };
  return {
    specReplicas: names('specReplicasPath') ?? [],
    statusReplicas: names('statusReplicasPath') ?? [],
    selector: scale['labelSelectorPath'] === undefined ? undefined : names('labelSelectorPath'),
  };
}

function schemaReader(versions: readonly Fields[]): (version: string) => Structural | undefined {
  const raw = new Map(versions.map((version) => [textOf(version['name']), at(version, 'schema', 'openAPIV3Schema')]));
  const read = new Map<string, Structural>();
  return (version) => {
    if (!raw.has(version)) return undefined;
    const schema = read.get(version) ?? parseStructural(raw.get(version));
    read.set(version, schema);
    return schema;
  };
}

/** `v2` before `v1` before `v1beta2` before `v1beta1` before `v1alpha1`, then the others by name. Source: apimachinery, version priority. */
export function byPriority(a: string, b: string): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  if (left === undefined || right === undefined) {
    if (left === undefined && right === undefined) return a < b ? -1 : Number(a > b);
    return left === undefined ? 1 : -1;
  }
  for (const [index, part] of left.entries()) {
    const other = right[index] ?? 0;
    if (part !== other) return other - part;
  }
  return 0;
}

/** [stability, major, minor]; undefined for what is spelled otherwise. */
function rankOf(version: string): readonly number[] | undefined {
  const parts = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version);
  if (parts === null) return undefined;
  const stability = parts[2] === undefined ? 2 : parts[2] === 'beta' ? 1 : 0;
  return [stability, Number(parts[1]), Number(parts[3] ?? 0)];
}
