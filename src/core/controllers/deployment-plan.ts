/**
 * How a Deployment moves from its old ReplicaSets to its new one. Pure: same view, same plan.
 *
 * Example: 4 replicas, maxSurge 1, maxUnavailable 1, all 4 old pods available. The new set may grow to 1 (5 pods in
 * all), the old one shrink to 3 (3 available is the least allowed); each new pod that becomes available lets another
 * old one go. Source: upstream's rolling update.
 */
import type { Deployment, ReplicaSet } from '../../api/types/apps.ts';

/** Sets to scale, each to its new number. */
export type ScalePlan = readonly { readonly set: ReplicaSet; readonly to: number }[];

export const annotations = {
  revision: 'deployment.kubernetes.io/revision',
  history: 'deployment.kubernetes.io/revision-history',
  desired: 'deployment.kubernetes.io/desired-replicas',
  most: 'deployment.kubernetes.io/max-replicas',
} as const;

export const hashLabel = 'pod-template-hash';

const sizeOf = (set: ReplicaSet): number => set.spec.replicas ?? 1;
const total = (sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number =>
  sets.reduce((sum, set) => sum + of(set), 0);
const created = (set: ReplicaSet): string => set.metadata.creationTimestamp ?? '';
const oldestFirst = (a: ReplicaSet, b: ReplicaSet): number =>
  created(a) < created(b) ? -1 : created(a) > created(b) ? 1 : a.metadata.name < b.metadata.name ? -1 : 1;

/** How many pods above and below the wanted number a rolling update may use. Both 0 would stand still: then one may be missing. */
export function rollingBounds(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  const replicas = deployment.spec.replicas ?? 1;
  if (deployment.spec.strategy?.type === 'Recreate') return { surge: 0, unavailable: 0 };
  const rolling = deployment.spec.strategy?.rollingUpdate;
  const surge = scaled(rolling?.maxSurge ?? '25%', replicas, Math.ceil);
  const unavailable = Math.min(scaled(rolling?.maxUnavailable ?? '25%', replicas, Math.floor), replicas);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

function scaled(value: number | string, of: number, round: (value: number) => number): number {
  return typeof value === 'number' ? value : round((Number.parseInt(value, 10) * of) / 100);
}

/** The next step of the rollout, `current` being the set of today's template. */
export function planRollout(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): ScalePlan {
  if (deployment.spec.strategy?.type === 'Recreate') return planRecreate(deployment, current, old);
  const grown = growCurrent(deployment, current, old);
  return grown === undefined ? shrinkOld(deployment, current, old) : [grown];
}

function planRecreate(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): ScalePlan {
  const busy = old.filter((set) => sizeOf(set) > 0);
  if (busy.length > 0) return busy.map((set) => ({ set, to: 0 }));
  const replicas = deployment.spec.replicas ?? 1;
  return sizeOf(current) === replicas ? [] : [{ set: current, to: replicas }];
}

function growCurrent(
  deployment: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
): { readonly set: ReplicaSet; readonly to: number } | undefined {
  const replicas = deployment.spec.replicas ?? 1;
  const size = sizeOf(current);
  if (size === replicas) return undefined;
  if (size > replicas) return { set: current, to: replicas };
  const room = replicas + rollingBounds(deployment).surge - size - total(old, sizeOf);
  return room <= 0 ? undefined : { set: current, to: size + Math.min(room, replicas - size) };
}

function shrinkOld(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): ScalePlan {
  const replicas = deployment.spec.replicas ?? 1;
  const least = replicas - rollingBounds(deployment).unavailable;
  // A set that was just shrunk still tells of pods that are on their way out.
  const availableOf = (set: ReplicaSet): number => Math.min(set.status?.availableReplicas ?? 0, sizeOf(set));
  const everyone = total(old, sizeOf) + sizeOf(current);
  const currentMissing = sizeOf(current) - availableOf(current);
  let budget = everyone - least - currentMissing;
  if (budget <= 0) return [];
  const sizes = new Map(old.map((set) => [set, sizeOf(set)]));
  const ordered = old.toSorted(oldestFirst);
  // Pods that are not available cost nothing to lose, so they go first.
  for (const set of ordered) {
    const lost = Math.min(budget, sizeOf(set) - availableOf(set));
    sizes.set(set, sizeOf(set) - lost);
    budget -= lost;
  }
  let spare = total(old, availableOf) + availableOf(current) - least;
  for (const set of ordered) {
    const now = sizes.get(set) ?? 0;
    const lost = Math.max(Math.min(spare, now), 0);
    sizes.set(set, now - lost);
    spare -= lost;
  }
  return ordered.flatMap((set) => {
    const to = sizes.get(set) ?? 0;
    return to === sizeOf(set) ? [] : [{ set, to }];
  });
}

/**
 * Spreads a change of `spec.replicas` that comes in the middle of a rollout (or while it is paused) over all sets that
 * have pods, in proportion to their size; what rounding leaves goes to the largest.
 */
export function planScaling(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): ScalePlan {
  const replicas = deployment.spec.replicas ?? 1;
  const active = [...old, ...(current === undefined ? [] : [current])].filter((set) => sizeOf(set) > 0);
  const [only] = active;
  if (only === undefined)
    return current === undefined || sizeOf(current) === replicas ? [] : [{ set: current, to: replicas }];
  if (active.length === 1) return resized(deployment, active, new Map([[only, replicas]]));
  if (deployment.spec.strategy?.type === 'Recreate') return [];
  const allowed = replicas === 0 ? 0 : replicas + rollingBounds(deployment).surge;
  const have = total(active, sizeOf);
  let left = allowed - have;
  const bySize = active.toSorted((a, b) => sizeOf(b) - sizeOf(a) || oldestFirst(b, a));
  const sizes = new Map<ReplicaSet, number>();
  for (const set of bySize) {
    const share = Math.round((sizeOf(set) * allowed) / have) - sizeOf(set);
    const given = left > 0 ? Math.min(Math.max(share, 0), left) : Math.max(Math.min(share, 0), left);
    sizes.set(set, Math.max(sizeOf(set) + given, 0));
    left -= given;
  }
  const [largest] = bySize;
  if (largest !== undefined) sizes.set(largest, Math.max((sizes.get(largest) ?? 0) + left, 0));
  return resized(deployment, bySize, sizes);
}

/** The sets that change, or that remember another wanted number than today's: they have to remember this one. */
function resized(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  sizes: ReadonlyMap<ReplicaSet, number>,
): ScalePlan {
  return sets.flatMap((set) => {
    const to = sizes.get(set) ?? 0;
    return to === sizeOf(set) && !wasRescaled(deployment, [set]) ? [] : [{ set, to }];
  });
}

/** Whether `spec.replicas` changed since the sets were last sized: each remembers the number it was sized for. */
export function wasRescaled(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.some((set) => {
    const desired = set.metadata.annotations?.[annotations.desired];
    return sizeOf(set) > 0 && desired !== undefined && Number(desired) !== (deployment.spec.replicas ?? 1);
  });
}

/** Old sets that the history limit leaves no place for. */
export function planCleanup(deployment: Deployment, old: readonly ReplicaSet[]): readonly ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const empty = old.filter(
    (set) =>
      sizeOf(set) === 0 &&
      (set.status?.replicas ?? 0) === 0 &&
      (set.status?.observedGeneration ?? 0) >= (set.metadata.generation ?? 0) &&
      set.metadata.deletionTimestamp === undefined,
  );
  return empty.toSorted((a, b) => revisionOf(a) - revisionOf(b)).slice(0, Math.max(empty.length - limit, 0));
}

export function revisionOf(object: ReplicaSet | Deployment): number {
  return Number(object.metadata.annotations?.[annotations.revision] ?? 0) || 0;
}
