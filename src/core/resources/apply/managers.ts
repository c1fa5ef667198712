/**
 * The entries of metadata.managedFields: who owns which fields, one entry for each way in which somebody writes. An entry
 * is known by manager, operation and subresource, one of an update by its version too. Entries are values; one that does
 * not change is shared from one version of an object to the next.
 * Source: apiserver's field manager; order and identity as upstream has them.
 */
import type { ManagedFieldsEntry, ObjectMeta } from '../../../api/types/meta.ts';
import { parseInstant } from '../../../std/clock.ts';
import { equal } from '../../../std/value.ts';
import type { FieldSet } from './field-set.ts';
import { isEmptySet, leaf, readSet, union } from './field-set.ts';

/** An entry whose set is known to be one. */
export interface Entry extends ManagedFieldsEntry {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly fieldsV1: FieldSet;
}

export type Entries = readonly Entry[];

/** Who writes, and through what. */
export interface Who {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** '' for the object itself. */
  readonly subresource: string;
}

/** The most entries of updates that are kept apart; older ones become one for each version. Source: upstream. */
const mostUpdaters = 10;
const ancient = 'ancient-changes';

/** A new entry of `who`. */
export function entryOf(who: Who, fields: FieldSet, time: string | undefined): Entry {
  return {
    manager: who.manager,
    operation: who.operation,
    apiVersion: who.apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
    ...(who.subresource === '' ? {} : { subresource: who.subresource }),
  };
}

/** Whether `entry` is the one of `who`. Applying in another version goes on with the same entry. */
export function isOf(entry: Entry, who: Who): boolean {
  return (
    entry.manager === who.manager &&
    entry.operation === who.operation &&
    (entry.subresource ?? '') === who.subresource &&
    (who.operation === 'Apply' || entry.apiVersion === who.apiVersion)
  );
}

/** `entry` with other fields; undefined where none are left. */
export function withFields(entry: Entry, fields: FieldSet): Entry | undefined {
  if (fields === entry.fieldsV1) return entry;
  return isEmptySet(fields) ? undefined : { ...entry, fieldsV1: fields };
}

/** The entries of an object from the store, which keeps none but ours. */
export function storedEntries(managedFields: readonly ManagedFieldsEntry[] | undefined): Entries {
  return (managedFields ?? []) as Entries; // written by this folder alone, checked when they came from a client
}

/** The entries a client sent, in their one spelling, or undefined where some part is not what an entry has to be. */
export function readEntries(managedFields: readonly ManagedFieldsEntry[]): Entries | undefined {
  const entries = new Map<string, Entry>();
  for (const sent of managedFields) {
    const { manager = '', operation, apiVersion = '', fieldsType, subresource = '', time } = sent;
    const fields = readSet(sent.fieldsV1 ?? {});
    if (!isOperation(operation)) return undefined;
    if (apiVersion === '' || fieldsType !== 'FieldsV1' || fields === undefined) return undefined;
    const entry = entryOf({ manager, operation, apiVersion, subresource }, fields, time);
    entries.set(identityOf(entry), entry);
  }
  return sorted([...entries.values()]);
}

function isOperation(text: string | undefined): text is Entry['operation'] {
  return text === 'Apply' || text === 'Update';
}

/** What tells an entry from every other. */
function identityOf({ manager, operation, apiVersion, subresource }: ManagedFieldsEntry): string {
  return JSON.stringify([manager, operation, operation === 'Apply' ? '' : apiVersion, subresource ?? '']);
}

/** Whether what a client sent asks that all managers be forgotten. */
export function isReset(managedFields: readonly ManagedFieldsEntry[]): boolean {
  return managedFields.length === 0 || (managedFields.length === 1 && equal(managedFields[0], {}));
}

/** Entries in the order they are written: Apply before Update, then by time (whole seconds), manager, version, subresource. */
export function sorted(entries: Entries): Entries {
  return entries.length < 2 ? entries : entries.toSorted(byOrder);
}

function byOrder(a: Entry, b: Entry): number {
  return (
    compareText(a.operation, b.operation) ||
    secondsOf(a) - secondsOf(b) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource ?? '', b.subresource ?? '')
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function secondsOf({ time }: Entry): number {
  return time === undefined ? 0 : Math.floor((parseInstant(time) ?? 0) / 1000);
}

/** Whether both lists say the same, but for times. */
export function sameButTimes(
  a: readonly ManagedFieldsEntry[] | undefined,
  b: readonly ManagedFieldsEntry[] | undefined,
): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return (a ?? []).length === (b ?? []).length;
  if (a.every((entry, index) => isSameButTime(entry, b[index]))) return true;
  const others = new Map(b.map((entry) => [identityOf(entry), entry])); // the order goes by time, so one may have moved
  return a.every((entry) => isSameButTime(entry, others.get(identityOf(entry))));
}

function isSameButTime(a: ManagedFieldsEntry, b: ManagedFieldsEntry | undefined): boolean {
  return a === b || (b !== undefined && equal({ ...a, time: '' }, { ...b, time: '' }));
}

/**
 * `entries` with at most ten of updates: the oldest are joined, those of one version into one entry called ancient-changes
 * with the time of the youngest of them.
 */
export function capped(entries: Entries): Entries {
  const updates = entries.filter((entry) => entry.operation === 'Update').toSorted(byOrder);
  let surplus = updates.length - mostUpdaters;
  if (surplus <= 0) return entries;
  const joined = new Map<string, Entry>();
  const gone = new Set<Entry>();
  for (const entry of updates) {
    const before = joined.get(entry.apiVersion);
    if (before !== undefined && surplus <= 0) break;
    gone.add(entry);
    if (before === undefined) {
      joined.set(entry.apiVersion, entry);
      continue;
    }
    const who: Who = { manager: ancient, operation: 'Update', apiVersion: entry.apiVersion, subresource: '' };
    joined.set(entry.apiVersion, entryOf(who, union(before.fieldsV1, entry.fieldsV1), entry.time));
    surplus--;
  }
  return sorted([...entries.filter((entry) => !gone.has(entry)), ...joined.values()]);
}

/** All that anybody in `entries` owns. */
export function ownedByAll(entries: Entries): FieldSet {
  return entries.reduce((all, entry) => union(all, entry.fieldsV1), leaf);
}

/** `object` (any object with metadata) with these entries as its managedFields. */
export function withEntries<T extends { readonly metadata: object }>(object: T, entries: Entries): T {
  const { managedFields: _before, ...metadata } = object.metadata as { readonly managedFields?: unknown }; // any metadata may have it
  return { ...object, metadata: entries.length === 0 ? metadata : { ...metadata, managedFields: entries } };
}

/**
 * `admitted` with entries that are some: where admission (a webhook) has made nonsense of those in `before`, they are put
 * back and the client is told. Source: upstream's check behind admission.
 */
export function withValidEntries<T extends { readonly metadata: Pick<ObjectMeta, 'managedFields'> }>(
  admitted: T,
  before: Entries,
  warn: (text: string) => void,
): T {
  const { managedFields } = admitted.metadata;
  if (managedFields === before || (managedFields === undefined && before.length === 0)) return admitted;
  const read = readEntries(managedFields ?? []);
  if (read !== undefined) return withEntries(admitted, read);
  warn(
    '.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller',
  );
  return withEntries(admitted, before);
}
