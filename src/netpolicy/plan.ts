/**
 * From the objects that exist to the writes that make them what they should be. What the controller does with a fresh
 * view of the world; afterwards it hands single changes to an `AllowListCompiler` of its own.
 */
import type { NodeAllowList, PeerSetSlice } from './allow-list.ts';
import { peerSetLabel } from './allow-list.ts';
import type { AllowListChanges, PolicyInput } from './compile.ts';
import { AllowListCompiler } from './compile.ts';

/** What a cluster has, or should have, of this group. */
export interface AllowListObjects {
  readonly lists: readonly NodeAllowList[];
  readonly slices: readonly PeerSetSlice[];
}

/** Carried out in this order nothing is opened by a gap: a slice is there before the list that refers to it, and goes after. */
export interface AllowListPlan {
  readonly createSlices: readonly PeerSetSlice[];
  /** These carry the resourceVersion that was seen: a conflict means somebody else wrote, so look again. */
  readonly updateSlices: readonly PeerSetSlice[];
  readonly createLists: readonly NodeAllowList[];
  readonly updateLists: readonly NodeAllowList[];
  readonly deleteLists: readonly NodeAllowList[];
  readonly deleteSlices: readonly PeerSetSlice[];
}

/** The allow-lists and slices that `objects` ask for. */
export function compileAllowLists(objects: Iterable<PolicyInput>): AllowListObjects {
  const compiler = new AllowListCompiler();
  for (const object of objects) compiler.upsert(object);
  return presentObjects(compiler.take());
}

/** The writes from `existing` to `desired`. Equal objects are left alone; a list's status always is. */
export function planAllowLists(existing: AllowListObjects, desired: AllowListObjects): AllowListPlan {
  const slices = planKind(existing.slices, desired.slices);
  const lists = planKind(existing.lists, desired.lists);
  return {
    createSlices: slices.create,
    updateSlices: slices.update,
    createLists: lists.create,
    updateLists: lists.update,
    deleteLists: lists.remove,
    deleteSlices: slices.remove,
  };
}

/** `changes` without what they delete. */
function presentObjects({ lists, slices }: AllowListChanges): AllowListObjects {
  return {
    lists: [...lists.values()].filter((list) => list !== undefined),
    slices: [...slices.values()].filter((slice) => slice !== undefined),
  };
}

function planKind<Kind extends NodeAllowList | PeerSetSlice>(
  existing: readonly Kind[],
  desired: readonly Kind[],
): { readonly create: readonly Kind[]; readonly update: readonly Kind[]; readonly remove: readonly Kind[] } {
  const there = new Map(existing.map((object) => [object.metadata.name, object]));
  const wanted = new Set(desired.map((object) => object.metadata.name));
  const create: Kind[] = [];
  const update: Kind[] = [];
  for (const object of desired) {
    const present = there.get(object.metadata.name);
    if (present === undefined) create.push(object);
    else if (!sameMeaning(present, object)) update.push({ ...present, ...withLabels(present, object) });
  }
  return { create, update, remove: existing.filter((object) => !wanted.has(object.metadata.name)) };
}

function sameMeaning(a: NodeAllowList | PeerSetSlice, b: NodeAllowList | PeerSetSlice): boolean {
  return (
    canonical(a.spec) === canonical(b.spec) && a.metadata.labels?.[peerSetLabel] === b.metadata.labels?.[peerSetLabel]
  );
}

function withLabels<Kind extends NodeAllowList | PeerSetSlice>(
  present: Kind,
  wanted: Kind,
): Pick<Kind, 'spec' | 'metadata'> {
  const labels = { ...present.metadata.labels, ...wanted.metadata.labels };
  return {
    spec: wanted.spec,
    metadata: { ...present.metadata, ...(Object.keys(labels).length > 0 ? { labels } : {}) },
  };
}

// The store may give fields back in another order than they were written in.
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
