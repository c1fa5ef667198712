/** Creation of an object: decode, default, admit, validate, guard, store. */
import type { KubeObject } from '../../api/meta.ts';
import { alreadyExists, invalid } from '../../api/status.ts';
import { rfc3339 } from '../../std/clock.ts';
import type { Address } from './address.ts';
import { keyOf } from './address.ts';
import { withEntries, withValidEntries } from './apply/managers.ts';
import type { Entries } from './apply/managers.ts';
import { ownersAtBirth } from './apply/owners.ts';
import { toServed, toStorage, toWritten } from './faces.ts';
import { addressed, born } from './object-meta.ts';
import { withDefaults } from './defaulting.ts';
import type { Call, WriteOptions, Written } from './resources.ts';
import { begun, settled } from './strategy.ts';
import { causesOfCreate } from './validate/object.ts';
import type { Writer } from './writer.ts';
import { admissionRequest, maxAttempts, rejected } from './writer.ts';

/**
 * Creates `object`, decoded in the version that `address` serves. A generated name that is taken is generated anew.
 * `owners` are its owners where they are known already (an apply); otherwise all of it is the creator's.
 * Throws AlreadyExists, Invalid, NotFound (its namespace), Forbidden.
 */
export async function createObject<Row>(
  writer: Writer<Row>,
  call: Call<Row>,
  address: Address,
  object: KubeObject,
  options: WriteOptions,
  owners?: Entries,
): Promise<Written> {
  const { type, of, target } = address;
  const whole = withDefaults(type, addressed(type, object, target));
  const began = rfc3339(writer.clock.now());
  const first = owners ?? ownersAtBirth(address, whole, options.fieldManager, began);
  const sent = withEntries(whole, first);
  const isGenerated = (sent.metadata.name ?? '') === '' && (sent.metadata.generateName ?? '') !== '';
  for (let attempt = 1; ; attempt++) {
    const fresh = { uid: writer.uid(), now: rfc3339(writer.clock.now()), random: writer.random(5) };
    const start = begun(type, born(type, toStorage(type, sent), fresh));
    const what = { operation: 'CREATE', old: undefined, dryRun: options.dryRun } as const;
    const mutated = settled(
      type,
      await writer.admission.mutate(admissionRequest(call, address, { ...what, object: start })),
    );
    const kept = withValidEntries(mutated, first, (text) => call.warn(text));
    const admitted = writer.verdict(type, kept, undefined);
    const name = admitted.metadata.name ?? '';
    const early = causesOfCreate(type, admitted, writer);
    if (early.length > 0) throw invalid(type.group, type.kind, name, early);
    await writer.admission.validate(admissionRequest(call, address, { ...what, object: admitted }));
    for (const guard of writer.guards) await guard(call, target, undefined, admitted);
    const allocation = await writer.services.allocate(type, admitted, undefined, options.dryRun);
    try {
      if (options.dryRun) {
        const taken = await writer.store.get(keyOf(type, target.namespace, name), { kind: 'current' }, call.signal);
        if (taken !== undefined && !isGenerated) throw alreadyExists(of, name);
        return { code: 201, object: toServed(type, allocation.object) };
      }
      const verdict = await writer.store.write(
        { kind: 'create', key: keyOf(type, target.namespace, name), object: toWritten(type, allocation.object) },
        (revision) => call.record({ code: 201, revision, object: allocation.object }),
      );
      if (verdict.outcome === 'committed') {
        await allocation.keep();
        return { code: 201, object: toServed(type, verdict.stored.object) };
      }
      if (verdict.outcome === 'rejected') throw rejected(verdict.message);
      if (!isGenerated || attempt >= maxAttempts) throw alreadyExists(of, name);
      await allocation.release();
    } catch (error) {
      await allocation.release(error);
      throw error;
    }
  }
}
