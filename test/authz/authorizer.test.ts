import { describe, expect, test } from 'vitest';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import { rbacCases, requestOf } from './rbac-cases.ts';

describe('the truth set', () => {
  const scenarios = rbacCases().scenarios.filter(({ name }) => !name.startsWith('default-'));

  test.for(scenarios)('$name: $why', ({ manifests, checks }) => {
    const authorizer = createAuthorizer({
      onError: (error) => {
        throw error;
      },
    });
    for (const object of manifests) authorizer.observe({ kind: 'set', object });
    const wrong = checks.filter((check) => authorizer.authorize(requestOf(check)).allowed !== check.allowed);
    expect(wrong).toEqual([]);
  });
});
