/**
 * Label selectors in one spelling, so that two policies that mean the same set share it.
 * matchLabels is written as `In` with one value; requirements and their values are sorted.
 * Source: meta/v1 LabelSelector. A selector that is left out is the caller's business: here `{}` matches everything.
 */
import type { LabelSelector, LabelSelectorRequirement } from '../api/types/meta.ts';

export type Labels = ReadonlyMap<string, string>;

/** The label is there, and its value one of `values` if they are given; or, `wanted` false, just that is not so. */
interface Requirement {
  readonly key: string;
  readonly wanted: boolean;
  readonly values?: readonly string[];
}

/** A selector made canonical: equal `text` means equal meaning. */
export interface Selector {
  readonly text: string;
  readonly requirements: readonly Requirement[] | 'nothing';
}

/** The canonical form. An operator that is not known makes the whole selector match nothing: denied, never widened. */
export function canonicalSelector(selector: LabelSelector): Selector {
  const requirements: Requirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    wanted: true,
    values: [value],
  }));
  for (const expression of selector.matchExpressions ?? []) {
    const requirement = requirementOf(expression);
    if (requirement === undefined) return { text: 'nothing', requirements: 'nothing' };
    requirements.push(requirement);
  }
  const spelled = new Map(requirements.map((requirement) => [JSON.stringify(requirement), requirement]));
  const sorted = [...spelled].toSorted(([a], [b]) => compareText(a, b));
  return { text: `[${sorted.map(([text]) => text).join(',')}]`, requirements: sorted.map(([, one]) => one) };
}

/** Whether `labels` satisfy every requirement. */
export function selects(selector: Selector, labels: Labels): boolean {
  return selector.requirements !== 'nothing' && selector.requirements.every((one) => satisfied(one, labels));
}

/** The label keys whose values can change the answer. */
export function mentionedKeys(selector: Selector): readonly string[] {
  return selector.requirements === 'nothing' ? [] : selector.requirements.map((one) => one.key);
}

/**
 * A label one of which everything selected carries: `key` with one of `values`. Undefined when the selector has no
 * such requirement. What an index files the selector under.
 */
export function anchorOf(selector: Selector): { readonly key: string; readonly values: readonly string[] } | undefined {
  if (selector.requirements === 'nothing') return undefined;
  const anchors = selector.requirements.flatMap(({ key, wanted, values }) =>
    wanted && values !== undefined ? [{ key, values }] : [],
  );
  return anchors.toSorted((a, b) => a.values.length - b.values.length)[0];
}

/** Order by UTF-16 code units: the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function satisfied({ key, wanted, values }: Requirement, labels: Labels): boolean {
  const value = labels.get(key);
  const holds = value !== undefined && (values === undefined || values.includes(value));
  return holds === wanted;
}

function requirementOf({ key, operator, values }: LabelSelectorRequirement): Requirement | undefined {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return { key, wanted: operator === 'In', values: [...new Set(values ?? [])].toSorted(compareText) };
    case 'Exists':
    case 'DoesNotExist':
      return { key, wanted: operator === 'Exists' };
    default:
      return undefined;
  }
}
