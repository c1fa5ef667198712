import { expect, test } from 'vitest';
import { judge } from '../../../src/core/store/judge.ts';
import { deletedAt, draftOf, largestObjectBytes, storedAt } from '../../../src/core/store/draft.ts';
import type { Draft } from '../../../src/core/store/draft.ts';
import type { KubeObject } from '../../../src/api/meta.ts';
import type { Mutation, Stored } from '../../../src/core/store/store.ts';

const key = { resource: 'pods', namespace: 'shop', name: 'web' };
const object: KubeObject = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec: { nodeName: 'n1' } };

function draft(of: KubeObject = object): Draft {
  const made = draftOf(key, of);
  if ('refused' in made) throw new Error(made.refused);
  return made;
}

const current: Stored = storedAt(draft(), 7n);

test.for<{ guarantees: string; mutation: Mutation; current: Stored | undefined; is: string }>([
  {
    guarantees: 'a create of what is not there proceeds',
    mutation: { kind: 'create', key, object },
    current: undefined,
    is: 'added',
  },
  {
    guarantees: 'a create of what is there says exists',
    mutation: { kind: 'create', key, object },
    current,
    is: 'exists',
  },
  {
    guarantees: 'an update at the present revision proceeds',
    mutation: { kind: 'update', key, object, expected: 7n },
    current,
    is: 'modified',
  },
  {
    guarantees: 'an update at an older revision conflicts',
    mutation: { kind: 'update', key, object, expected: 6n },
    current,
    is: 'conflict',
  },
  {
    guarantees: 'an update at a revision yet to come conflicts',
    mutation: { kind: 'update', key, object, expected: 8n },
    current,
    is: 'conflict',
  },
  {
    guarantees: 'an update of what is gone is not found',
    mutation: { kind: 'update', key, object, expected: 7n },
    current: undefined,
    is: 'not-found',
  },
  {
    guarantees: 'a delete at the present revision proceeds',
    mutation: { kind: 'delete', key, expected: 7n },
    current,
    is: 'deleted',
  },
  {
    guarantees: 'a delete at an older revision conflicts',
    mutation: { kind: 'delete', key, expected: 1n },
    current,
    is: 'conflict',
  },
])('$guarantees', ({ mutation, current, is }) => {
  const judgement = judge(mutation, current);
  expect(judgement.proceed ? judgement.kind : judgement.verdict.outcome).toBe(is);
});

test.for<{ guarantees: string; object: KubeObject }>([
  { guarantees: 'a whole object', object },
  {
    guarantees: 'an object with nothing but metadata',
    object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' } },
  },
  {
    guarantees: 'an object that still carries an older resourceVersion',
    object: { ...object, metadata: { name: 'web', resourceVersion: '3' } },
  },
])('value and bytes are the same and carry the revision: $guarantees', ({ object }) => {
  const stored = storedAt(draft(object), 12n);
  expect(JSON.parse(stored.json.toString())).toEqual(stored.object);
  expect(stored.object.metadata.resourceVersion).toBe('12');
  expect(deletedAt(stored, 13n).json.toString()).toBe(stored.json.toString().replace('"12"', '"13"'));
});

test.for([
  { guarantees: 'a NUL in a name', key: { ...key, name: 'a\0b' }, object },
  { guarantees: 'half a surrogate pair in a name', key: { ...key, name: 'a\ud800b' }, object },
  { guarantees: 'more bytes than are kept', key, object: { ...object, data: 'x'.repeat(largestObjectBytes) } },
  { guarantees: 'nesting that JSON.stringify cannot follow', key, object: { ...object, spec: nested(100_000) } },
])('$guarantees is refused before the database sees it', ({ key, object }) => {
  expect(draftOf(key, object)).toHaveProperty('refused');
});

function nested(depth: number): unknown {
  let value: unknown = {};
  for (let i = 0; i < depth; i++) value = { value };
  return value;
}
