/**
 * Spreads the pods of a set over nodes, zones, or whatever a node label says. Hard constraints filter:
 *
 *     pods in this domain + 1 − pods in the emptiest domain  ≤  maxSkew
 *
 * Soft ones rank. Pods without constraints of their own get two soft ones, by host and by zone, for the pods of the same
 * Service or controller. Source: Kubernetes concepts, "Pod Topology Spread Constraints"; kube-scheduler, PodTopologySpread.
 */
import { matchesLabels, selectorOf } from '../../../api/selector.ts';
import type { Selector } from '../../../api/selector.ts';
import type { Pod, TopologySpreadConstraint } from '../../../api/types/core.ts';
import type { Plugin } from '../framework.ts';
import { labelOf } from '../node-table.ts';
import type { NodeEntry, NodeTable } from '../node-table.ts';
import type { PodFacts } from '../pod-facts.ts';
import { requiredNodes } from './node-affinity.ts';
import { untoleratedTaint } from './taints.ts';

interface Constraint {
  readonly key: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: Selector;
  /** Whether the pods of a node count. */
  readonly includes: (node: NodeEntry) => boolean;
}

const hostname = 'kubernetes.io/hostname';

/** Source: kube-scheduler's default constraints. */
const defaultConstraints: readonly TopologySpreadConstraint[] = [
  { topologyKey: hostname, maxSkew: 3, whenUnsatisfiable: 'ScheduleAnyway' },
  { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 5, whenUnsatisfiable: 'ScheduleAnyway' },
];

const skewed = { reasons: ["node(s) didn't match pod topology spread constraints"], evictionHelps: true };
const unlabelled = {
  reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
  evictionHelps: false,
};

/** `setOf` selects the pods that a pod belongs with; an empty selector when it belongs to no set. */
export function podTopologySpread(setOf: (pod: Pod) => Selector): Plugin {
  return {
    name: 'PodTopologySpread',
    weight: 2,
    filter: (facts, table) => {
      const constraints = constraintsOf(facts, 'DoNotSchedule');
      if (constraints.length === 0) return undefined;
      const domains = countDomains(facts, constraints, table, (node) => hasAll(node, constraints));
      return (node) => {
        for (const [index, { key, maxSkew, minDomains, selector }] of constraints.entries()) {
          const value = labelOf(node, key);
          if (value === undefined) return unlabelled;
          const counts = domains[index] ?? new Map<string, number>();
          const emptiest =
            counts.size < minDomains ? 0 : [...counts.values()].reduce((a, b) => Math.min(a, b), Infinity);
          const self = matchesLabels(selector, facts.pod.metadata.labels) ? 1 : 0;
          if ((counts.get(value) ?? 0) + self - (Number.isFinite(emptiest) ? emptiest : 0) > maxSkew) return skewed;
        }
        return undefined;
      };
    },
    score: (facts, table) => {
      const own = (facts.pod.spec.topologySpreadConstraints ?? []).length > 0;
      const constraints = own ? constraintsOf(facts, 'ScheduleAnyway') : setConstraints(facts, setOf(facts.pod));
      if (constraints.length === 0) return undefined;
      return (nodes) => rank({ facts, table, constraints, needsAllLabels: own }, nodes);
    },
    wakes: (event) => event.kind === 'room' || event.kind === 'placed' || event.added || event.labels || event.taints,
  };
}

function constraintsOf(facts: PodFacts, whenUnsatisfiable: string): readonly Constraint[] {
  return (facts.pod.spec.topologySpreadConstraints ?? [])
    .filter((constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable)
    .map((constraint) => compile(facts.pod, constraint, selectorOf(constraint.labelSelector)));
}

function setConstraints(facts: PodFacts, selector: Selector): readonly Constraint[] {
  if (selector.length === 0 || selector === 'nothing') return [];
  return defaultConstraints.map((constraint) => compile(facts.pod, constraint, selector));
}

function compile(pod: Pod, constraint: TopologySpreadConstraint, base: Selector): Constraint {
  const labels = pod.metadata.labels ?? {};
  const revisions = (constraint.matchLabelKeys ?? []).flatMap((key) => {
    const value = labels[key];
    return value === undefined ? [] : [{ key, operator: 'In' as const, values: [value] }];
  });
  const wanted = constraint.nodeAffinityPolicy === 'Ignore' ? undefined : requiredNodes(pod);
  const minded = constraint.nodeTaintsPolicy === 'Honor';
  return {
    key: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    selector: base === 'nothing' ? base : [...base, ...revisions],
    includes: ({ node }) =>
      (wanted === undefined || wanted(node)) && !(minded && untoleratedTaint(pod, node.spec.taints) !== undefined),
  };
}

/** For each constraint the number of selected pods in each domain that some included node is part of. */
function countDomains(
  facts: PodFacts,
  constraints: readonly Constraint[],
  table: NodeTable,
  counts: (node: NodeEntry) => boolean,
): readonly Map<string, number>[] {
  const nodes = table.nodes().filter(counts);
  return constraints.map((constraint) => {
    const domains = new Map<string, number>();
    const valueOf = new Map<string, string>();
    for (const node of nodes) {
      const value = labelOf(node, constraint.key);
      if (value === undefined || !constraint.includes(node)) continue;
      valueOf.set(node.name, value);
      domains.set(value, domains.get(value) ?? 0);
    }
    for (const nodeName of selectedPods(facts, constraint, table)) {
      const value = valueOf.get(nodeName);
      if (value !== undefined) domains.set(value, (domains.get(value) ?? 0) + 1);
    }
    return domains;
  });
}

/** The node of each pod that the constraint counts. Pods being deleted make room already; an empty selector counts none. */
function* selectedPods(facts: PodFacts, { selector }: Constraint, table: NodeTable): Generator<string> {
  if (selector.length === 0) return;
  for (const { facts: other, nodeName } of table.podsIn(facts.namespace)) {
    const { deletionTimestamp, labels } = other.pod.metadata;
    if (deletionTimestamp === undefined && matchesLabels(selector, labels)) yield nodeName;
  }
}

interface Ranking {
  readonly facts: PodFacts;
  readonly table: NodeTable;
  readonly constraints: readonly Constraint[];
  /** Nodes that lack a label come last. Not for default constraints: a cluster may have no zones. */
  readonly needsAllLabels: boolean;
}

function rank({ facts, table, constraints, needsAllLabels }: Ranking, nodes: readonly NodeEntry[]): readonly number[] {
  const ranked = nodes.map((node) => !needsAllLabels || hasAll(node, constraints));
  const candidates = nodes.filter((_, index) => ranked[index]);
  const domains = countDomains(facts, constraints, table, (node) => !needsAllLabels || hasAll(node, constraints));
  const weights = constraints.map(({ key }) => {
    // The more domains there are, the less one pod more in one of them matters to the others.
    const size = key === hostname ? candidates.length : new Set(candidates.map((node) => labelOf(node, key))).size;
    return Math.log(size + 2);
  });
  const costs = nodes.map((node, index) => {
    if (!ranked[index]) return undefined;
    let cost = 0;
    for (const [i, { key, maxSkew }] of constraints.entries()) {
      const value = labelOf(node, key);
      if (value !== undefined) cost += (domains[i]?.get(value) ?? 0) * (weights[i] ?? 0) + (maxSkew - 1);
    }
    return Math.round(cost);
  });
  const known = costs.filter((cost) => cost !== undefined);
  const most = known.reduce((a, b) => Math.max(a, b), 0);
  const least = known.reduce((a, b) => Math.min(a, b), Infinity);
  return costs.map((cost) => {
    if (cost === undefined) return 0;
    return most === 0 ? 100 : Math.trunc((100 * (most + least - cost)) / most);
  });
}

function hasAll(node: NodeEntry, constraints: readonly Constraint[]): boolean {
  return constraints.every(({ key }) => labelOf(node, key) !== undefined);
}
