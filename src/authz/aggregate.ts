import type { KubeObject } from '../api/meta.ts';
import type { Labels } from '../api/selector.ts';
import { matchesLabels, selectorOf } from '../api/selector.ts';
import type { LabelSelector } from '../api/types/meta.ts';
import type { PolicyRule } from '../api/types/rbac.ts';
import { aggregationOf, rulesOf } from './policy-object.ts';

/** Whether any of `selectors` selects an object with `labels`. */
export function selectsAny(selectors: readonly LabelSelector[], labels: Labels | undefined): boolean {
  return selectors.some((selector) => matchesLabels(selectorOf(selector), labels));
}

/**
 * The rules that aggregated `role` should carry, from `all` ClusterRoles: those of every other role that one of its
 * selectors selects, in the order of the roles' names, each rule once. undefined for a role that aggregates nothing.
 * One step, as a controller takes it; aggregation of aggregated roles settles by running again.
 * Source: ClusterRole aggregation.
 */
export function planAggregation(role: KubeObject, all: readonly KubeObject[]): readonly PolicyRule[] | undefined {
  const selectors = aggregationOf(role);
  if (selectors === undefined) return undefined;
  const sources = all
    .filter((other) => other.metadata.name !== role.metadata.name)
    .filter((other) => selectsAny(selectors, other.metadata.labels))
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return uniqueRules(sources.flatMap(rulesOf));
}

/** `rules` without repetitions, in the order of first appearance. */
export function uniqueRules(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}
