/** The decision: which node a pod goes to, or why there is none. Pure: the same table gives the same answer. */
import type { NodeFilter, Plugin, Rejection } from './framework.ts';
import type { NodeEntry, NodeTable } from './node-table.ts';
import type { PodFacts } from './pod-facts.ts';

export type Decision =
  | { readonly kind: 'node'; readonly node: string }
  | {
      readonly kind: 'none';
      /** For the pod's condition and event. */
      readonly message: string;
      /** Plugins that rejected some node. Empty when there is no node at all. */
      readonly rejectedBy: ReadonlySet<string>;
      /** What each node was rejected for. */
      readonly rejections: ReadonlyMap<NodeEntry, Rejection>;
    };

/**
 * Filters the nodes, then ranks those that are left; of equally good ones the first from `start` on is taken, so that a
 * caller who moves `start` spreads pods over equals.
 */
export function schedule(pod: PodFacts, table: NodeTable, plugins: readonly Plugin[], start: number): Decision {
  const { feasible, rejections, rejectedBy } = filterNodes(pod, table, plugins);
  if (feasible.length === 0) {
    const message = explain(table.nodes().length, rejections.values());
    return { kind: 'none', message, rejectedBy, rejections };
  }
  return { kind: 'node', node: best(pod, table, plugins, feasible, start).name };
}

/** What the filters make of the nodes. */
export interface Filtered {
  readonly feasible: readonly NodeEntry[];
  /** For each other node, what its first failing filter says. */
  readonly rejections: ReadonlyMap<NodeEntry, Rejection>;
  readonly rejectedBy: ReadonlySet<string>;
}

/** Asks the filters of `plugins`, in their order, about every node of `table`. */
export function filterNodes(pod: PodFacts, table: NodeTable, plugins: readonly Plugin[]): Filtered {
  const feasible: NodeEntry[] = [];
  const rejections = new Map<NodeEntry, Rejection>();
  const rejectedBy = new Set<string>();
  const limits = plugins.flatMap((plugin) => {
    const names = plugin.candidates?.(pod);
    return names === undefined ? [] : [{ plugin: plugin.name, names }];
  });
  const filters = plugins.flatMap((plugin): { readonly plugin: string; readonly filter: NodeFilter }[] => {
    const filter = plugin.filter?.(pod, table);
    return filter === undefined ? [] : [{ plugin: plugin.name, filter }];
  });
  const elsewhere: Rejection = {
    reasons: [`node(s) didn't satisfy plugin(s) [${limits.map(({ plugin }) => plugin).join(' ')}]`],
    evictionHelps: false,
  };
  const judge = (node: NodeEntry): Rejection | undefined => {
    for (const { plugin, names } of limits) {
      if (names.has(node.name)) continue;
      rejectedBy.add(plugin);
      return elsewhere;
    }
    for (const { plugin, filter } of filters) {
      const rejection = filter(node);
      if (rejection === undefined) continue;
      rejectedBy.add(plugin);
      return rejection;
    }
    return undefined;
  };
  for (const node of table.nodes()) {
    const rejection = judge(node);
    if (rejection === undefined) feasible.push(node);
    else rejections.set(node, rejection);
  }
  return { feasible, rejections, rejectedBy };
}

function best(
  pod: PodFacts,
  table: NodeTable,
  plugins: readonly Plugin[],
  feasible: readonly NodeEntry[],
  start: number,
): NodeEntry {
  const totals = new Float64Array(feasible.length);
  for (const plugin of feasible.length === 1 ? [] : plugins) {
    const scores = plugin.score?.(pod, table)?.(feasible);
    if (scores === undefined) continue;
    const weight = plugin.weight ?? 1;
    for (let i = 0; i < totals.length; i++) totals[i] = (totals[i] ?? 0) + weight * (scores[i] ?? 0);
  }
  let chosen = start % feasible.length;
  for (let step = 1; step < feasible.length; step++) {
    const i = (start + step) % feasible.length;
    if ((totals[i] ?? 0) > (totals[chosen] ?? 0)) chosen = i;
  }
  const node = feasible[chosen];
  if (node === undefined) throw new Error('no node is feasible');
  return node;
}

/**
 * `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` Each node counts for the first filter that
 * rejected it, and for each of that filter's reasons. Source: kube-scheduler's FitError.
 */
function explain(nodes: number, rejections: Iterable<Rejection>): string {
  if (nodes === 0) return 'no nodes available to schedule pods';
  const counts = new Map<string, number>();
  for (const { reasons } of rejections) {
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).toSorted();
  return `0/${nodes} nodes are available: ${parts.join(', ')}.`;
}
