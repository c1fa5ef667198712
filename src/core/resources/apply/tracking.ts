/**
 * Who owns what after a write that is no apply: the writer takes what it added or changed, everybody loses what is gone.
 * It runs at every write of every object. An object that has no entries is not tracked until somebody applies to it;
 * one that a client creates is tracked from the start.
 * Source: Kubernetes, "Server-Side Apply", Update operations; apiserver's field manager.
 */
import { conform } from '../../../api/schema/conform.ts';
import type { ObjectSchema } from '../../../api/schema/form.ts';
import type { ManagedFieldsEntry } from '../../../api/types/meta.ts';
import type { Fields } from '../../../std/value.ts';
import { equal } from '../../../std/value.ts';
import type { Delta } from './compare.ts';
import { compare } from './compare.ts';
import { difference, isEmptySet, union } from './field-set.ts';
import type { Entries, Entry, Who } from './managers.ts';
import { capped, entryOf, isOf, isReset, readEntries, sorted, storedEntries, withFields } from './managers.ts';
import type { Ownable } from './reset.ts';
import { sharedSet } from './shared-sets.ts';

/** One object in one version: its form, and what it looks like there before and after a write. */
export interface Face {
  readonly schema: ObjectSchema;
  readonly before: Fields;
  readonly after: Fields;
}

export interface Tracked {
  /** The object in the version `apiVersion`, or undefined when that is not served (any longer). */
  readonly face: (apiVersion: string) => Face | undefined;
  readonly who: Who;
  /** RFC 3339, whole seconds. */
  readonly now: string;
  readonly ownable: Ownable;
}

/** The entries after a creation: all of it is the creator's. `sent` are those the client brought along. */
export function trackedCreate(tracked: Tracked, sent: readonly ManagedFieldsEntry[] | undefined): Entries {
  return afterUpdate(tracked, sent === undefined ? [] : (readEntries(sent) ?? []));
}

/** The entries after a change of an object whose entries were `live`. `sent` are those in what the client sent: they count where they differ. */
export function trackedUpdate(
  tracked: Tracked,
  live: readonly ManagedFieldsEntry[] | undefined,
  sent: readonly ManagedFieldsEntry[] | undefined,
): Entries {
  const before = tracked.who.subresource === '' ? claimed(live, sent) : storedEntries(live);
  return before.length === 0 ? [] : afterUpdate(tracked, before);
}

/** Clients that know nothing of managers, or send nonsense, change nothing about them. */
function claimed(
  live: readonly ManagedFieldsEntry[] | undefined,
  sent: readonly ManagedFieldsEntry[] | undefined,
): Entries {
  if (sent === undefined || sent === live) return storedEntries(live);
  if (isReset(sent)) return [];
  return equal(sent, live) ? storedEntries(live) : (readEntries(sent) ?? storedEntries(live));
}

function afterUpdate({ face, who, now, ownable }: Tracked, entries: Entries): Entries {
  const deltas = deltasBy(face);
  const own = deltas(who.apiVersion);
  if (own === undefined) return entries;
  const left: Entry[] = [];
  let taken = ownable(own.changed);
  const takes = !isEmptySet(taken);
  let isChanged = false;
  for (const entry of entries) {
    if (takes && isOf(entry, who)) {
      taken = union(difference(entry.fieldsV1, own.removed), taken);
      continue;
    }
    const delta = entry.apiVersion === who.apiVersion ? own : deltas(entry.apiVersion);
    const rest = delta === undefined ? undefined : lost(entry, delta);
    if (rest !== undefined) left.push(rest);
    if (rest !== entry) isChanged = true;
  }
  if (!takes) return isChanged ? left : entries;
  left.push(entryOf(who, sharedSet(taken), now));
  return capped(sorted(left));
}

/** `entry` without what was changed by somebody else or is gone. */
export function lost(entry: Entry, { changed, removed }: Delta): Entry | undefined {
  return withFields(entry, difference(difference(entry.fieldsV1, changed), removed));
}

/** What changed, version by version, each looked at once and only when it is asked for. */
export function deltasBy(face: Tracked['face']): (apiVersion: string) => Delta | undefined {
  const known = new Map<string, Delta | undefined>();
  return (apiVersion) => {
    if (known.has(apiVersion)) return known.get(apiVersion);
    const at = face(apiVersion);
    const delta = at === undefined ? undefined : compare(at.schema, at.before, at.after);
    known.set(apiVersion, delta);
    return delta;
  };
}

const blanks = new WeakMap<ObjectSchema, Fields>();

/**
 * An object of `schema` of which nothing has been said. What it has all the same (`spec: {}` of a Deployment) is no
 * creator's own.
 */
export function blankOf(schema: ObjectSchema): Fields {
  const known = blanks.get(schema);
  if (known !== undefined) return known;
  const blank = conform(schema, {}).object;
  blanks.set(schema, blank);
  return blank;
}
