/** Kinds of our own, which the upstream type table does not have: their schema by hand, in the same form. */
import { builtin } from './builtin.ts';
import type { ObjectSchema } from './form.ts';
import { field, lazyObject } from './form.ts';

const group = 'netpolicy.gatehouse.dev/v1';

/** What the compiler of network policies writes and nodes read; only those two look inside. */
const own: ReadonlyMap<string, ObjectSchema> = new Map(
  [kind('NodeAllowList', true), kind('PeerSetSlice', false)].map((schema) => [schema.name, schema]),
);

/** The schema of a kind of ours, or undefined. */
export function ownKind(apiVersion: string, kind: string): ObjectSchema | undefined {
  return apiVersion === group ? own.get(kind) : undefined;
}

function kind(name: string, hasStatus: boolean): ObjectSchema {
  return lazyObject({ name, group, atomic: false, open: false }, () => ({
    own: [
      field('apiVersion', { kind: 'string' }),
      field('kind', { kind: 'string' }),
      field('metadata', builtin('meta/v1', 'ObjectMeta'), { nullable: false }),
      field('spec', { kind: 'any', atomic: true }, { optional: false }),
      ...(hasStatus ? [field('status', { kind: 'any', atomic: true })] : []),
    ],
    embedded: [],
  }));
}
