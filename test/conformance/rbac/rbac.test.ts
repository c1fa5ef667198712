import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { asExpected, evaluate, scenariosIn } from '../../../src/authz/eval.ts';

describe('RBAC truth set, as `gatehouse authz eval` answers it', () => {
  const document: unknown = JSON.parse(readFileSync(join(import.meta.dirname, 'rbac.json'), 'utf8'));

  test.for(scenariosIn(document, []))('$name', (scenario) => {
    const evaluation = evaluate(scenario);
    expect(evaluation.checks.length).toBeGreaterThan(0);
    expect(evaluation.checks.filter((check) => check.allowed !== check.expected)).toEqual([]);
    expect(asExpected([evaluation])).toBe(true);
  });
});
