/**
 * Nobody hands out rights they do not hold. Whoever writes a role must hold all of its rules, or the verb `escalate` on
 * it; whoever writes a binding must hold all rules of the role it refers to, or the verb `bind` on that role.
 * Source: Kubernetes RBAC documentation, "Privilege escalation prevention and bootstrapping"; messages as upstream.
 */
import type { KubeObject } from '../api/meta.ts';
import type { StatusError } from '../api/status.ts';
import { forbidden, notFound } from '../api/status.ts';
import type { PolicyRule, RoleRef } from '../api/types/rbac.ts';
import type { User } from '../api/user.ts';
import type { Authorizer } from './authorizer.ts';
import { compact, uncovered } from './cover.ts';
import { goList, goQuote } from './go-quote.ts';
import { fullAuthority, mastersGroup } from './masters.ts';
import { aggregationOf, rbacGroup, roleRefOf, rulesOf, subjectsOf } from './policy-object.ts';

/** A create (`old` undefined) or update of a Role, ClusterRole, RoleBinding or ClusterRoleBinding, by `user`. */
export interface PolicyWrite {
  readonly user: User;
  readonly old: KubeObject | undefined;
  readonly object: KubeObject;
}

type Rights = Pick<Authorizer, 'authorize' | 'rulesFor' | 'rulesOfRole'>;

/**
 * Why `write` must be refused, or undefined when it may go on: Forbidden when it grants more than its author holds,
 * NotFound when a binding refers to a role that does not exist and so cannot be weighed. A write that changes neither
 * what is granted nor to whom is let through, as are objects of other kinds. To be asked before validation.
 */
export function escalationOf(write: PolicyWrite, rights: Rights): StatusError | undefined {
  if (write.user.groups.includes(mastersGroup) || !grantsAnew(write)) return undefined;
  switch (write.object.kind) {
    case 'Role':
    case 'ClusterRole':
      return roleEscalation(write, rights);
    case 'RoleBinding':
    case 'ClusterRoleBinding':
      return bindingEscalation(write, rights);
    default:
      return undefined;
  }
}

function roleEscalation({ user, old, object }: PolicyWrite, rights: Rights): StatusError | undefined {
  const { namespace = '', name } = object.metadata;
  const of = { group: rbacGroup, resource: object.kind === 'Role' ? 'roles' : 'clusterroles' };
  if (holdsVerb(rights, user, 'escalate', { ...of, namespace, name })) return undefined;

  const held = rights.rulesFor(user, namespace).rules;
  const missing = uncovered(held, rulesOf(object));
  if (missing.length > 0) return forbidden(of, name, attempt(user, missing));
  const aggregates = aggregationOf(object) !== undefined || (old !== undefined && aggregationOf(old) !== undefined);
  if (aggregates && uncovered(held, fullAuthority).length > 0) {
    return forbidden(of, name, 'must have cluster-admin privileges to use the aggregationRule');
  }
  return undefined;
}

function bindingEscalation({ user, object }: PolicyWrite, rights: Rights): StatusError | undefined {
  const { namespace = '', name } = object.metadata;
  const of = { group: rbacGroup, resource: object.kind === 'RoleBinding' ? 'rolebindings' : 'clusterrolebindings' };
  const ref = roleRefOf(object);
  const role = { group: rbacGroup, resource: ref.kind === 'Role' ? 'roles' : 'clusterroles' };
  if (holdsVerb(rights, user, 'bind', { ...role, namespace, name: ref.name })) return undefined;

  const rules = rights.rulesOfRole(ref, namespace);
  if (rules === undefined) return notFound(role, ref.name);
  const missing = uncovered(rights.rulesFor(user, namespace).rules, rules);
  return missing.length === 0 ? undefined : forbidden(of, name, attempt(user, missing));
}

function holdsVerb(
  rights: Rights,
  user: User,
  verb: string,
  on: { readonly group: string; readonly resource: string; readonly namespace: string; readonly name: string },
): boolean {
  return rights.authorize({ kind: 'resource', user, verb, version: 'v1', subresource: '', ...on }).allowed;
}

/** Labels of a ClusterRole count: they can add its rules to an aggregated role. */
function grantsAnew({ old, object }: PolicyWrite): boolean {
  if (old === undefined) return true;
  const granted = (of: KubeObject): string =>
    of.kind.endsWith('Binding')
      ? JSON.stringify([roleRefParts(roleRefOf(of)), subjectsOf(of)])
      : JSON.stringify([
          rulesOf(of),
          aggregationOf(of) ?? null,
          of.kind === 'ClusterRole'
            ? Object.entries(of.metadata.labels ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
            : [],
        ]);
  return granted(old) !== granted(object);
}

function roleRefParts({ kind, name }: RoleRef): readonly string[] {
  return [kind, name];
}

function attempt(user: User, missing: readonly PolicyRule[]): string {
  const rules = [...new Set(compact(missing).map(describeRule))].toSorted();
  const who = `user ${goQuote(user.name)} (groups=${goList(user.groups)})`;
  return `${who} is attempting to grant RBAC permissions not currently held:\n${rules.join('\n')}`;
}

function describeRule(rule: PolicyRule): string {
  const parts: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ];
  const shown = parts.flatMap(([field, values = []]) => (values.length === 0 ? [] : [`${field}:${goList(values)}`]));
  return `{${shown.join(', ')}}`;
}
