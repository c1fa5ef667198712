/**
 * What a scheduling plugin is. Each plugin has one concern and takes part in the stages it cares about, in this order:
 *
 *     filter → score → reserve → permit → preBind → bind
 *
 * Filter and score decide, at one instant, from the table alone. They are asked once per pod for a function of the node,
 * so what depends on the pod only is worked out once. What follows carries the decision out and may wait.
 * Source: Kubernetes scheduling framework (KEP-624).
 */
import { equal } from '../../std/value.ts';
import type { Node, Pod } from '../../api/types/core.ts';
import type { NodeEntry, NodeTable } from './node-table.ts';
import type { PodFacts } from './pod-facts.ts';

/** Why a node is not for a pod, in the words a user reads. */
export interface Rejection {
  readonly reasons: readonly string[];
  /** Whether evicting pods from the node could change it. */
  readonly evictionHelps: boolean;
}

/** undefined: this plugin has nothing against the node. */
export type NodeFilter = (node: NodeEntry) => Rejection | undefined;

/** A score from 0 to 100 for each of `nodes`, in their order. */
export type NodeScorer = (nodes: readonly NodeEntry[]) => readonly number[];

/** A change in the cluster that may help pods that found no node. */
export type ClusterEvent =
  /** A node came, or changed in one of these ways. */
  | {
      readonly kind: 'node';
      readonly added: boolean;
      readonly labels: boolean;
      readonly taints: boolean;
      readonly allocatable: boolean;
      readonly unschedulable: boolean;
    }
  /** A placed pod left its node, or takes less than before. */
  | { readonly kind: 'room'; readonly pod: Pod }
  /** A pod was placed on a node, or a placed pod has other labels. */
  | { readonly kind: 'placed'; readonly pod: Pod };

export interface Plugin {
  readonly name: string;
  /** How much its score counts. */
  readonly weight?: number;
  /** Names of the only nodes the pod can be on; undefined when this plugin does not limit them. */
  candidates?(pod: PodFacts): ReadonlySet<string> | undefined;
  /** undefined: this plugin has nothing to filter for `pod`. */
  filter?(pod: PodFacts, table: NodeTable): NodeFilter | undefined;
  /** undefined: this plugin does not rank nodes for `pod`. */
  score?(pod: PodFacts, table: NodeTable): NodeScorer | undefined;
  /** Whether `event` may make room for a pod that this plugin kept from some node. */
  wakes?(event: ClusterEvent, pod: PodFacts): boolean;
  /** Takes what the pod will need on `node`; throwing refuses the node. */
  reserve?(pod: PodFacts, node: string): void;
  /** Gives it back after a later stage failed. Safe to call when nothing was reserved. */
  unreserve?(pod: PodFacts, node: string): void;
  /** Waits until the pod may be bound; rejecting refuses. */
  permit?(pod: PodFacts, node: string, signal: AbortSignal): Promise<void>;
  /** Makes ready on the node what the pod needs before it is bound. */
  preBind?(pod: PodFacts, node: string, signal: AbortSignal): Promise<void>;
}

/** How `node` differs from `previous` as far as scheduling goes; undefined when it does not. */
export function nodeEvent(node: Node, previous: Node | undefined): ClusterEvent | undefined {
  if (previous === undefined) {
    return { kind: 'node', added: true, labels: true, taints: true, allocatable: true, unschedulable: true };
  }
  const labels = !equal(node.metadata.labels ?? {}, previous.metadata.labels ?? {});
  const taints = !equal(node.spec.taints ?? [], previous.spec.taints ?? []);
  const allocatable = !equal(node.status?.allocatable ?? {}, previous.status?.allocatable ?? {});
  const unschedulable = (node.spec.unschedulable ?? false) !== (previous.spec.unschedulable ?? false);
  if (!labels && !taints && !allocatable && !unschedulable) return undefined;
  return { kind: 'node', added: false, labels, taints, allocatable, unschedulable };
}

/**
 * `raw` scaled so that the largest becomes 100; `reverse` makes small ones good.
 * Source: kube-scheduler's default normalization, in whole numbers.
 */
export function normalized(raw: readonly number[], reverse: boolean): readonly number[] {
  const most = raw.reduce((a, b) => Math.max(a, b), 0);
  if (most === 0) return reverse ? raw.map(() => 100) : raw;
  return raw.map((score) => {
    const scaled = Math.trunc((score * 100) / most);
    return reverse ? 100 - scaled : scaled;
  });
}
