/**
 * Changes of an object that exists: update, patch, status, scale and the other subresources are the same walk with
 * another view of the object. The walk reads, changes, judges and writes; when somebody else wrote in between it
 * begins again, unless the client said which version it meant.
 */
import type { KubeObject } from '../../api/meta.ts';
import { apiVersionOf } from '../../api/meta.ts';
import type { ResourceType } from '../../api/schema/kinds.ts';
import { StatusError, conflict, forbidden, invalid, notFound } from '../../api/status.ts';
import { rfc3339 } from '../../std/clock.ts';
import { equal } from '../../std/value.ts';
import type { Stored } from '../store/store.ts';
import type { Address } from './address.ts';
import { keyOf } from './address.ts';
import { sameButTimes, storedEntries, withEntries, withValidEntries } from './apply/managers.ts';
import type { Entries } from './apply/managers.ts';
import { ownersAfter } from './apply/owners.ts';
import { createObject } from './create.ts';
import { toServed, toWritten } from './faces.ts';
import { kept } from './object-meta.ts';
import { isDeletedByUpdate } from './remove-plan.ts';
import type { Call, WriteOptions, Written } from './resources.ts';
import { allowsCreateOnUpdate, allowsUnconditionalUpdate } from './strategy.ts';
import { causesOfUpdate } from './validate/object.ts';
import { required } from './validate/causes.ts';
import { viewOf } from './view.ts';
import type { Writer } from './writer.ts';
import { admissionRequest, contended, maxAttempts, rejected } from './writer.ts';

/** What the client asks for: from its view of the present object to its view of the next one. */
export interface Wish {
  /**
   * An update that names no resourceVersion is a wish of its own; a patch always begins from what is there. What an apply
   * gives back carries its owners already, which for the others follow from what changed.
   */
  readonly kind: 'update' | 'patch' | 'apply';
  /** `present` is what the subresource shows of `stored`. */
  readonly next: (present: KubeObject, stored: KubeObject) => KubeObject;
  /** What is created when nothing is there, where the kind allows it; an apply always may. */
  readonly create: (() => KubeObject) | undefined;
}

/** Carries out `wish`. A change that changes nothing writes nothing and keeps the resourceVersion. */
export async function modifyObject<Row>(
  writer: Writer<Row>,
  call: Call<Row>,
  address: Address,
  wish: Wish,
  options: WriteOptions,
): Promise<Written> {
  const { type, of, target } = address;
  const key = keyOf(type, target.namespace, target.name);
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const stored = await writer.store.get(key, { kind: 'current' }, call.signal);
    if (stored === undefined) {
      if (wish.create === undefined || !(wish.kind === 'apply' || allowsCreateOnUpdate(type))) {
        throw notFound(of, target.name);
      }
      const made = await createByUpdate(writer, call, address, { ...wish, create: wish.create }, options);
      if (made !== undefined) return made;
      continue;
    }
    const written = await attemptOne(writer, call, address, { wish, stored, options });
    if (written !== undefined) return written;
  }
  throw contended(address);
}

/** One walk; undefined when somebody else wrote in between. */
async function attemptOne<Row>(
  writer: Writer<Row>,
  call: Call<Row>,
  address: Address,
  what: { readonly wish: Wish; readonly stored: Stored; readonly options: WriteOptions },
): Promise<Written | undefined> {
  const { type, of, target, subresource } = address;
  const { stored, options } = what;
  // A custom kind is changed and judged in the version that was asked for.
  const old = type.custom === undefined ? stored.object : toServed(type, stored.object);
  const view = viewOf(type, subresource);
  const asked = what.wish.next(view.of(old), old);
  checkVersion(address, asked, old);
  const changed = kept(type, view.into(asked, old), old);
  const now = rfc3339(writer.clock.now());
  const owners: Entries =
    what.wish.kind === 'apply'
      ? storedEntries(asked.metadata.managedFields)
      : ownersAfter(address, { old, next: changed, sent: asked.metadata.managedFields }, options.fieldManager, now);
  const owned = withEntries(changed, owners);
  const request = { operation: 'UPDATE', old, dryRun: options.dryRun } as const;
  const mutated = await writer.admission.mutate(admissionRequest(call, address, { ...request, object: owned }));
  const admitted = withValidEntries(mutated, owners, (text) => call.warn(text));
  const next = writer.verdict(type, view.count(writer.services.carriedOver(type, admitted, old), old), old);
  const causes = causesOfUpdate(type, target.subresource, next, old, writer);
  if (causes.length > 0) throw invalid(type.group, type.kind, target.name, causes);
  await writer.admission.validate(admissionRequest(call, address, { ...request, object: next }));
  for (const guard of writer.guards) await guard(call, target, old, next);
  const allocation = await writer.services.allocate(type, next, old, options.dryRun);
  const answer = (object: KubeObject): Written => ({ code: 200, object: view.of(object) });
  const { resourceVersion = '' } = old.metadata;
  const same = { ...allocation.object, metadata: { ...allocation.object.metadata, resourceVersion } };
  if (isSame(same, old) && isStoredAsNow(type, stored.object)) return answer(old);
  if (options.dryRun) return answer(same);
  try {
    const verdict = await writer.store.write(
      isDeletedByUpdate(type, same)
        ? { kind: 'delete', key: stored.key, expected: stored.revision }
        : { kind: 'update', key: stored.key, object: toWritten(type, allocation.object), expected: stored.revision },
      (revision) => call.record({ code: 200, revision, object: same }),
    );
    if (verdict.outcome === 'committed') {
      await allocation.keep();
      if (!isDeletedByUpdate(type, same)) return answer(toServed(type, verdict.stored.object));
      await writer.services.releaseAll(type, same);
      return answer(same);
    }
    await allocation.release();
    if (verdict.outcome === 'rejected') throw rejected(verdict.message);
    if (verdict.outcome === 'not-found' && what.wish.create === undefined) throw notFound(of, target.name);
    return undefined;
  } catch (error) {
    await allocation.release(error);
    throw error;
  }
}

/** Whether nothing changed but, at most, when its owners last wrote. */
function isSame(next: KubeObject, old: KubeObject): boolean {
  const { managedFields } = old.metadata;
  if (!sameButTimes(next.metadata.managedFields, managedFields)) return false;
  const { managedFields: _times, ...metadata } = next.metadata;
  return equal({ ...next, metadata: managedFields === undefined ? metadata : { ...metadata, managedFields } }, old);
}

/** Whether `object` is in the version that its kind is stored in now: writing it anew is how objects are migrated. */
function isStoredAsNow({ custom, storage }: ResourceType, object: KubeObject): boolean {
  return custom === undefined || object.apiVersion === apiVersionOf(storage.group, storage.version);
}

/** Whether the client's version of the object is the present one, where it names one. */
function checkVersion({ type, of, target }: Address, asked: KubeObject, old: KubeObject): void {
  const { resourceVersion: claimed = '' } = asked.metadata;
  if (claimed === '') {
    if (allowsUnconditionalUpdate(type)) return;
    throw invalid(type.group, type.kind, target.name, [
      {
        ...required('metadata.resourceVersion'),
        reason: 'FieldValueInvalid',
        message: 'Invalid value: 0x0: must be specified for an update',
      },
    ]);
  }
  if (claimed !== old.metadata.resourceVersion) throw conflict(of, target.name);
}

/** undefined when somebody else created what an apply found missing: it goes on with what is there now. */
async function createByUpdate<Row>(
  writer: Writer<Row>,
  call: Call<Row>,
  address: Address,
  wish: Wish & { readonly create: () => KubeObject },
  options: WriteOptions,
): Promise<Written | undefined> {
  const { type, of, target } = address;
  const { group, version, resource } = type;
  const isAllowed = await call.allowed({
    verb: 'create',
    group,
    version,
    resource,
    subresource: '',
    namespace: target.namespace,
    name: target.name,
  });
  if (!isAllowed) {
    throw forbidden(
      of,
      target.name,
      `User ${JSON.stringify(call.user.name)} cannot create resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)}`,
    );
  }
  const object = wish.create();
  const { resourceVersion = '', uid = '' } = object.metadata;
  if (resourceVersion !== '') throw new StatusError('Conflict', conflict(of, target.name).message);
  if (wish.kind !== 'apply') return await createObject(writer, call, address, object, options);
  if (uid !== '') {
    throw conflict(
      of,
      target.name,
      `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
    );
  }
  try {
    const owners = storedEntries(object.metadata.managedFields);
    return await createObject(writer, call, address, object, options, owners);
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'AlreadyExists') return undefined;
    throw error;
  }
}
