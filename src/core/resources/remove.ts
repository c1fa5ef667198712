/** Deletion of one object and of all that a list selects. */
import type { KubeObject } from '../../api/meta.ts';
import { decodeBody } from '../../api/schema/decode.ts';
import { schemaOf } from '../../api/schema/kinds.ts';
import { badRequest, conflict, failedWith, notFound } from '../../api/status.ts';
import type { DeleteOptions } from '../../api/types/meta.ts';
import type { Stored } from '../store/store.ts';
import type { Address } from './address.ts';
import { keyOf } from './address.ts';
import { toServed, servedFrom } from './faces.ts';
import { readList } from './read.ts';
import { planRemoval } from './remove-plan.ts';
import type { Body, Call, ListOptions, ListResult, WriteOptions, Written } from './resources.ts';
import type { Writer } from './writer.ts';
import { admissionRequest, contended, maxAttempts, rejected, statusObject } from './writer.ts';

/** DeleteOptions of a body; an empty body asks for nothing in particular. Throws BadRequest, Invalid. */
export function readDeleteOptions(body: Body): DeleteOptions {
  if (body.bytes.length === 0) return {};
  const schema = schemaOf('meta.k8s.io/v1', 'DeleteOptions');
  if (schema === undefined) throw new Error('the type table has no DeleteOptions');
  const expected = { group: 'meta.k8s.io', version: 'v1', kind: 'DeleteOptions', schema };
  const options = decodeBody(expected, body.bytes, body.contentType, 'Ignore').object as DeleteOptions; // decoded by its schema
  const policies = ['Foreground', 'Background', 'Orphan'];
  if (options.propagationPolicy !== undefined && !policies.includes(options.propagationPolicy)) {
    throw badRequest(
      `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: ${JSON.stringify(options.propagationPolicy)}: supported values: "Background", "Foreground", "Orphan"`,
    );
  }
  if (options.propagationPolicy !== undefined && options.orphanDependents !== undefined) {
    throw badRequest(
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: orphanDependents and deletionPropagation cannot be both set',
    );
  }
  return options;
}

/**
 * Deletes what `address` names. The answer is the object where it goes on to exist for a while (finalizers, a pod's
 * grace), else a Status. Throws NotFound, Conflict (preconditions).
 */
export async function removeObject<Row>(
  writer: Writer<Row>,
  call: Call<Row>,
  address: Address,
  what: { readonly remove: DeleteOptions; readonly dryRun: boolean },
): Promise<Written> {
  const { type, of, target } = address;
  const key = keyOf(type, target.namespace, target.name);
  const dryRun = what.dryRun || (what.remove.dryRun ?? []).includes('All');
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const stored = await writer.store.get(key, { kind: 'current' }, call.signal);
    if (stored === undefined) throw notFound(of, target.name);
    checkPreconditions(address, stored, what.remove);
    const request = { operation: 'DELETE', object: undefined, old: stored.object, dryRun } as const;
    await writer.admission.validate(admissionRequest(call, address, request));
    const plan = planRemoval(type, stored.object, what.remove, writer.clock.now());
    if (plan.kind === 'under-way') return { code: 200, object: toServed(type, stored.object) };
    const ended: Written = { code: 200, object: success(address, stored.object) };
    if (dryRun) return plan.kind === 'mark' ? { code: 200, object: toServed(type, plan.object) } : ended;
    const verdict = await writer.store.write(
      plan.kind === 'mark'
        ? { kind: 'update', key, object: plan.object, expected: stored.revision }
        : { kind: 'delete', key, expected: stored.revision },
      (revision) => call.record({ code: 200, revision, object: plan.kind === 'mark' ? plan.object : undefined }),
    );
    if (verdict.outcome === 'rejected') throw rejected(verdict.message);
    if (verdict.outcome === 'not-found') throw notFound(of, target.name);
    if (verdict.outcome !== 'committed') continue;
    if (plan.kind === 'mark') return { code: 200, object: toServed(type, verdict.stored.object) };
    await writer.services.releaseAll(type, stored.object);
    return ended;
  }
  throw contended(address);
}

/** Deletes what a list selects, one object after another; the answer is the list as it was. Gone meanwhile is fine. */
export async function removeCollection<Row>(
  writer: Writer<Row>,
  call: Call<Row>,
  address: Address,
  what: { readonly remove: DeleteOptions; readonly list: ListOptions; readonly options: WriteOptions },
): Promise<ListResult> {
  const listed = await readList(writer.store, address, what.list, call.signal);
  const items: Stored[] = [];
  for (const { key } of listed.items) {
    const one = { ...address, target: { ...address.target, namespace: key.namespace, name: key.name } };
    const stored = await writer.store.get(key, { kind: 'current' }, call.signal);
    if (stored === undefined) continue;
    items.push(servedFrom(address.type, stored));
    try {
      await removeObject(writer, call, one, { remove: what.remove, dryRun: what.options.dryRun });
    } catch (error) {
      if (!failedWith(error, 'NotFound')) throw error;
    }
  }
  return { ...listed, items };
}

function checkPreconditions(
  { of, target }: Address,
  { object, revision }: Stored,
  { preconditions }: DeleteOptions,
): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid !== undefined && uid !== object.metadata.uid) {
    throw conflict(
      of,
      target.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${object.metadata.uid ?? ''}`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== String(revision)) {
    throw conflict(
      of,
      target.name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${revision}`,
    );
  }
}

function success({ of, target }: Address, object: KubeObject): KubeObject {
  return statusObject({
    status: 'Success',
    details: {
      name: target.name,
      ...(of.group === '' ? {} : { group: of.group }),
      kind: of.resource,
      ...(object.metadata.uid === undefined ? {} : { uid: object.metadata.uid }),
    },
  });
}
