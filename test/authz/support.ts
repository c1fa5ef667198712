import type { ResourceAccess } from '../../src/api/access.ts';
import type { KubeObject } from '../../src/api/meta.ts';
import type { PolicyRule, Subject } from '../../src/api/types/rbac.ts';
import type { User } from '../../src/api/user.ts';

const apiVersion = 'rbac.authorization.k8s.io/v1';

export function userNamed(name: string, groups: readonly string[] = []): User {
  return { name, uid: '', groups, extra: {} };
}

/** ann gets pod a in n1, until `change` says otherwise. */
export function access(change: Partial<ResourceAccess> = {}): ResourceAccess {
  return {
    kind: 'resource',
    user: userNamed('ann'),
    verb: 'get',
    group: '',
    version: 'v1',
    resource: 'pods',
    subresource: '',
    namespace: 'n1',
    name: 'a',
    ...change,
  };
}

export const readPods: PolicyRule = { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['pods'] };

export function clusterRole(name: string, rules: readonly PolicyRule[], more: object = {}): KubeObject {
  return { apiVersion, kind: 'ClusterRole', metadata: { name }, rules, ...more };
}

export function role(namespace: string, name: string, rules: readonly PolicyRule[]): KubeObject {
  return { apiVersion, kind: 'Role', metadata: { name, namespace }, rules };
}

export function roleBinding(namespace: string, name: string, ref: string, subjects: readonly Subject[]): KubeObject {
  const [kind = '', roleName = ''] = ref.split('/');
  return {
    apiVersion,
    kind: 'RoleBinding',
    metadata: { name, namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: roleName },
    subjects,
  };
}

export function clusterRoleBinding(name: string, roleName: string, subjects: readonly Subject[]): KubeObject {
  return {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: roleName },
    subjects,
  };
}

export const ann: Subject = { kind: 'User', name: 'ann' };
