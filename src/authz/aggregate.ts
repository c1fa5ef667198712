import type { KubeObject } from '../api/meta.ts';
import type { LabelSelector } from '../api/types/meta.ts';
import type { PolicyRule } from '../api/types/rbac.ts';
import { aggregationOf, rulesOf } from './policy-object.ts';

/** Whether labels meet every requirement of `selector`. A selector without requirements selects everything. An unknown operator selects nothing. */
export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const value = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  const wanted = Object.entries(selector.matchLabels ?? {});
  if (!wanted.every(([key, expected]) => value(key) === expected)) return false;
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const found = value(key);
    switch (operator) {
      case 'In':
        return found !== undefined && values.includes(found);
      case 'NotIn':
        return found === undefined || !values.includes(found);
      case 'Exists':
        return found !== undefined;
      case 'DoesNotExist':
        return found === undefined;
      default:
        return false;
    }
  });
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
    .filter((other) => selectors.some((selector) => selects(selector, other.metadata.labels ?? {})))
    .toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
  return uniqueRules(sources.flatMap(rulesOf));
}

/** `rules` without repetitions, in the order of first appearance. */
export function uniqueRules(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}
