/** What is created on an object instead of beside it: a binding, an eviction. */
import type { KubeObject } from '../../api/meta.ts';
import { findType } from '../../api/schema/kinds.ts';
import { badRequest, notFound } from '../../api/status.ts';
import type { DeleteOptions } from '../../api/types/meta.ts';
import { rfc3339 } from '../../std/clock.ts';
import { fieldsOf } from '../../std/value.ts';
import type { Stored } from '../store/store.ts';
import type { Address } from './address.ts';
import { keyOf, methodNotAllowed } from './address.ts';
import { bound } from './kinds/binding.ts';
import { evictionVerdict } from './kinds/eviction.ts';
import { removeObject } from './remove.ts';
import { statusObject } from './writer.ts';
import type { Call, WriteOptions, Written } from './resources.ts';
import type { Writer } from './writer.ts';
import { admissionRequest, contended, maxAttempts } from './writer.ts';

/** Carries out what `sent` asks of the object that `address` names. Throws MethodNotAllowed for any other subresource. */
export async function createOnObject<Row>(
  writer: Writer<Row>,
  call: Call<Row>,
  address: Address,
  sent: KubeObject,
  options: WriteOptions,
): Promise<Written> {
  const { name, namespace = '' } = sent.metadata;
  if (name !== '' && name !== address.target.name) throw badRequest('name in URL does not match name in the object');
  if (namespace !== '' && namespace !== address.target.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  switch (address.subresource?.name) {
    case 'binding':
      return await bind(writer, call, address, sent, options);
    case 'eviction':
      return await evict(writer, call, address, sent, options);
    case undefined:
    default:
      throw methodNotAllowed();
  }
}

async function bind<Row>(
  writer: Writer<Row>,
  call: Call<Row>,
  address: Address,
  binding: KubeObject,
  options: WriteOptions,
): Promise<Written> {
  const { type, of, target } = address;
  const answer: Written = { code: 201, object: success() };
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const stored = await writer.store.get(keyOf(type, target.namespace, target.name), { kind: 'current' }, call.signal);
    if (stored === undefined) throw notFound(of, target.name);
    const object = bound(stored.object, binding, writer.clock.now());
    const request = { operation: 'CREATE', object: binding, old: undefined, dryRun: options.dryRun } as const;
    await writer.admission.validate(admissionRequest(call, address, request));
    if (options.dryRun) return answer;
    const verdict = await writer.store.write(
      { kind: 'update', key: stored.key, object, expected: stored.revision },
      (revision) => call.record({ code: 201, revision, object }),
    );
    if (verdict.outcome === 'committed') return answer;
  }
  throw contended(address);
}

async function evict<Row>(
  writer: Writer<Row>,
  call: Call<Row>,
  address: Address,
  eviction: KubeObject,
  options: WriteOptions,
): Promise<Written> {
  const { type, of, target } = address;
  const remove = fieldsOf(eviction['deleteOptions']) as DeleteOptions; // decoded by its schema
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const stored = await writer.store.get(keyOf(type, target.namespace, target.name), { kind: 'current' }, call.signal);
    if (stored === undefined) throw notFound(of, target.name);
    const budgets = await budgetsIn(writer, target.namespace, call.signal);
    const now = rfc3339(writer.clock.now());
    const verdict = evictionVerdict(
      stored.object,
      budgets.map((budget) => budget.object),
      now,
    );
    if (verdict.kind === 'spend' && !options.dryRun) {
      const spent = budgets.find((budget) => budget.object.metadata.uid === verdict.budget.metadata.uid);
      // The budget is spent before the pod goes: two evictions at once cannot both use the last disruption.
      if (spent === undefined) continue;
      const mutation = { kind: 'update', key: spent.key, object: verdict.budget, expected: spent.revision } as const;
      if ((await writer.store.write(mutation, writer.internalRows(mutation))).outcome !== 'committed') continue;
    }
    const preconditions = {
      ...remove.preconditions,
      ...(stored.object.metadata.uid === undefined ? {} : { uid: stored.object.metadata.uid }),
    };
    const pod = { ...address, subresource: undefined, target: { ...target, subresource: '' } };
    await removeObject(writer, call, pod, { remove: { ...remove, preconditions }, dryRun: options.dryRun });
    return { code: 201, object: success() };
  }
  throw contended(address);
}

async function budgetsIn<Row>(writer: Writer<Row>, namespace: string, signal: AbortSignal): Promise<readonly Stored[]> {
  const type = findType('policy', 'v1', 'poddisruptionbudgets');
  if (type === undefined) return [];
  const query = { fresh: { kind: 'current' }, limit: undefined, after: undefined, matches: undefined } as const;
  const page = await writer.store.list({ ...query, resource: keyOf(type, '', '').resource, namespace }, signal);
  return page.items;
}

function success(): KubeObject {
  return statusObject({ status: 'Success', code: 201 });
}
