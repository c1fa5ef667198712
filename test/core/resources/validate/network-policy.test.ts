import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { outcomeLater } from '../../../support/outcome.ts';
import { harness } from '../harness.ts';

interface Case {
  readonly name: string;
  readonly valid: boolean;
  readonly why: string;
  readonly object: { readonly apiVersion: string };
}

const cases = JSON.parse(readFileSync(new URL('netpol-invalid.json', import.meta.url), 'utf8')) as readonly Case[];

const kept: unknown = expect.objectContaining({ kind: 'NetworkPolicy' });
const refused: unknown = expect.stringContaining('NetworkPolicy.networking.k8s.io "p" is invalid: spec.');

test.for(cases.filter(({ object }) => object.apiVersion === 'networking.k8s.io/v1'))(
  'NetworkPolicy $name: $why (valid: $valid)',
  async ({ valid, object }) => {
    const h = await harness();
    await h.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x' } }, {}, '');
    const made = await outcomeLater(() => h.create('networking.k8s.io/v1/networkpolicies', object, {}, 'x'));
    expect(made).toEqual(valid ? kept : refused);
  },
);
