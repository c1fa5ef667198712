/**
 * Pods that want to be near other pods, or away from them. "Near" is a node label: two pods are near each other when their
 * nodes have the same value of the term's topologyKey. Anti-affinity is mutual: a running pod's terms keep newcomers away.
 *
 * Every rule becomes counts per (topology key, value), gathered once from the pods that run; a node is then judged by
 * looking up its own labels. Source: Kubernetes concepts, "Inter-pod affinity and anti-affinity"; kube-scheduler,
 * InterPodAffinity.
 */
import { matchesLabels, selectorOf } from '../../../api/selector.ts';
import type { Labels, Requirement, Selector } from '../../../api/selector.ts';
import type { Pod, PodAffinityTerm, WeightedPodAffinityTerm } from '../../../api/types/core.ts';
import type { NodeFilter, NodeScorer, Plugin } from '../framework.ts';
import { labelOf } from '../node-table.ts';
import type { NodeEntry, NodeTable, Placed } from '../node-table.ts';
import type { PodFacts } from '../pod-facts.ts';

/** Whether a term means `pod`. */
type Matches = (pod: Pod) => boolean;

interface Term {
  readonly key: string;
  readonly weight: number;
  readonly matches: Matches;
}

/** What one pod asks of the pods near it. */
interface Wishes {
  readonly near: readonly Term[];
  readonly away: readonly Term[];
  readonly ratherNear: readonly Term[];
  readonly ratherAway: readonly Term[];
}

type NamespaceLabels = (namespace: string) => Labels | undefined;

const notNear = { reasons: ["node(s) didn't match pod affinity rules"], evictionHelps: false };
const notAway = { reasons: ["node(s) didn't match pod anti-affinity rules"], evictionHelps: true };
const unwelcome = { reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"], evictionHelps: true };

/** What a running pod's required affinity to the newcomer is worth. Source: kube-scheduler's default. */
const requiredWeight = 1;

export function interPodAffinity(namespaceLabels: NamespaceLabels): Plugin {
  const known = new WeakMap<PodFacts, Wishes>();
  const wishesOf = (facts: PodFacts): Wishes => {
    let wishes = known.get(facts);
    if (wishes === undefined) known.set(facts, (wishes = compile(facts.pod, namespaceLabels)));
    return wishes;
  };
  return {
    name: 'InterPodAffinity',
    weight: 2,
    filter: (facts, table) => filter(facts, table, wishesOf),
    score: (facts, table) => score(facts, table, wishesOf),
    wakes: (event) => event.kind !== 'node' || event.added || event.labels,
  };
}

function filter(facts: PodFacts, table: NodeTable, wishesOf: (facts: PodFacts) => Wishes): NodeFilter | undefined {
  const { near, away } = wishesOf(facts);
  const wanted = new Counts();
  const shunned = new Counts();
  const guarded = new Counts();
  for (const placed of near.length + away.length > 0 ? table.allPods() : []) {
    const { pod } = placed.facts;
    if (near.length > 0 && near.every(({ matches }) => matches(pod)))
      for (const { key } of near) wanted.add(key, table, placed, 1);
    for (const { key, matches } of away) if (matches(pod)) shunned.add(key, table, placed, 1);
  }
  for (const placed of table.podsWithAffinity()) {
    for (const { key, matches } of wishesOf(placed.facts).away)
      if (matches(facts.pod)) guarded.add(key, table, placed, 1);
  }
  if (near.length === 0 && shunned.empty() && guarded.empty()) return undefined;
  // The first of a group that wants to be together may start anywhere, or none ever could.
  const founds = wanted.empty() && near.every(({ matches }) => matches(facts.pod));
  return (node) => {
    if (near.some(({ key }) => labelOf(node, key) === undefined)) return notNear;
    if (!founds && near.some(({ key }) => wanted.at(key, node) === 0)) return notNear;
    if (away.some(({ key }) => shunned.at(key, node) > 0)) return notAway;
    return guarded.sum(node) > 0 ? unwelcome : undefined;
  };
}

function score(facts: PodFacts, table: NodeTable, wishesOf: (facts: PodFacts) => Wishes): NodeScorer | undefined {
  const { ratherNear, ratherAway } = wishesOf(facts);
  const pull = new Counts();
  for (const placed of ratherNear.length + ratherAway.length > 0 ? table.allPods() : []) {
    const { pod } = placed.facts;
    for (const { key, weight, matches } of ratherNear) if (matches(pod)) pull.add(key, table, placed, weight);
    for (const { key, weight, matches } of ratherAway) if (matches(pod)) pull.add(key, table, placed, -weight);
  }
  for (const placed of table.podsWithAffinity()) {
    const theirs = wishesOf(placed.facts);
    for (const { key, matches } of theirs.near) if (matches(facts.pod)) pull.add(key, table, placed, requiredWeight);
    for (const { key, weight, matches } of theirs.ratherNear)
      if (matches(facts.pod)) pull.add(key, table, placed, weight);
    for (const { key, weight, matches } of theirs.ratherAway)
      if (matches(facts.pod)) pull.add(key, table, placed, -weight);
  }
  if (pull.empty()) return undefined;
  return (nodes) => {
    const sums = nodes.map((node) => pull.sum(node));
    const least = sums.reduce((a, b) => Math.min(a, b), Infinity);
    const range = sums.reduce((a, b) => Math.max(a, b), -Infinity) - least;
    return sums.map((sum) => (range > 0 ? Math.trunc((100 * (sum - least)) / range) : 0));
  };
}

/** A number for each value of each topology key. */
class Counts {
  readonly #counts = new Map<string, Map<string, number>>();

  empty(): boolean {
    return this.#counts.size === 0;
  }

  /** Adds to the domain in which `placed` runs. */
  add(key: string, table: NodeTable, placed: Placed, amount: number): void {
    const node = table.get(placed.nodeName);
    const value = node && labelOf(node, key);
    if (value === undefined) return;
    let values = this.#counts.get(key);
    if (values === undefined) this.#counts.set(key, (values = new Map()));
    values.set(value, (values.get(value) ?? 0) + amount);
  }

  at(key: string, node: NodeEntry): number {
    const value = labelOf(node, key);
    return value === undefined ? 0 : (this.#counts.get(key)?.get(value) ?? 0);
  }

  /** Over all domains that `node` is part of. */
  sum(node: NodeEntry): number {
    let sum = 0;
    for (const key of this.#counts.keys()) sum += this.at(key, node);
    return sum;
  }
}

function compile(pod: Pod, namespaceLabels: NamespaceLabels): Wishes {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  const required = (terms: readonly PodAffinityTerm[] = []): readonly Term[] =>
    terms.map((term) => ({ key: term.topologyKey, weight: 0, matches: matcher(pod, term, namespaceLabels) }));
  const preferred = (terms: readonly WeightedPodAffinityTerm[] = []): readonly Term[] =>
    terms.map(({ weight, podAffinityTerm: term }) => ({
      key: term.topologyKey,
      weight,
      matches: matcher(pod, term, namespaceLabels),
    }));
  return {
    near: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    away: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    ratherNear: preferred(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    ratherAway: preferred(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
  };
}

/** Without any mention of namespaces a term means the pod's own; an empty namespaceSelector means all. */
function matcher(owner: Pod, term: PodAffinityTerm, namespaceLabels: NamespaceLabels): Matches {
  const selector = podSelector(owner, term);
  const listed = term.namespaces ?? [];
  const selected = selectorOf(term.namespaceSelector);
  const named = new Set(
    listed.length === 0 && term.namespaceSelector === undefined ? [owner.metadata.namespace] : listed,
  );
  return ({ metadata: { namespace = '', labels } }) => {
    if (!matchesLabels(selector, labels)) return false;
    if (named.has(namespace)) return true;
    return selected !== 'nothing' && (selected.length === 0 || inSelected(selected, namespaceLabels(namespace)));
  };
}

function inSelected(selector: Selector, labels: Labels | undefined): boolean {
  return labels !== undefined && matchesLabels(selector, labels);
}

/** The term's selector, narrowed by the pod's own values of matchLabelKeys and mismatchLabelKeys. */
function podSelector(owner: Pod, term: PodAffinityTerm): Selector {
  const base = selectorOf(term.labelSelector);
  if (base === 'nothing') return base;
  const own = owner.metadata.labels ?? {};
  const narrowed = (keys: readonly string[] = [], operator: 'In' | 'NotIn'): readonly Requirement[] =>
    keys.flatMap((key) => {
      const value = own[key];
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    });
  return [...base, ...narrowed(term.matchLabelKeys, 'In'), ...narrowed(term.mismatchLabelKeys, 'NotIn')];
}
