import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { levelFor } from '../../../src/audit/policy.ts';
import { parsePolicy } from '../../../src/audit/policy-file.ts';
import { readRequests } from '../../../src/audit/policy-questions.ts';

interface Refused {
  readonly id: string;
  readonly document?: unknown;
  readonly text?: string;
}

interface Cases {
  readonly cases: readonly {
    readonly id: string;
    readonly policy: object;
    readonly request: unknown;
    readonly expect: {
      readonly level: string;
      readonly omitStages: readonly string[];
      readonly matchedRule: number | null;
    };
  }[];
  readonly invalid: readonly Refused[];
  readonly upstreamLenient: readonly Refused[];
}

const data = JSON.parse(readFileSync(join(import.meta.dirname, 'policy-cases.json'), 'utf8')) as Cases;

describe('audit policy', () => {
  test.for(data.cases)('$id', ({ policy, request, expect: expected }) => {
    const parsed = parsePolicy(JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', ...policy }));
    const [question] = readRequests([request]);
    if (question === undefined) throw new Error('no question');
    const answer = levelFor(parsed, question);
    expect({ ...answer, omitStages: answer.omitStages.toSorted() }).toEqual({
      ...expected,
      omitStages: expected.omitStages.toSorted(),
    });
  });

  test.for<Refused>([...data.invalid, ...data.upstreamLenient])('refused: $id', ({ document, text }) => {
    expect(() => parsePolicy(text ?? JSON.stringify(document))).toThrow(/^audit policy: [^\n]+$/);
  });
});
