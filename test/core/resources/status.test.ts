import { expect, test } from 'vitest';
import { deployment, harness, pod } from './harness.ts';

const metadata = { labels: { z: 'z' }, annotations: { note: 'n' } };

test.for([
  {
    guarantees: 'a Deployment takes annotations with its status, no labels, and counts no generation',
    path: 'apps/v1/deployments/d',
    object: deployment('d'),
    kept: { annotations: { note: 'n' }, generation: 1 },
  },
  {
    guarantees: 'a Pod takes labels and annotations with its status',
    path: 'pods/d',
    object: pod('d', {}),
    kept: { labels: { z: 'z' }, annotations: { note: 'n' } },
  },
  {
    guarantees: 'a ReplicaSet takes neither with its status',
    path: 'apps/v1/replicasets/d',
    object: { ...deployment('d'), kind: 'ReplicaSet' },
    kept: { generation: 1 },
  },
])('$guarantees', async ({ path, object, kept }) => {
  const h = await harness();
  const made = await h.create(path.slice(0, -2), object);
  const written = await h.patch(`${path}/status`, 'merge', { metadata, status: {} });
  const { labels, annotations, generation } = written.metadata;
  expect({ labels, annotations, generation }).toEqual({
    labels: undefined,
    annotations: undefined,
    generation: made.metadata.generation,
    ...kept,
  });
});

test('a status write for another incarnation of the object is a Conflict', async () => {
  const h = await harness();
  await h.create('apps/v1/deployments', deployment('d'));
  await expect(h.patch('apps/v1/deployments/d/status', 'merge', { metadata: { uid: 'another' } })).rejects.toThrow(
    'Precondition failed: UID in precondition: another',
  );
});
