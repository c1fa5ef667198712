/** Server-side apply through subresources. */
import { beforeEach, describe, expect, test } from 'vitest';
import { at } from '../../../../src/std/value.ts';
import { deployment, harness } from '../harness.ts';
import type { Harness } from '../harness.ts';
import { applier, as, entries, failure, owner } from './support.ts';

let h: Harness;
const apply = applier(() => h);

beforeEach(async () => {
  h = await harness();
});

describe('status and spec', () => {
  const d = 'apps/v1/deployments/d';
  const withStatus = (replicas: number): object => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    status: { replicas },
  });

  test('the status is owned through its subresource, apart from the rest', async () => {
    await apply('one', deployment('d'), d);
    const after = await apply('one', withStatus(2), `${d}/status`);
    expect(at(after, 'status', 'replicas')).toBe(2);
    expect(owner(after, 'one', 'Apply', 'status')).toEqual({ 'f:status': { 'f:replicas': {} } });
    expect(at(owner(after, 'one'), 'f:spec', 'f:replicas')).toEqual({});
    expect(at(after, 'spec', 'replicas')).toBe(1);
  });

  test('a status applied to the object itself is neither kept nor owned', async () => {
    const made = await apply('one', { ...deployment('d'), status: { replicas: 5 } }, d);
    expect(at(made, 'status', 'replicas')).toBeUndefined();
    expect(at(owner(made, 'one'), 'f:status')).toBeUndefined();
  });

  test('a spec applied to the status is neither kept nor owned, and no conflict', async () => {
    await apply('one', deployment('d'), d);
    const after = await apply('two', { ...deployment('d', { replicas: 9 }), status: { replicas: 1 } }, `${d}/status`);
    expect(at(after, 'spec', 'replicas')).toBe(1);
    expect(owner(after, 'two', 'Apply', 'status')).toEqual({ 'f:status': { 'f:replicas': {} } });
    expect(at(owner(after, 'one'), 'f:spec', 'f:replicas')).toEqual({});
  });

  test('applying to the status of what is not there is NotFound', async () => {
    expect((await failure(apply('one', withStatus(1), `${d}/status`))).reason).toBe('NotFound');
  });

  test('an update of the status is an entry of its own', async () => {
    await h.create('apps/v1/deployments', deployment('d'), as('one'));
    const after = await h.patch(`${d}/status`, 'merge', { status: { replicas: 2 } }, as('one'));
    expect(owner(after, 'one', 'Update', 'status')).toEqual({ 'f:status': { 'f:replicas': {} } });
  });
});

describe('scale', () => {
  const d = 'apps/v1/deployments/d';
  const scale = (replicas: number): object => ({
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'd' },
    spec: { replicas },
  });

  test('scaling takes the replicas from their applier', async () => {
    await apply('one', deployment('d'), d);
    await h.patch(`${d}/scale`, 'merge', { spec: { replicas: 3 } }, as('kubectl-scale'));
    const after = await h.get(d);
    expect(owner(after, 'kubectl-scale', 'Update', 'scale')).toEqual({ 'f:spec': { 'f:replicas': {} } });
    expect(at(owner(after, 'one'), 'f:spec', 'f:replicas')).toBeUndefined();
    expect((await failure(apply('one', deployment('d'), d))).message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-scale" with subresource "scale" using apps/v1: .spec.replicas',
    );
  });

  test('a Scale shows who owns the replicas', async () => {
    await apply('one', deployment('d'), d);
    const shown = await h.get(`${d}/scale`);
    expect(entries(shown)).toMatchObject([
      { manager: 'one', apiVersion: 'autoscaling/v1', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
    ]);
  });

  test('a Scale can be applied, with its conflicts', async () => {
    await apply('one', deployment('d'), d);
    expect((await failure(apply('two', scale(4), `${d}/scale`))).message).toBe(
      'Apply failed with 1 conflict: conflict with "one": .spec.replicas',
    );
    await apply('two', scale(4), `${d}/scale`, { force: true });
    const after = await h.get(d);
    expect(at(after, 'spec', 'replicas')).toBe(4);
    expect(entries(after).find(({ manager }) => manager === 'two')).toMatchObject({
      operation: 'Apply',
      apiVersion: 'apps/v1',
      subresource: 'scale',
      fieldsV1: { 'f:spec': { 'f:replicas': {} } },
    });
    expect(at(owner(after, 'one'), 'f:spec', 'f:replicas')).toBeUndefined();
  });
});
