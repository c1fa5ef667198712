/** Who owns what after creations, updates and patches. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/api/meta.ts';
import { at } from '../../../../src/std/value.ts';
import { configMap, deployment, harness, pod } from '../harness.ts';
import type { Harness } from '../harness.ts';
import { as, cm, entries, failure, owner, path } from './support.ts';

let h: Harness;

beforeEach(async () => {
  h = await harness();
});

const patch = async (manager: string, body: object): Promise<KubeObject> =>
  await h.patch(path, 'merge', body, as(manager));

describe('a creation', () => {
  test('is its creator’s, without what the server counts and names', async () => {
    expect(entries(await h.create('configmaps', cm({ a: '1' }, { labels: { l: 'x' } }), as('kubectl-create')))).toEqual(
      [
        {
          manager: 'kubectl-create',
          operation: 'Update',
          apiVersion: 'v1',
          time: '2026-01-01T00:00:00Z',
          fieldsType: 'FieldsV1',
          fieldsV1: {
            'f:data': { '.': {}, 'f:a': {} },
            'f:metadata': { 'f:labels': { '.': {}, 'f:l': {} } },
          },
        },
      ],
    );
  });

  test('owns defaults, and not the structs that are there anyway', async () => {
    const made = await h.create('apps/v1/deployments', deployment('d'), as('me'));
    expect(owner(made, 'me', 'Update')).toEqual({
      'f:spec': {
        'f:progressDeadlineSeconds': {},
        'f:replicas': {},
        'f:revisionHistoryLimit': {},
        'f:selector': {},
        'f:strategy': { 'f:type': {}, 'f:rollingUpdate': { '.': {}, 'f:maxSurge': {}, 'f:maxUnavailable': {} } },
        'f:template': {
          'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
          'f:spec': {
            'f:containers': {
              'k:{"name":"main"}': {
                '.': {},
                'f:image': {},
                'f:imagePullPolicy': {},
                'f:name': {},
                'f:resources': {},
                'f:terminationMessagePath': {},
                'f:terminationMessagePolicy': {},
              },
            },
            'f:dnsPolicy': {},
            'f:restartPolicy': {},
            'f:schedulerName': {},
            'f:securityContext': {},
            'f:terminationGracePeriodSeconds': {},
          },
        },
      },
    });
  });

  test('does not own the status, which the server begins', async () => {
    const made = await h.create('pods', { ...pod('p'), status: { phase: 'Running' } }, as('me'));
    expect(at(owner(made, 'me', 'Update'), 'f:status')).toBeUndefined();
  });

  test('by a client without a name is by “unknown”', async () => {
    expect(entries(await h.create('configmaps', configMap('a'), as('')))[0]?.manager).toBe('unknown');
  });

  test('takes over what it also writes from managers that it brings along', async () => {
    const managedFields = [
      {
        manager: 'old',
        operation: 'Apply',
        apiVersion: 'v1',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:z': {} } },
      },
    ];
    const made = await h.create('configmaps', cm({ a: '1' }, { managedFields }), as('me'));
    expect(entries(made).map(({ manager }) => manager)).toEqual(['old', 'me']);
  });
});

describe('a change', () => {
  test('is its writer’s; the others lose what it took and what is gone', async () => {
    await h.create('configmaps', cm({ a: '1', b: '1', c: '1' }), as('one'));
    h.advance(60_000);
    const after = await patch('two', { data: { a: '2', b: null } });
    expect(owner(after, 'one', 'Update')).toEqual({ 'f:data': { '.': {}, 'f:c': {} } });
    expect(owner(after, 'two', 'Update')).toEqual({ 'f:data': { 'f:a': {} } });
    expect(entries(after).map(({ time }) => time)).toEqual(['2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z']);
  });

  test('of one’s own adds to what one has, with a new time', async () => {
    await h.create('configmaps', cm({ a: '1' }), as('one'));
    h.advance(60_000);
    const after = await patch('one', { data: { b: '1' } });
    expect(owner(after, 'one', 'Update')).toEqual({ 'f:data': { '.': {}, 'f:a': {}, 'f:b': {} } });
    expect(entries(after)).toHaveLength(1);
    expect(entries(after)[0]?.time).toBe('2026-01-01T00:01:00Z');
  });

  test('that changes nothing keeps everything', async () => {
    const made = await h.create('configmaps', cm({ a: '1' }), as('one'));
    h.advance(60_000);
    expect(await patch('two', { data: { a: '1' } })).toEqual(made);
    expect(await h.update(path, made, as('two'))).toEqual(made);
  });

  test('through a subresource is apart', async () => {
    await h.create('pods', pod('p'), as('kubelet'));
    const after = await h.patch('pods/p/status', 'merge', { status: { podIP: '10.0.0.1' } }, as('kubelet'));
    expect(owner(after, 'kubelet', 'Update', 'status')).toEqual({ 'f:status': { 'f:podIP': {} } });
  });

  test('in another version of the same kind is apart, and takes from the other', async () => {
    const v2 = {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'h' },
      spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 3 },
    };
    await h.create('autoscaling/v2/horizontalpodautoscalers', v2, as('one'));
    const path1 = 'autoscaling/v1/horizontalpodautoscalers/h';
    const after = await h.patch(path1, 'merge', { spec: { maxReplicas: 4 } }, as('two'));
    expect(entries(after).map(({ manager, apiVersion }) => [manager, apiVersion])).toEqual([
      ['one', 'autoscaling/v2'],
      ['two', 'autoscaling/v1'],
    ]);
    expect(at(owner(after, 'one', 'Update'), 'f:spec', 'f:maxReplicas')).toBeUndefined();
    expect(at(owner(after, 'one', 'Update'), 'f:spec', 'f:minReplicas')).toEqual({});
  });

  test('of the twelfth writer joins the oldest', async () => {
    await h.create('configmaps', cm({ a: '1' }), as('w00'));
    for (let n = 1; n <= 11; n++) {
      h.advance(1000);
      await patch(`w${String(n).padStart(2, '0')}`, { data: { [`k${n}`]: '1' } });
    }
    const after = await h.get(path);
    const names = entries(after).map(({ manager }) => manager);
    expect(names).toHaveLength(10);
    expect(names[0]).toBe('ancient-changes');
    expect(owner(after, 'ancient-changes', 'Update')).toEqual({
      'f:data': { '.': {}, 'f:a': {}, 'f:k1': {}, 'f:k2': {} },
    });
    expect(entries(after)[0]?.time).toBe('2026-01-01T00:00:02Z');
  });
});

describe('managedFields from a client', () => {
  test.for<{ guarantees: string; sent: unknown }>([
    { guarantees: 'an empty list forgets all managers', sent: [] },
    { guarantees: 'one empty entry forgets all managers', sent: [{}] },
  ])('$guarantees, and the object is not tracked from then on', async ({ sent }) => {
    await h.create('configmaps', cm({ a: '1' }), as('one'));
    expect(entries(await patch('two', { metadata: { managedFields: sent } }))).toEqual([]);
    expect(entries(await patch('two', { data: { b: '1' } }))).toEqual([]);
  });

  test('an update without them keeps them', async () => {
    await h.create('configmaps', cm({ a: '1' }), as('one'));
    expect(owner(await h.update(path, cm({ a: '1' }), as('two')), 'one', 'Update')).toEqual({
      'f:data': { '.': {}, 'f:a': {} },
    });
  });

  test('what a client writes into them counts, in the spelling of the server', async () => {
    const made = await h.create('configmaps', cm({ a: '1' }), as('one'));
    const [entry] = entries(made);
    const moved = { ...made, metadata: { ...made.metadata, managedFields: [{ ...entry, manager: 'other' }] } };
    expect(entries(await h.update(path, moved, as('two'))).map(({ manager }) => manager)).toEqual(['other']);
  });

  const valid = { manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} };
  test.for<{ guarantees: string; entry: object }>([
    { guarantees: 'an unknown operation', entry: { ...valid, operation: 'Sync' } },
    { guarantees: 'no version', entry: { ...valid, apiVersion: '' } },
    { guarantees: 'fields of another type', entry: { ...valid, fieldsType: 'FieldsV2' } },
    { guarantees: 'fields that do not parse', entry: { ...valid, fieldsV1: { 'k:{': {} } } },
  ])('$guarantees: they are passed over, as upstream does, and the old ones stay', async ({ entry }) => {
    await h.create('configmaps', cm({ a: '1' }), as('one'));
    const after = await patch('two', { data: { b: '1' }, metadata: { managedFields: [entry] } });
    expect(entries(after).map(({ manager }) => manager)).toEqual(['one', 'two']);
  });

  test('through a subresource they are not taken', async () => {
    await h.create('pods', pod('p'), as('one'));
    const after = await h.patch('pods/p/status', 'merge', { metadata: { managedFields: [] } }, as('two'));
    expect(entries(after).map(({ manager }) => manager)).toEqual(['one']);
  });

  test('that are no list are refused', async () => {
    await h.create('configmaps', cm({ a: '1' }), as('one'));
    expect((await failure(patch('two', { metadata: { managedFields: 'x' } }))).reason).toBe('BadRequest');
  });
});
