import { expect, test } from 'vitest';
import type { AccessRequest, ResourceAccess } from '../../src/api/access.ts';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import type { Missed } from '../../src/authz/explain.ts';
import { nearestMiss } from '../../src/authz/explain.ts';
import { access, ann, clusterRole, clusterRoleBinding, readPods, role, roleBinding, userNamed } from './support.ts';

const authorizer = createAuthorizer();
for (const object of [
  role('n1', 'pods', [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['s'] }, readPods]),
  roleBinding('n1', 'b', 'Role/pods', [ann]),
  clusterRole('metrics', [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }]),
  clusterRoleBinding('c', 'metrics', [{ kind: 'Group', name: 'team' }]),
]) {
  authorizer.observe({ kind: 'set', object });
}

interface Row {
  readonly guarantees: string;
  readonly request: Partial<ResourceAccess>;
  readonly rule: number | undefined;
  readonly missed?: readonly Missed[];
}

test.for<Row>([
  { guarantees: 'a verb short', request: { verb: 'delete' }, rule: 1, missed: ['verb'] },
  { guarantees: 'a namespace away', request: { namespace: 'n2' }, rule: 1, missed: ['namespace'] },
  { guarantees: 'another name', request: { resource: 'secrets', name: 't' }, rule: 0, missed: ['name'] },
  { guarantees: 'two parts', request: { verb: 'delete', namespace: 'n2' }, rule: 1, missed: ['namespace', 'verb'] },
  { guarantees: 'nothing near for another resource', request: { resource: 'nodes' }, rule: undefined },
  { guarantees: 'nothing near for a stranger', request: { user: userNamed('eve') }, rule: undefined },
])('the nearest miss: $guarantees', ({ request, rule, missed }) => {
  const asked = access(request);
  expect(authorizer.authorize(asked).allowed).toBe(false);
  const nearest = nearestMiss(asked, authorizer);
  expect([nearest?.grant.rule, nearest?.missed]).toEqual([rule, missed]);
});

test('the nearest miss of a path is a rule about that path', () => {
  const asked: AccessRequest = { kind: 'path', user: userNamed('x', ['team']), verb: 'post', path: '/metrics' };
  expect(nearestMiss(asked, authorizer)).toMatchObject({ grant: { binding: 'c' }, missed: ['verb'] });
});
