/**
 * The kinds that are served at this moment: the built-in ones, and those that the cluster's CustomResourceDefinitions
 * declare. The definitions are followed synchronously, so a change of one is in force before its write is answered; other
 * gateways have it as soon as their cache has, and ask what is committed before they say that something is not there.
 */
import { parseApiVersion, resourceName } from '../../../api/meta.ts';
import type { KubeObject } from '../../../api/meta.ts';
import { byPriority, customTypes, isEstablished } from '../../../api/schema/custom/kind.ts';
import { builtinKinds } from '../../../api/schema/kinds.ts';
import type { Kinds, ResourceType } from '../../../api/schema/kinds.ts';
import { at, equal, fieldsOf, listOf } from '../../../std/value.ts';
import { definitionsName } from './definition-status.ts';
import type { Change, Store } from '../../store/store.ts';

export interface ServedKinds extends Kinds {
  /** As `find`, after catching up with what is committed when the cache knows no such resource. */
  findCurrent(group: string, version: string, resource: string): Promise<ResourceType | undefined>;
  /** Every definition that this process knows, established or not. */
  definitions(): readonly KubeObject[];
}

interface Entry {
  readonly definition: KubeObject;
  readonly types: readonly ResourceType[];
  readonly retired: AbortController;
}

/** The built-in kinds, where nothing else is to be served. */
export const builtinOnly: ServedKinds = {
  ...builtinKinds,
  findCurrent: async (group, version, resource) => builtinKinds.find(group, version, resource),
  definitions: () => [],
};

/** Built-in and custom kinds over `store`, up to date with its cache from now on. */
export async function followKinds(store: Pick<Store, 'get' | 'observe'>): Promise<ServedKinds> {
  const entries = new Map<string, Entry>();
  let served = snapshotOf(entries);

  const observe = ({ kind, stored }: Change): void => {
    const { name } = stored.key;
    const before = entries.get(name);
    if (kind !== 'deleted' && before !== undefined && servesTheSame(before.definition, stored.object)) {
      entries.set(name, { ...before, definition: stored.object });
      return;
    }
    if (kind === 'deleted') entries.delete(name);
    else entries.set(name, entryOf(stored.object));
    served = snapshotOf(entries);
    before?.retired.abort();
  };
  await store.observe(definitionsName, observe);

  const find: Kinds['find'] = (group, version, resource) =>
    builtinKinds.find(group, version, resource) ?? served.byPath.get(`${group}/${version}/${resource}`);
  return {
    find,
    all: () => served.all,
    findCurrent: async (group, version, resource) => {
      const known = find(group, version, resource);
      if (known !== undefined || !group.includes('.')) return known;
      await store.get({ resource: definitionsName, namespace: '', name: `${resource}.${group}` }, { kind: 'current' });
      return find(group, version, resource);
    },
    definitions: () => [...entries.values()].map(({ definition }) => definition),
  };
}

function entryOf(definition: KubeObject): Entry {
  const retired = new AbortController();
  const types = isEstablished(definition) ? customTypes(definition, retired.signal) : [];
  // Whatever its status says: no definition reaches the objects of a built-in kind, or of another definition.
  const own = types.filter(
    ({ storage }) =>
      resourceName(storage) === definition.metadata.name && !builtinNames().has(definition.metadata.name),
  );
  return { definition, types: own, retired };
}

let names: ReadonlySet<string> | undefined;

function builtinNames(): ReadonlySet<string> {
  return (names ??= new Set(builtinKinds.all().flatMap((type) => [resourceName(type), resourceName(type.storage)])));
}

/** Whether nothing that clients of the kind could notice is different. */
function servesTheSame(before: KubeObject, after: KubeObject): boolean {
  const told = (definition: KubeObject): unknown => ({
    uid: definition.metadata.uid,
    isGoing: definition.metadata.deletionTimestamp !== undefined,
    isServed: isEstablished(definition),
    isEnding: listOf(at(definition, 'status', 'conditions'))
      .map(fieldsOf)
      .some((condition) => condition['type'] === 'Terminating' && condition['status'] === 'True'),
    names: at(definition, 'status', 'acceptedNames'),
    spec: definition['spec'],
  });
  return equal(told(before), told(after));
}

interface Snapshot {
  readonly all: readonly ResourceType[];
  readonly byPath: ReadonlyMap<string, ResourceType>;
}

function snapshotOf(entries: ReadonlyMap<string, Entry>): Snapshot {
  const custom = [...entries.values()].flatMap(({ types }) => types).toSorted(inDiscoveryOrder);
  return {
    all: custom.length === 0 ? builtinKinds.all() : [...builtinKinds.all(), ...custom],
    byPath: new Map(custom.map((type) => [`${type.group}/${type.version}/${type.resource}`, type])),
  };
}

/** By group, the preferred version first, by resource. */
function inDiscoveryOrder(a: ResourceType, b: ResourceType): number {
  const [left, right] = [parseApiVersion(a.apiVersion), parseApiVersion(b.apiVersion)];
  if (left.group !== right.group) return left.group < right.group ? -1 : 1;
  const versions = byPriority(left.version, right.version);
  return versions === 0 ? Number(a.resource > b.resource) - Number(a.resource < b.resource) : versions;
}
