/**
 * Decides requests. Indexes gather the few rules that could grant one, Casbin decides among them, and a cache keeps
 * the answer for as long as nothing it came from has changed. All of it is synchronous: policy cannot change between
 * gathering and deciding, and a change that `observe` has returned from counts for every decision after it.
 */
import type { AccessRequest, Decision, Grant } from '../api/access.ts';
import type { KubeObject } from '../api/meta.ts';
import type { PolicyRule, RoleRef, Subject } from '../api/types/rbac.ts';
import type { User } from '../api/user.ts';
import type { Candidate } from './casbin.ts';
import { createJudge } from './casbin.ts';
import { compileRule } from './compile.ts';
import { DecisionCache } from './decision-cache.ts';
import type { Binding } from './grant-index.ts';
import { GrantIndex } from './grant-index.ts';
import { fullAuthority, mastersGroup } from './masters.ts';
import { createNodeGraph } from './node.ts';
import { requestKey } from './request.ts';
import type { CompiledRule } from './rule.ts';
import { mayGrant } from './rule.ts';

/** One object as it is now (`set`) or as it was last (`delete`). */
export interface PolicyChange {
  readonly kind: 'set' | 'delete';
  readonly object: KubeObject;
}

/** All that a user may do in a namespace. `incomplete` when something beside rules decides, as for a node. */
export interface HeldRules {
  readonly rules: readonly PolicyRule[];
  readonly incomplete: boolean;
  readonly evaluationError?: string;
}

/** One rule that somebody holds, and through what. */
export interface HeldGrant {
  readonly grant: Grant;
  readonly rule: PolicyRule;
}

export interface Authorizer {
  /**
   * Takes in a change of a Role, ClusterRole, RoleBinding, ClusterRoleBinding, Pod, PersistentVolume or
   * PersistentVolumeClaim; other kinds are ignored. Every decision after it returns takes it into account.
   */
  observe(change: PolicyChange): void;
  /** Whether `request` is allowed and by what. Never throws: an error is reported to `onError` and denies. */
  authorize(request: AccessRequest): Decision;
  /** The rules that `user` holds in `namespace` ('' for cluster scope), each once. */
  rulesFor(user: User, namespace: string): HeldRules;
  /** Every rule bound to `user` or a group of theirs in any namespace, with where it came from. For explanations: slow where many are bound. */
  grantsOf(user: User): readonly HeldGrant[];
  /** The rules of the role that a binding in `namespace` refers to; undefined if there is no such role. */
  rulesOfRole(ref: RoleRef, namespace: string): readonly PolicyRule[] | undefined;
}

const masters: readonly Candidate[] = fullAuthority.map((rule, index) =>
  builtin(`masters.${index}`, compileRule(rule), mastersGroup, index),
);

/** An authorizer that knows no policy yet, and so allows members of system:masters and what every node may do. `cached` bounds the decisions kept (default 16 384: some 10 MB). */
export function createAuthorizer(
  options: { readonly onError?: (error: unknown) => void; readonly cached?: number } = {},
): Authorizer {
  const { onError = () => {}, cached = 16_384 } = options;
  const index = new GrantIndex();
  const nodes = createNodeGraph();
  const cache = new DecisionCache(cached);
  const judge = createJudge();

  const decide = (request: AccessRequest): Decision => {
    const granted = judge(request, gather(request));
    return granted === undefined
      ? { allowed: false, reason: '' }
      : { allowed: true, reason: granted.reason(), grant: granted.grant() };
  };

  const gather = (request: AccessRequest): readonly Candidate[] => {
    const { user } = request;
    const found: Candidate[] = [];
    if (user.groups.includes(mastersGroup)) found.push(...masters.filter(({ rule }) => mayGrant(rule, request)));
    nodes.rules(request).forEach((rule, position) => {
      if (mayGrant(rule, request)) found.push(builtin(`node.${position}`, rule, 'system:node', position));
    });
    index.visit(user, request.kind === 'path' ? '' : request.namespace, (binding, subject) => {
      index.rules(binding.role).compiled.forEach((rule, position) => {
        if (mayGrant(rule, request)) found.push(bound(binding, subject, rule, position));
      });
    });
    return found;
  };

  return {
    observe: ({ kind, object }) => {
      index[kind](object);
      nodes[kind](object);
    },
    authorize: (request) => {
      try {
        const key = requestKey(request);
        const known = cache.get(key);
        if (known !== undefined) return known;
        const decision = decide(request);
        const namespace = request.kind === 'path' ? '' : request.namespace;
        cache.set(key, decision, [...index.cells(request.user, namespace), ...nodes.cells(request.user)]);
        return decision;
      } catch (error) {
        onError(error);
        return { allowed: false, reason: 'authorization failed, and an error denies' };
      }
    },
    rulesFor: (user, namespace) => {
      const rules = new Map<string, PolicyRule>();
      const add = (rule: PolicyRule): unknown => rules.set(JSON.stringify(rule), rule);
      if (user.groups.includes(mastersGroup)) fullAuthority.forEach(add);
      index.visit(user, namespace, ({ role }) => index.rules(role).rules.forEach(add));
      const held = { rules: [...rules.values()], incomplete: nodes.isNode(user) };
      return held.incomplete
        ? { ...held, evaluationError: 'node authorizer does not support user rule resolution' }
        : held;
    },
    grantsOf: (user) => {
      const held: HeldGrant[] = [];
      index.visitEverywhere(user, (binding) => {
        index.rules(binding.role).rules.forEach((rule, position) => {
          held.push({ grant: grantOf(binding, position), rule });
        });
      });
      return held;
    },
    rulesOfRole: ({ kind, name }, namespace) => {
      const role = index.findRole(kind, kind === 'Role' ? namespace : '', name);
      return role === undefined ? undefined : index.rules(role).rules;
    },
  };
}

function builtin(id: string, rule: CompiledRule, role: string, position: number): Candidate {
  return {
    id,
    rule,
    grant: () => ({
      bindingKind: 'builtin',
      bindingNamespace: '',
      binding: '',
      roleKind: 'builtin',
      role,
      rule: position,
    }),
    reason: () => `built in: allowed by ${role}`,
  };
}

function bound(binding: Binding, subject: Subject, rule: CompiledRule, position: number): Candidate {
  return {
    id: `${binding.id}.${position}`,
    rule,
    grant: () => grantOf(binding, position),
    reason: () => {
      const name = binding.kind === 'RoleBinding' ? `${binding.name}/${binding.namespace}` : binding.name;
      const by = `${binding.kind} ${JSON.stringify(name)} of ${binding.role.kind} ${JSON.stringify(binding.role.name)}`;
      return `RBAC: allowed by ${by} to ${describe(subject, binding)}`;
    },
  };
}

function grantOf(binding: Binding, position: number): Grant {
  return {
    bindingKind: binding.kind,
    bindingNamespace: binding.namespace,
    binding: binding.name,
    roleKind: binding.role.kind,
    role: binding.role.name,
    rule: position,
  };
}

function describe({ kind, name, namespace }: Subject, binding: Binding): string {
  if (kind !== 'ServiceAccount') return `${kind} ${JSON.stringify(name)}`;
  return `ServiceAccount ${JSON.stringify(`${name}/${namespace === '' ? binding.namespace : namespace}`)}`;
}
