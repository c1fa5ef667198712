import { describe, expect, test } from 'vitest';
import type { ResourceAccess } from '../../../src/api/access.ts';
import { deniedImpersonation, parseImpersonation } from '../../../src/gateway/authn/impersonation.ts';

const admin = { name: 'admin', uid: '', groups: ['system:authenticated'], extra: {} };

const full = [
  'Impersonate-User',
  'alice',
  'impersonate-group',
  'devs',
  'Impersonate-Group',
  'ops',
  'IMPERSONATE-UID',
  'u1',
  'Impersonate-Extra-Acme.com%2Fproject',
  'x',
  'Impersonate-Extra-scopes',
  'view',
];

describe('impersonation', () => {
  test('without its headers nobody is impersonated', () => {
    expect(parseImpersonation(['Accept', 'impersonate-user', 'If-Match', 'x'])).toBeUndefined();
  });

  test('every part is a need of its own', () => {
    expect(
      parseImpersonation(full)?.needs.map(
        ({ group, resource, subresource, name }) => `${group}/${resource}/${subresource}/${name}`,
      ),
    ).toEqual([
      '/users//alice',
      '/groups//devs',
      '/groups//ops',
      'authentication.k8s.io/uids//u1',
      'authentication.k8s.io/userextras/acme.com/project/x',
      'authentication.k8s.io/userextras/scopes/view',
    ]);
  });

  test.for([0, 1, 2, 3, 4, 5])('need %d denied denies all', (denied) => {
    const asked = parseImpersonation(full);
    if (asked === undefined) throw new Error('parsed to nothing');
    let count = 0;
    const authorize = (request: ResourceAccess) => {
      expect(request).toMatchObject({ verb: 'impersonate', user: admin });
      return count++ === denied
        ? { allowed: false as const, reason: '' }
        : {
            allowed: true as const,
            reason: '',
            grant: {
              bindingKind: 'builtin' as const,
              bindingNamespace: '',
              binding: '',
              roleKind: 'builtin' as const,
              role: '',
              rule: 0,
            },
          };
    };
    expect(deniedImpersonation(asked, admin, authorize)?.request.name).toBe(asked.needs[denied]?.name);
  });

  test.for([
    {
      guarantees: 'a user keeps the groups asked for and is authenticated',
      headers: ['Impersonate-User', 'a', 'Impersonate-Group', 'g'],
      groups: ['g', 'system:authenticated'],
    },
    {
      guarantees: 'a service account has its own groups',
      headers: ['Impersonate-User', 'system:serviceaccount:ns:sa'],
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
    },
    {
      guarantees: 'anonymous is unauthenticated',
      headers: ['Impersonate-User', 'system:anonymous'],
      groups: ['system:unauthenticated'],
    },
    {
      guarantees: 'system:unauthenticated is not mended',
      headers: ['Impersonate-User', 'a', 'Impersonate-Group', 'system:unauthenticated'],
      groups: ['system:unauthenticated'],
    },
  ])('$guarantees', ({ headers, groups }) => {
    expect(parseImpersonation(headers)?.user.groups).toEqual(groups);
  });

  test('a service account is judged as one, in its namespace', () => {
    expect(parseImpersonation(['Impersonate-User', 'system:serviceaccount:ns:sa'])?.needs).toEqual([
      { group: '', resource: 'serviceaccounts', subresource: '', namespace: 'ns', name: 'sa' },
    ]);
  });

  test.for([
    { guarantees: 'groups without a user are refused', headers: ['Impersonate-Group', 'system:masters'] },
    { guarantees: 'an empty user is refused', headers: ['Impersonate-User', ''] },
    { guarantees: 'two users are refused', headers: ['Impersonate-User', 'a', 'impersonate-user', 'b'] },
    {
      guarantees: 'an unknown Impersonate- header is refused',
      headers: ['Impersonate-User', 'a', 'Impersonate-Groups', 'b'],
    },
    {
      guarantees: 'a malformed extra key is refused',
      headers: ['Impersonate-User', 'a', 'Impersonate-Extra-%zz', 'b'],
    },
  ])('$guarantees', ({ headers }) => {
    expect(() => parseImpersonation(headers)).toThrow(expect.objectContaining({ code: 400 }));
  });
});
