import type { AccessRequest, ResourceAccess } from '../../src/api/access.ts';
import type { KubeObject } from '../../src/api/meta.ts';
import type { PolicyRule, RoleRef, Subject } from '../../src/api/types/rbac.ts';

interface Role extends KubeObject {
  readonly rules?: readonly PolicyRule[];
  readonly aggregationRule?: {
    readonly clusterRoleSelectors?: readonly { readonly matchLabels?: Readonly<Record<string, string>> }[];
  };
}
interface Binding extends KubeObject {
  readonly roleRef: RoleRef;
  readonly subjects?: readonly Subject[];
}

/**
 * RBAC read off its definition, with no index, cache or Casbin: every binding, every rule, every time. Slow and plain,
 * so that the fast path has something to be held to.
 */
export function oracleAllows(objects: readonly KubeObject[], request: AccessRequest): boolean {
  if (request.user.groups.includes('system:masters')) return true;
  const namespace = request.kind === 'resource' ? request.namespace : '';
  return objects.some((object) => {
    if (object.kind !== 'ClusterRoleBinding' && object.kind !== 'RoleBinding') return false;
    const binding = object as Binding;
    if (binding.kind === 'RoleBinding' && (namespace === '' || binding.metadata.namespace !== namespace)) return false;
    if (!(binding.subjects ?? []).some((subject) => isSubject(subject, binding, request))) return false;
    const role = roleOf(objects, binding);
    return role !== undefined && rulesOf(objects, role, []).some((rule) => ruleAllows(rule, request));
  });
}

function isSubject(subject: Subject, binding: Binding, { user }: AccessRequest): boolean {
  if (subject.kind === 'User') return user.name === subject.name;
  if (subject.kind === 'Group') return user.groups.includes(subject.name);
  if (subject.kind !== 'ServiceAccount') return false;
  const namespace = subject.namespace || (binding.kind === 'RoleBinding' ? (binding.metadata.namespace ?? '') : '');
  return namespace !== '' && user.name === `system:serviceaccount:${namespace}:${subject.name}`;
}

function roleOf(objects: readonly KubeObject[], { kind, roleRef, metadata }: Binding): Role | undefined {
  if (roleRef.kind === 'Role' && kind === 'ClusterRoleBinding') return undefined;
  return objects.find(
    (object) =>
      object.kind === roleRef.kind &&
      object.metadata.name === roleRef.name &&
      (object.kind === 'ClusterRole' || object.metadata.namespace === metadata.namespace),
  );
}

function rulesOf(objects: readonly KubeObject[], role: Role, seen: readonly string[]): readonly PolicyRule[] {
  if (role.aggregationRule === undefined) return role.rules ?? [];
  if (seen.includes(role.metadata.name)) return [];
  const selectors = role.aggregationRule.clusterRoleSelectors ?? [];
  return objects
    .filter((object) => object.kind === 'ClusterRole' && object.metadata.name !== role.metadata.name)
    .filter((object) =>
      selectors.some(({ matchLabels = {} }) =>
        Object.entries(matchLabels).every(([key, value]) => object.metadata.labels?.[key] === value),
      ),
    )
    .flatMap((object) => rulesOf(objects, object, [...seen, role.metadata.name]));
}

function ruleAllows(rule: PolicyRule, request: AccessRequest): boolean {
  if (!rule.verbs.includes('*') && !rule.verbs.includes(request.verb)) return false;
  if (request.kind === 'path') {
    return (rule.nonResourceURLs ?? []).some(
      (url) =>
        url === '*' || url === request.path || (url.endsWith('*') && request.path.startsWith(url.replace(/\*+$/, ''))),
    );
  }
  const groups = rule.apiGroups ?? [];
  const names = rule.resourceNames ?? [];
  return (
    (groups.includes('*') || groups.includes(request.group)) &&
    (rule.resources ?? []).some((resource) => resourceMatches(resource, request)) &&
    (names.length === 0 || names.includes(request.name))
  );
}

function resourceMatches(resource: string, request: ResourceAccess): boolean {
  if (resource === '*') return true;
  if (request.subresource === '') return resource === request.resource;
  return resource === `${request.resource}/${request.subresource}` || resource === `*/${request.subresource}`;
}
