import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/api/meta.ts';
import type { User } from '../../src/api/user.ts';
import type { Authorizer } from '../../src/authz/authorizer.ts';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import { planDefaultRoles } from '../../src/authz/default-roles.ts';
import { escalationOf } from '../../src/authz/escalation.ts';
import type { EscalationCase } from './rbac-cases.ts';
import { rbacCases } from './rbac-cases.ts';

function authorizerWith(objects: readonly KubeObject[]): Authorizer {
  const authorizer = createAuthorizer();
  for (const object of [...planDefaultRoles([]).create, ...objects]) authorizer.observe({ kind: 'set', object });
  return authorizer;
}

function userNamed(name: string, groups: readonly string[] = []): User {
  return { name, uid: '', groups, extra: {} };
}

/** The status that authorization and the escalation check give an attempt; what is left over succeeds. */
function statusOf({ actor, setup, attempt }: EscalationCase, object: KubeObject): number {
  const authorizer = authorizerWith(setup);
  const user = userNamed(actor.user, actor.groups);
  const { namespace = '', name } = object.metadata;
  const resource = `${object.kind.toLowerCase()}s`;
  const allowed = authorizer.authorize({
    kind: 'resource',
    user,
    verb: attempt.verb,
    group: 'rbac.authorization.k8s.io',
    version: 'v1',
    resource,
    subresource: '',
    namespace,
    name: attempt.verb === 'create' ? '' : name,
  }).allowed;
  if (!allowed) return 403;
  const old = setup.find((other) => other.kind === object.kind && other.metadata.name === name);
  return escalationOf({ user, old, object }, authorizer)?.code ?? (attempt.verb === 'create' ? 201 : 200);
}

describe('the truth set', () => {
  // 422 is validation's answer and impersonation the gateway's: both are asked over the API.
  const cases = rbacCases().escalation.flatMap((escalation) =>
    escalation.attempt.object === null || escalation.expectStatus === 422
      ? []
      : [{ ...escalation, object: escalation.attempt.object }],
  );

  test.for(cases)('$name: $why', (escalation) => {
    expect(statusOf(escalation, escalation.object)).toBe(escalation.expectStatus);
  });
});

const role = (name: string, rules: unknown, more: object = {}): KubeObject => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name, ...more },
  rules,
});

const bob = userNamed('bob', ['a', 'b']);
const readSecrets = [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['secrets'] }];

describe('what is said and when', () => {
  test('the refusal names the user and the missing rules as upstream does', () => {
    const refusal = escalationOf({ user: bob, old: undefined, object: role('r', readSecrets) }, authorizerWith([]));
    expect(refusal?.message).toBe(
      'clusterroles.rbac.authorization.k8s.io "r" is forbidden: user "bob" (groups=["a" "b"]) is attempting to grant ' +
        'RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    );
  });

  test('an update that leaves rules and labels alone is let through', () => {
    const old = role('r', readSecrets);
    const object = role('r', readSecrets, { annotations: { note: 'x' } });
    expect(escalationOf({ user: bob, old, object }, authorizerWith([old]))).toBeUndefined();
  });

  test('a label that adds held-by-nobody rules to an aggregated role is an escalation', () => {
    const old = role('r', readSecrets);
    const object = role('r', readSecrets, { labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } });
    expect(escalationOf({ user: bob, old, object }, authorizerWith([old]))?.code).toBe(403);
  });

  test('only full authority may set an aggregationRule', () => {
    const object = { ...role('r', []), aggregationRule: { clusterRoleSelectors: [{}] } };
    const refusal = escalationOf({ user: bob, old: undefined, object }, authorizerWith([]));
    expect(refusal?.message).toContain('must have cluster-admin privileges to use the aggregationRule');
    const root = userNamed('root', ['system:masters']);
    expect(escalationOf({ user: root, old: undefined, object }, authorizerWith([]))).toBeUndefined();
  });
});
