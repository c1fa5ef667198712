import { describe, expect, test } from 'vitest';
import type { AccessRequest } from '../../src/api/access.ts';
import type { KubeObject } from '../../src/api/meta.ts';
import type { Authorizer, PolicyChange } from '../../src/authz/authorizer.ts';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import { createJudge } from '../../src/authz/casbin.ts';
import { compileRule } from '../../src/authz/compile.ts';
import { planDefaultRoles } from '../../src/authz/default-roles.ts';
import type { CompiledRule } from '../../src/authz/rule.ts';
import { rbacCases, requestOf } from './rbac-cases.ts';
import { access, ann, clusterRole, clusterRoleBinding, readPods, role, roleBinding, userNamed } from './support.ts';

function withDefaults(): Authorizer {
  const authorizer = createAuthorizer({
    onError: (error) => {
      throw error;
    },
  });
  for (const object of planDefaultRoles([]).create) authorizer.observe({ kind: 'set', object });
  return authorizer;
}

describe('the truth set', () => {
  const { scenarios } = rbacCases();

  test.for(scenarios)('$name: $why', ({ manifests, checks }) => {
    const authorizer = withDefaults();
    for (const object of manifests) authorizer.observe({ kind: 'set', object });
    const wrong = checks.filter((check) => authorizer.authorize(requestOf(check)).allowed !== check.allowed);
    expect(wrong).toEqual([]);
  });

  test('holds with all scenarios in one cluster, whatever is in the cache', () => {
    const authorizer = withDefaults();
    for (const { manifests } of scenarios) {
      for (const object of manifests) authorizer.observe({ kind: 'set', object });
    }
    const checks = scenarios.flatMap((scenario) => scenario.checks);
    for (const round of [checks, checks.toReversed()]) {
      const wrong = round.filter((check) => authorizer.authorize(requestOf(check)).allowed !== check.allowed);
      expect(wrong).toEqual([]);
    }
  });
});

describe('a change of policy counts for the next decision', () => {
  const objects = [role('n1', 'r', [readPods]), roleBinding('n1', 'b', 'Role/r', [ann])];
  const [held, bound] = objects as [KubeObject, KubeObject];

  test.for<{ readonly guarantees: string; readonly change: PolicyChange; readonly allowed: boolean }>([
    { guarantees: 'a binding deleted', change: { kind: 'delete', object: bound }, allowed: false },
    { guarantees: 'a role deleted', change: { kind: 'delete', object: held }, allowed: false },
    { guarantees: 'a role emptied', change: { kind: 'set', object: role('n1', 'r', []) }, allowed: false },
    {
      guarantees: 'a subject removed',
      change: { kind: 'set', object: roleBinding('n1', 'b', 'Role/r', []) },
      allowed: false,
    },
    {
      guarantees: 'a binding pointed at nothing',
      change: { kind: 'set', object: roleBinding('n1', 'b', 'Role/gone', [ann]) },
      allowed: false,
    },
    { guarantees: 'an unrelated role', change: { kind: 'set', object: role('n2', 'r', []) }, allowed: true },
  ])('$guarantees', ({ change, allowed }) => {
    const authorizer = withDefaults();
    expect(authorizer.authorize(access()).allowed).toBe(false);
    for (const object of objects) authorizer.observe({ kind: 'set', object });
    expect(authorizer.authorize(access()).allowed).toBe(true);
    authorizer.observe(change);
    expect(authorizer.authorize(access()).allowed).toBe(allowed);
    for (const object of objects) authorizer.observe({ kind: 'set', object });
    expect(authorizer.authorize(access()).allowed).toBe(true);
  });

  test('a rule taken from a role is gone from the roles that aggregate it, whatever they carry', () => {
    const authorizer = withDefaults();
    const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' };
    const widgets = { verbs: ['get'], apiGroups: ['x.test'], resources: ['widgets'] };
    const source = clusterRole('source', [widgets], { metadata: { name: 'source', labels } });
    const asks = (): boolean => authorizer.authorize(access({ group: 'x.test', resource: 'widgets' })).allowed;
    authorizer.observe({ kind: 'set', object: roleBinding('n1', 'b', 'ClusterRole/admin', [ann]) });
    expect(asks()).toBe(false);
    authorizer.observe({ kind: 'set', object: source });
    expect(asks()).toBe(true);
    authorizer.observe({ kind: 'set', object: clusterRole('source', [widgets]) });
    expect(asks()).toBe(false);
    authorizer.observe({ kind: 'set', object: source });
    expect(asks()).toBe(true);
    authorizer.observe({ kind: 'delete', object: source });
    expect(asks()).toBe(false);
  });

  test('roles that aggregate each other settle', () => {
    const authorizer = createAuthorizer();
    const circle = (name: string, other: string): KubeObject =>
      clusterRole(name, [], {
        metadata: { name, labels: { [name]: 'true' } },
        aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [other]: 'true' } }] },
      });
    for (const object of [circle('a', 'b'), circle('b', 'a'), clusterRoleBinding('x', 'a', [ann])]) {
      authorizer.observe({ kind: 'set', object });
    }
    expect(authorizer.authorize(access()).allowed).toBe(false);
  });
});

describe('an error denies', () => {
  test('and is reported, when a request is not what it should be', () => {
    const errors: unknown[] = [];
    const authorizer = createAuthorizer({ onError: (error) => errors.push(error) });
    const broken = { kind: 'resource', user: { name: 'x', groups: null } } as unknown as AccessRequest;
    expect(authorizer.authorize(broken).allowed).toBe(false);
    expect(errors).toHaveLength(1);
  });

  test('and in the matcher too: the judge throws and the next request is judged afresh', () => {
    const judge = createJudge();
    const rule = compileRule(readPods);
    const grant = () =>
      ({ bindingKind: 'builtin', bindingNamespace: '', binding: '', roleKind: 'builtin', role: '', rule: 0 }) as const;
    const candidate = (id: string, compiled: CompiledRule) => ({ id, rule: compiled, grant, reason: () => '' });
    const broken = { ...rule, verbs: undefined } as unknown as CompiledRule;
    expect(() => judge(access(), [candidate('x', broken)])).toThrow('undefined');
    expect(judge(access(), [])).toBeUndefined();
    expect(judge(access(), [candidate('y', rule)])?.id).toBe('y');
  });
});

describe('controllers may do what they do', () => {
  const account = (name: string) =>
    userNamed(`system:serviceaccount:kube-system:${name}`, ['system:serviceaccounts', 'system:authenticated']);
  test.for([
    ['deployment-controller', 'create', 'apps', 'replicasets', ''],
    ['deployment-controller', 'update', 'apps', 'deployments', 'status'],
    ['replicaset-controller', 'create', '', 'pods', ''],
    ['endpointslice-controller', 'update', '', 'endpoints', ''],
    ['node-controller', 'update', '', 'pods', 'status'],
    ['netpolicy-controller', 'update', 'netpolicy.gatehouse.dev', 'nodeallowlists', ''],
    ['certificate-controller', 'update', 'certificates.k8s.io', 'certificatesigningrequests', 'approval'],
    ['replicaset-controller', 'create', 'events.k8s.io', 'events', ''],
  ] as const)('%s: %s %s %s/%s', ([name, verb, group, resource, subresource]) => {
    const asked = access({ user: account(name), verb, group, resource, subresource });
    expect(withDefaults().authorize(asked).allowed).toBe(true);
    expect(withDefaults().authorize({ ...asked, group: '', resource: 'secrets', subresource: '' }).allowed).toBe(false);
  });
});

test('requests decided at the same time never get each other’s grants', async () => {
  const authorizer = createAuthorizer({ cached: 1 });
  authorizer.observe({ kind: 'set', object: role('n1', 'r', [readPods]) });
  authorizer.observe({ kind: 'set', object: roleBinding('n1', 'b', 'Role/r', [ann]) });
  const ask = async (name: string): Promise<boolean> => {
    await Promise.resolve();
    return authorizer.authorize(access({ user: userNamed(name) })).allowed;
  };
  const names = Array.from({ length: 400 }, (_, index) => (index % 2 === 0 ? 'ann' : `bob-${index}`));
  expect(await Promise.all(names.map(ask))).toEqual(names.map((name) => name === 'ann'));
});

test('the grant names binding, role and rule', () => {
  const authorizer = createAuthorizer();
  const rules = [{ ...readPods, resources: ['services'] }, readPods];
  authorizer.observe({ kind: 'set', object: clusterRole('reader', rules) });
  authorizer.observe({ kind: 'set', object: roleBinding('n1', 'b', 'ClusterRole/reader', [ann]) });
  expect(authorizer.authorize(access())).toMatchObject({
    grant: {
      bindingKind: 'RoleBinding',
      bindingNamespace: 'n1',
      binding: 'b',
      roleKind: 'ClusterRole',
      role: 'reader',
      rule: 1,
    },
  });
});

test('objects of the wrong shape grant nothing and break nothing', () => {
  const authorizer = withDefaults();
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const metadata = { name: 'odd', namespace: 'n1' };
  for (const rest of [
    { rules: 'x', subjects: 7 },
    { rules: [null, 1, { verbs: 'get' }], subjects: [null], roleRef: [] },
  ]) {
    for (const kind of ['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding']) {
      authorizer.observe({ kind: 'set', object: { apiVersion, kind, metadata, ...rest } });
    }
  }
  authorizer.observe({ kind: 'set', object: { apiVersion: 'v1', kind: 'Pod', metadata, spec: { volumes: 3 } } });
  expect(authorizer.authorize(access()).allowed).toBe(false);
});
