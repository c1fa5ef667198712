/**
 * The order of a merged list. A client sends the order it knows (`$setElementOrder/…`, else the list of its patch); what
 * only the server knows keeps its place relative to the live list as well as it can.
 * Source: Kubernetes strategic merge patch, "$setElementOrder".
 */

/**
 * `merged` in order: those named in `wanted` in that order; the others are put before the first wanted one that comes
 * after them in `live`, else at the end. `keyOf` names an element (its merge key, or the value itself).
 */
export function inElementOrder(
  merged: readonly unknown[],
  order: {
    readonly wanted: readonly unknown[];
    readonly live: readonly unknown[];
    readonly keyOf: (element: unknown) => unknown;
  },
): readonly unknown[] {
  const { keyOf } = order;
  const wanted = new Map(order.wanted.map((element, index) => [keyOf(element), index]));
  const live = new Map(order.live.map((element, index) => [keyOf(element), index]));
  const rank = (ranks: ReadonlyMap<unknown, number>, element: unknown): number =>
    ranks.get(keyOf(element)) ?? Number.MAX_SAFE_INTEGER;
  const named = merged
    .filter((element) => wanted.has(keyOf(element)))
    .toSorted((a, b) => rank(wanted, a) - rank(wanted, b));
  const others = merged
    .filter((element) => !wanted.has(keyOf(element)))
    .toSorted((a, b) => rank(live, a) - rank(live, b));
  const result: unknown[] = [];
  for (const element of named) {
    const place = live.get(keyOf(element)) ?? -1; // one that is new to the list lets nobody pass
    while (others.length > 0 && rank(live, others[0]) < place) result.push(others.shift());
    result.push(element);
  }
  return [...result, ...others];
}
