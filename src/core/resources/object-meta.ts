/**
 * The part of metadata that belongs to the server: who an object is, when it began, which change it is. A client's
 * words about these are checked or replaced. Pure.
 */
import type { KubeObject } from '../../api/meta.ts';
import type { ResourceType } from '../../api/schema/kinds.ts';
import { badRequest, conflict } from '../../api/status.ts';
import type { ObjectMeta } from '../../api/types/meta.ts';
import { without } from '../../std/value.ts';
import type { Target } from './resources.ts';
import { isCounted } from './strategy.ts';

/** Characters of generated names: none that reads like another or makes a word. Source: apimachinery, utilrand. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Longest generateName prefix that leaves room for five characters. Source: apiserver, names. */
const longestPrefix = 58;

/** `prefix` with five characters made of `random` bytes (at least five). */
export function generatedName(prefix: string, random: Uint8Array): string {
  const suffix = [...random.subarray(0, 5)].map((byte) => alphabet[byte % alphabet.length]).join('');
  return prefix.slice(0, longestPrefix) + suffix;
}

/** Checks that the body agrees with the address, and puts the address's namespace and name where the body has none. */
export function addressed(type: ResourceType, object: KubeObject, target: Target): KubeObject {
  const { namespace = '', name } = object.metadata;
  const isSelf = type.group === '' && type.resource === 'namespaces';
  if (type.namespaced && namespace !== '' && namespace !== target.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (!type.namespaced && namespace !== '' && !isSelf) {
    throw badRequest('namespace is not allowed on this type');
  }
  if (target.name !== '' && name !== '' && name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`);
  }
  const kept = without(object.metadata, 'namespace', 'selfLink') as unknown as ObjectMeta; // fields taken away are optional
  return {
    ...object,
    metadata: {
      ...kept,
      ...(target.name === '' || name !== '' ? {} : { name: target.name }),
      ...(type.namespaced ? { namespace: target.namespace } : {}),
    },
  };
}

/** Throws BadRequest for an object of another name than the one addressed. */
export function checkName(object: KubeObject, target: Target): void {
  const { name } = object.metadata;
  if (name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`);
  }
}

/** Metadata of an object that begins: identity and birth are the server's. */
export function born(
  type: ResourceType,
  object: KubeObject,
  fresh: { readonly uid: string; readonly now: string; readonly random: Uint8Array },
): KubeObject {
  const { name, generateName = '' } = object.metadata;
  if ((object.metadata.resourceVersion ?? '') !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  const kept = without(
    object.metadata,
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generation',
    'resourceVersion',
  ) as unknown as ObjectMeta; // fields taken away are optional
  const metadata: ObjectMeta = {
    ...kept,
    ...(name === '' && generateName !== '' ? { name: generatedName(generateName, fresh.random) } : {}),
    uid: fresh.uid,
    creationTimestamp: fresh.now,
    ...(isCounted(type) ? { generation: 1 } : {}),
  };
  return { ...object, metadata };
}

/** Metadata of a changed object: what the server owns stays as `old` has it. Throws Conflict for another uid. */
export function kept(type: ResourceType, next: KubeObject, old: KubeObject): KubeObject {
  const { uid = '' } = next.metadata;
  if (uid !== '' && uid !== old.metadata.uid) {
    throw conflict(
      { group: type.group, resource: type.resource },
      old.metadata.name ?? '',
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid ?? ''}`,
    );
  }
  const own = [
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generation',
    'generateName',
  ];
  const theirs = without(next.metadata, ...own, 'managedFields', 'resourceVersion', 'selfLink');
  const ours = Object.fromEntries(Object.entries(old.metadata).filter(([name]) => own.includes(name)));
  return { ...next, metadata: { ...theirs, ...ours } as unknown as ObjectMeta }; // both halves came from one
}
