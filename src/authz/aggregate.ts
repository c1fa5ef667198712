import type { Labels } from '../api/selector.ts';
import { matchesLabels, selectorOf } from '../api/selector.ts';
import type { LabelSelector } from '../api/types/meta.ts';
import type { PolicyRule } from '../api/types/rbac.ts';

/** Whether any of `selectors` selects an object with `labels`. */
export function selectsAny(selectors: readonly LabelSelector[], labels: Labels | undefined): boolean {
  return selectors.some((selector) => matchesLabels(selectorOf(selector), labels));
}

/** `rules` without repetitions, in the order of first appearance. */
export function uniqueRules(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}
