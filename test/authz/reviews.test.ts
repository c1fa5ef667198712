import { describe, expect, test } from 'vitest';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import { deniedStatus } from '../../src/authz/forbidden.ts';
import {
  accessReviewStatus,
  localSubjectAccessRequest,
  rulesReviewStatus,
  selfSubjectAccessRequest,
  subjectAccessRequest,
} from '../../src/authz/reviews.ts';
import { access, ann, readPods, role, roleBinding, userNamed } from './support.ts';

const review = <Spec>(spec: Spec) => ({
  apiVersion: 'authorization.k8s.io/v1',
  kind: '',
  metadata: { name: '' },
  spec,
});

describe('access reviews', () => {
  test('ask for the attributes and the subject of their spec, nothing of the caller', () => {
    const spec = { user: 'bob', groups: ['g'], resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'n1' } };
    const bob = userNamed('bob', ['g']);
    expect(subjectAccessRequest(review(spec))).toEqual(access({ user: bob, name: '', version: '' }));
  });

  test('say who allowed, and nothing when nobody did', () => {
    const authorizer = createAuthorizer();
    authorizer.observe({ kind: 'set', object: role('n1', 'r', [readPods]) });
    authorizer.observe({ kind: 'set', object: roleBinding('n1', 'b', 'Role/r', [ann]) });
    expect(accessReviewStatus(authorizer.authorize(access()))).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "b/n1" of Role "r" to User "ann"',
    });
    expect(accessReviewStatus(authorizer.authorize(access({ verb: 'delete' })))).toEqual({ allowed: false });
  });

  const pods = { resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'n1' } };
  const metrics = { nonResourceAttributes: { verb: 'get', path: '/metrics' } };

  test.for([
    {
      guarantees: 'asking nothing',
      ask: () => subjectAccessRequest(review({ user: 'bob' })),
      field: 'spec.resourceAttributes',
    },
    {
      guarantees: 'asking two things',
      ask: () => subjectAccessRequest(review({ user: 'bob', ...pods, ...metrics })),
      field: 'spec.nonResourceAttributes',
    },
    { guarantees: 'asking about nobody', ask: () => subjectAccessRequest(review(pods)), field: 'spec.user' },
    {
      guarantees: 'asking a path locally',
      ask: () => localSubjectAccessRequest(review({ user: 'bob', ...metrics }), 'n1'),
      field: 'spec.nonResourceAttributes',
    },
    {
      guarantees: 'asking about another namespace locally',
      ask: () => localSubjectAccessRequest(review({ user: 'bob', ...pods }), 'n2'),
      field: 'spec.resourceAttributes.namespace',
    },
    {
      guarantees: 'asking nothing about oneself',
      ask: () => selfSubjectAccessRequest(review({}), userNamed('ann')),
      field: 'spec.resourceAttributes',
    },
  ])('refuse $guarantees', ({ ask, field }) => {
    expect(ask).toThrow(expect.objectContaining({ code: 422, message: expect.stringContaining(`: ${field}: `) }));
  });
});

test('a rules review lists what is held, resources apart from paths', () => {
  const authorizer = createAuthorizer();
  const { resourceRules, nonResourceRules } = rulesReviewStatus(
    review({ namespace: 'n1' }),
    userNamed('root', ['system:masters']),
    authorizer,
  );
  expect(resourceRules).toEqual([{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]);
  expect(nonResourceRules).toEqual([{ verbs: ['*'], nonResourceURLs: ['*'] }]);
});

test.for([
  {
    request: access({ verb: 'list', resource: 'secrets', namespace: 'shop', name: '', user: userNamed('alice') }),
    message:
      'secrets is forbidden: User "alice" cannot list resource "secrets" in API group "" in the namespace "shop"',
  },
  {
    request: access({ subresource: 'log', name: 'web' }),
    message: 'pods "web" is forbidden: User "ann" cannot get resource "pods/log" in API group "" in the namespace "n1"',
  },
  {
    request: access({ group: 'apps', resource: 'deployments', namespace: '', name: '' }),
    message:
      'deployments.apps is forbidden: User "ann" cannot get resource "deployments" in API group "apps" at the cluster scope',
  },
  {
    request: { kind: 'path', user: userNamed('x'), verb: 'get', path: '/metrics' } as const,
    message: 'forbidden: User "x" cannot get path "/metrics"',
  },
  {
    request: access({ user: userNamed('a"\n') }),
    message: 'pods "a" is forbidden: User "a\\"\\n" cannot get resource "pods" in API group "" in the namespace "n1"',
  },
])('a refusal reads as upstream’s: $message', ({ request, message }) => {
  const refusal = deniedStatus(request);
  expect([refusal.code, refusal.message]).toEqual([403, message]);
});
