import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { PolicyCase, Probe } from '../../../src/netpolicy/eval.ts';
import { evaluateCase } from '../../../src/netpolicy/eval.ts';

type Asked = Probe & { readonly allowed: boolean };

interface Case extends Omit<PolicyCase, 'steps'> {
  readonly why: string;
  readonly probes: readonly Asked[];
  readonly steps?: readonly { readonly probes: readonly Asked[] }[];
}

// What each case means is told in its `why`; the file is shared by every implementation of NetworkPolicy here.
const cases = JSON.parse(readFileSync(join(import.meta.dirname, 'netpol.json'), 'utf8')) as readonly Case[];

describe('networking.k8s.io/v1 NetworkPolicy', () => {
  test.for(cases)('$name: $why', (asked) => {
    const { probes, steps } = evaluateCase(asked);
    const answer = (list: readonly Asked[], results: readonly { readonly allowed: boolean }[]): readonly string[] =>
      list.flatMap((probe, i) =>
        results[i]?.allowed === probe.allowed ? [] : [`${JSON.stringify(probe)} came out ${results[i]?.allowed}`],
      );
    expect(answer(asked.probes, probes)).toEqual([]);
    expect((asked.steps ?? []).flatMap((step, i) => answer(step.probes, steps[i]?.probes ?? []))).toEqual([]);
  });
});
