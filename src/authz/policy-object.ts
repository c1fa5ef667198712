/**
 * Roles and bindings read from objects as they are stored. The API validates them before they get there; what is read
 * here is still taken as unknown, because a wrong shape must grant nothing rather than throw in the middle of an index.
 */
import type { KubeObject } from '../api/meta.ts';
import type { LabelSelector } from '../api/types/meta.ts';
import type { PolicyRule, RoleRef, Subject } from '../api/types/rbac.ts';

export type RoleKind = 'Role' | 'ClusterRole';
export type BindingKind = 'RoleBinding' | 'ClusterRoleBinding';

/** The API group of roles and bindings. */
export const rbacGroup = 'rbac.authorization.k8s.io';

/** The rules written on a role. Entries of the wrong shape are left out. */
export function rulesOf(role: KubeObject): readonly PolicyRule[] {
  return records(role['rules']).map((rule) => ({
    verbs: strings(rule['verbs']),
    apiGroups: strings(rule['apiGroups']),
    resources: strings(rule['resources']),
    resourceNames: strings(rule['resourceNames']),
    nonResourceURLs: strings(rule['nonResourceURLs']),
  }));
}

/** The selectors of an aggregated ClusterRole; undefined for a role with rules of its own. */
export function aggregationOf(role: KubeObject): readonly LabelSelector[] | undefined {
  const aggregation = record(role['aggregationRule']);
  if (aggregation === undefined) return undefined;
  return records(aggregation['clusterRoleSelectors']).map((selector) => ({
    matchLabels: Object.fromEntries(
      Object.entries(record(selector['matchLabels']) ?? {}).map(([key, value]) => [key, String(value)]),
    ),
    matchExpressions: records(selector['matchExpressions']).map((expression) => ({
      key: text(expression['key']),
      operator: text(expression['operator']),
      values: strings(expression['values']),
    })),
  }));
}

/** The roleRef of a binding; empty parts refer to nothing. */
export function roleRefOf(binding: KubeObject): RoleRef {
  const ref = record(binding['roleRef']) ?? {};
  return { apiGroup: text(ref['apiGroup']), kind: text(ref['kind']), name: text(ref['name']) };
}

/** The subjects of a binding. */
export function subjectsOf(binding: KubeObject): readonly Subject[] {
  return records(binding['subjects']).map((subject) => ({
    kind: text(subject['kind']),
    apiGroup: text(subject['apiGroup']),
    name: text(subject['name']),
    namespace: text(subject['namespace']),
  }));
}

/** `value` as a plain object, or undefined. */
export function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/** The plain objects in `value`, in order; none if it is no list. */
export function records(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(record).filter((entry) => entry !== undefined) : [];
}

/** `value` if it is text, else ''. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The texts in `value`, in order; none if it is no list. */
export function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}
