import type { User } from './user.ts';

/** What somebody wants to do, as RBAC sees it. An absent name, namespace or subresource is ''. */
export type AccessRequest = ResourceAccess | PathAccess;

/** Access to an object, or to all objects of a resource. A namespace of '' means cluster-scoped or all namespaces. */
export interface ResourceAccess {
  readonly kind: 'resource';
  readonly user: User;
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** Selectors as the request carried them; narrow what a node may list. Absent when the request had none. */
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

/** Access to a path that is no resource, such as /metrics. */
export interface PathAccess {
  readonly kind: 'path';
  readonly user: User;
  readonly verb: string;
  readonly path: string;
}

/** Which rule let a request in. `binding` is '' for what is built in (system:masters, the node authorizer). */
export interface Grant {
  readonly bindingKind: 'RoleBinding' | 'ClusterRoleBinding' | 'builtin';
  readonly bindingNamespace: string;
  readonly binding: string;
  readonly roleKind: 'Role' | 'ClusterRole' | 'builtin';
  readonly role: string;
  /** Position of the rule in the role, from 0. */
  readonly rule: number;
}

/** The answer of authorization. `reason` is for the audit event and for people; it never goes into a 403's message. */
export type Decision =
  | { readonly allowed: true; readonly reason: string; readonly grant: Grant }
  | { readonly allowed: false; readonly reason: string };
