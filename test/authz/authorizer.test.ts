import { describe, expect, test } from 'vitest';
import type { Authorizer } from '../../src/authz/authorizer.ts';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import { planDefaultRoles } from '../../src/authz/default-roles.ts';
import { rbacCases, requestOf } from './rbac-cases.ts';

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
