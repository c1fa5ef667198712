/** From client-side to server-side apply. */
import { beforeEach, describe, expect, test } from 'vitest';
import { harness } from '../harness.ts';
import type { Harness } from '../harness.ts';
import { applier, as, cm, entries, failure, path } from './support.ts';

let h: Harness;
const apply = applier(() => h);

beforeEach(async () => {
  h = await harness();
});

describe('from client-side to server-side', () => {
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
  const clientSide = async (data: object, applied: object = data): Promise<void> => {
    const annotations = { [annotation]: JSON.stringify(cm(applied)) };
    await h.create('configmaps', cm(data, { annotations }), as('kubectl-client-side-apply'));
  };

  test('kubectl may change what it applied from the client', async () => {
    await clientSide({ a: '1' });
    expect((await apply('kubectl', cm({ a: '2' })))['data']).toEqual({ a: '2' });
  });

  test('another manager may not', async () => {
    await clientSide({ a: '1' });
    expect((await failure(apply('argocd', cm({ a: '2' })))).message).toContain(
      '"kubectl-client-side-apply" using v1: .data.a',
    );
  });

  test('what has been changed since is a conflict', async () => {
    await clientSide({ a: '9', b: '1' }, { a: '1', b: '1' });
    const error = await failure(apply('kubectl', cm({ a: '2', b: '2' })));
    expect(error.message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .data.a',
    );
  });

  test('the annotation goes on saying what was applied', async () => {
    await clientSide({ a: '1' });
    const after = await apply('kubectl', cm({ a: '2', b: '1' }));
    expect(JSON.parse(after.metadata.annotations?.[annotation] ?? '')).toMatchObject({ data: { a: '2', b: '1' } });
  });

  test('an annotation that does not parse allows nothing', async () => {
    await h.create('configmaps', cm({ a: '1' }, { annotations: { [annotation]: '{' } }), as('other'));
    expect((await failure(apply('kubectl', cm({ a: '2' })))).reason).toBe('Conflict');
  });

  test('kubectl hands the ownership of its updates over by a patch of managedFields', async () => {
    await clientSide({ a: '1', b: '1' });
    const made = await apply('kubectl', cm({ a: '1', b: '1' }));
    const own = entries(made).find(({ operation }) => operation === 'Apply');
    const patch = [
      { op: 'replace', path: '/metadata/managedFields', value: [own] },
      { op: 'replace', path: '/metadata/resourceVersion', value: made.metadata.resourceVersion },
    ];
    const moved = await h.patch(path, 'json', patch, as('kubectl'));
    expect(entries(moved)).toEqual([own]);
    expect((await apply('kubectl', cm({ a: '1' })))['data']).toEqual({ a: '1' });
  });
});
