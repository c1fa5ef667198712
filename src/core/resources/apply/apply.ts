/**
 * Server-side apply: a configuration says all that its applier wants of an object. The object gets what the configuration
 * names, loses what the applier named before and no longer does (where nobody else has it), and the applier owns what
 * it named. Changing what somebody else owns is a conflict, unless the applier forces it; saying the same as the others
 * makes it one of several owners. Pure.
 * Source: Kubernetes, "Server-Side Apply".
 */
import type { ObjectSchema } from '../../../api/schema/form.ts';
import { conform } from '../../../api/schema/conform.ts';
import type { Fields } from '../../../std/value.ts';
import type { Delta } from './compare.ts';
import { compare, owned } from './compare.ts';
import type { Conflict } from './conflicts.ts';
import { conflictError } from './conflicts.ts';
import { fieldSetOf } from './extract.ts';
import { difference, intersection, isEmptySet, leaf, setOf, union } from './field-set.ts';
import { upgradable, withLastApplied } from './last-applied.ts';
import type { Entries, Entry, Who } from './managers.ts';
import { entryOf, isOf, ownedByAll, sorted } from './managers.ts';
import { mergedConfig } from './merge.ts';
import { pruned } from './prune.ts';
import { regranulated } from './regranulate.ts';
import type { Ownable } from './reset.ts';
import { sharedSet } from './shared-sets.ts';
import { blankOf, deltasBy, lost, trackedCreate } from './tracking.ts';

const metadata = setOf('f:metadata');

/** Who owns what nobody tracked before the first apply. Source: upstream. */
const beforeFirstApply = 'before-first-apply';

export interface Application {
  readonly schema: ObjectSchema;
  /** The live object in the version that is applied in; undefined where there is none yet. */
  readonly live: Fields | undefined;
  readonly entries: Entries;
  /** Held against its form already. */
  readonly config: Fields;
  readonly who: Who;
  readonly force: boolean;
  readonly now: string;
  readonly ownable: Ownable;
  /** An object of this version in another one, or undefined when that is not served (any longer). */
  readonly in: (
    apiVersion: string,
    object: Fields,
  ) => { readonly schema: ObjectSchema; readonly object: Fields } | undefined;
}

export interface Applied {
  /** The object as it is to be, in the version that was applied in; null where a field is wanted away. */
  readonly object: Fields;
  readonly entries: Entries;
}

/** What the object and its owners become. Throws Conflict with a cause for each field that is somebody else's. */
export function applied(application: Application): Applied {
  const { schema, config, who, now, ownable } = application;
  const before = application.live ?? blankOf(schema);
  const entries = regranulated(schema, before, startOf(application, before));
  const named = ownable(fieldSetOf(schema, config));
  const last = entries.find((entry) => isOf(entry, who));
  const others = entries.filter((entry) => entry !== last);
  const merged = mergedConfig(schema, before, config);
  const kept = union(union(ownedByAll(others), named), metadata);
  const after = last === undefined ? merged : pruned(schema, merged, last.fieldsV1, kept);
  const settled = conform(schema, after).object;
  const effect = compare(schema, before, settled);
  const deltas = deltasIn(application, { before, after, settled, effect });
  if (!application.force) refuse(application, before, conflictsWith(others, deltas));
  const left = others.flatMap((entry) => {
    const delta = deltas(entry.apiVersion);
    return delta === undefined ? [] : (lost(entry, delta) ?? []);
  });
  const isSame = isEmptySet(effect.changed) && isEmptySet(effect.removed);
  const set = owned(named);
  const own = isEmptySet(set) ? [] : [entryOf(who, sharedSet(set), isSame && last !== undefined ? last.time : now)];
  return { object: withLastApplied(who.manager, after, config), entries: sorted([...left, ...own]) };
}

/** Of an object that is not tracked yet, all there is belongs to whoever was there before. */
function startOf({ schema, live, entries, who, now, ownable }: Application, before: Fields): Entries {
  if (live === undefined || entries.length > 0) return entries;
  const face = { schema, before: blankOf(schema), after: before };
  return trackedCreate(
    {
      face: (apiVersion) => (apiVersion === who.apiVersion ? face : undefined),
      who: { ...who, manager: beforeFirstApply, operation: 'Update' },
      now,
      ownable,
    },
    undefined,
  );
}

/**
 * What an apply takes from others, version by version. What it names counts only where it makes a difference: two appliers
 * of a zero that is never written, or of an empty object that is not kept, say the same.
 */
function deltasIn(
  { schema, who, in: inVersion, ownable }: Application,
  change: { readonly before: Fields; readonly after: Fields; readonly settled: Fields; readonly effect: Delta },
): (apiVersion: string) => Delta | undefined {
  const { before, after, settled, effect } = change;
  const asked = compare(schema, before, after);
  // What the applier cannot change is put back before the object is kept, so nobody loses it.
  const own = {
    changed: ownable(intersection(asked.changed, union(effect.changed, effect.removed))),
    removed: ownable(asked.removed),
  };
  const others = deltasBy((apiVersion) => {
    const was = inVersion(apiVersion, before);
    const is = inVersion(apiVersion, settled);
    return was === undefined || is === undefined
      ? undefined
      : { schema: is.schema, before: was.object, after: is.object };
  });
  return (apiVersion) => (apiVersion === who.apiVersion ? own : others(apiVersion));
}

function conflictsWith(
  others: readonly Entry[],
  deltas: (apiVersion: string) => Delta | undefined,
): readonly Conflict[] {
  return others.flatMap((entry) => {
    const fields = intersection(entry.fieldsV1, deltas(entry.apiVersion)?.changed ?? leaf);
    return isEmptySet(fields) ? [] : [{ entry, fields }];
  });
}

/** Throws where conflicts are left over after those that going from client to server allows. */
function refuse({ schema, who }: Application, before: Fields, conflicts: readonly Conflict[]): void {
  if (conflicts.length === 0) return;
  const allowed = upgradable(who.manager, { schema, apiVersion: who.apiVersion }, before);
  const left =
    allowed === undefined
      ? conflicts
      : conflicts.flatMap(({ entry, fields }) => {
          const rest = difference(fields, allowed);
          return isEmptySet(rest) ? [] : [{ entry, fields: rest }];
        });
  if (left.length > 0) throw conflictError(left);
}
