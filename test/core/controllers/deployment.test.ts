import { describe, expect, test } from 'vitest';
import type { Deployment } from '../../../src/api/types/apps.ts';
import { deployments, pods as podsRef, replicaSets } from '../../../src/core/cluster/resource-ref.ts';
import { runDeployments } from '../../../src/core/controllers/deployment.ts';
import { runReplicaSets } from '../../../src/core/controllers/replicaset.ts';
import { deploymentOf, template, world } from './world.ts';
import type { World } from './world.ts';

const revision = 'deployment.kubernetes.io/revision';

async function running(spec: Partial<Deployment['spec']> = {}): Promise<World> {
  const w = await world();
  w.start(runDeployments, runReplicaSets);
  await w.settle();
  await w.admin.create(deployments, deploymentOf('web', spec));
  return w;
}

const change = (w: World, spec: object, more: object = {}): Promise<Deployment> =>
  w.admin.patch(deployments, { namespace: 'default', name: 'web' }, { kind: 'merge', body: { spec, ...more } });

async function complete(w: World): Promise<Deployment> {
  return w.until('a complete rollout', async () => {
    await w.playNode();
    const d = await w.deployment('web');
    const { replicas = 0, updatedReplicas = 0, availableReplicas = 0, observedGeneration = 0 } = d.status ?? {};
    const wanted = d.spec.replicas ?? 1;
    const done = replicas === wanted && updatedReplicas === wanted && availableReplicas === wanted;
    return done && observedGeneration >= (d.metadata.generation ?? 0) && d;
  });
}

const conditions = (d: Deployment): Record<string, string> =>
  Object.fromEntries((d.status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]));

describe('deployments', () => {
  test('a new one gets one set named by the hash, pods of it, revision 1 and both conditions', async () => {
    const w = await running();
    const d = await complete(w);
    const [set, ...others] = await w.sets();
    const hash = set?.metadata.labels?.['pod-template-hash'] ?? '';
    expect(others).toEqual([]);
    expect(set?.metadata.name).toBe(`web-${hash}`);
    expect(set?.spec.selector?.matchLabels).toEqual({ app: 'web', 'pod-template-hash': hash });
    expect(set?.metadata.ownerReferences?.[0]).toMatchObject({ uid: d.metadata.uid, controller: true });
    expect(d.metadata.annotations?.[revision]).toBe('1');
    expect(conditions(d)).toEqual({
      Available: 'True MinimumReplicasAvailable',
      Progressing: 'True NewReplicaSetAvailable',
    });
    for (const pod of await w.pods()) expect(pod.metadata.name.startsWith(`web-${hash}-`)).toBe(true);
  });

  test('nothing is written when nothing changes', async () => {
    const w = await running();
    await complete(w);
    await w.advance(5_000);
    const before = w.store.revision();
    await w.advance(3_600_000);
    expect(w.store.revision()).toBe(before);
  });

  test('undo reuses the former set under a new revision and keeps the former number in its history', async () => {
    const w = await running({ replicas: 0 });
    await complete(w);
    for (const image of ['img:2', 'img:3']) {
      await change(w, { template: template('web', image) });
      await complete(w);
    }
    await change(w, { template: template('web', 'img:2') });
    const d = await complete(w);
    const sets = await w.sets();
    expect(d.metadata.annotations?.[revision]).toBe('4');
    expect(sets.map(({ metadata }) => String(metadata.annotations?.[revision])).toSorted()).toEqual(['1', '3', '4']);
    const reused = sets.find(({ metadata }) => metadata.annotations?.[revision] === '4');
    expect(reused?.metadata.annotations?.['deployment.kubernetes.io/revision-history']).toBe('2');
  });

  test('a change cause that is annotated later reaches the set: rollout history shows it', async () => {
    const w = await running({ replicas: 0 });
    await complete(w);
    await change(w, {}, { metadata: { annotations: { 'kubernetes.io/change-cause': 'the first' } } });
    await w.settle();
    const [set] = await w.sets();
    expect(set?.metadata.annotations?.['kubernetes.io/change-cause']).toBe('the first');
  });

  test('while paused no set is made but replicas count; resuming rolls all changes out at once', async () => {
    const w = await running();
    await complete(w);
    await change(w, { paused: true });
    await change(w, { template: template('web', 'img:2') });
    await change(w, { template: template('web', 'img:3'), replicas: 5 });
    await w.advance(2_000);
    expect((await w.sets()).map(({ spec }) => spec.replicas)).toEqual([5]);
    expect(conditions(await w.deployment('web'))['Progressing']).toBe('Unknown DeploymentPaused');
    await change(w, { paused: false });
    const d = await complete(w);
    expect(await w.sets()).toHaveLength(2);
    expect(d.metadata.annotations?.[revision]).toBe('2');
    expect(conditions(d)['Progressing']).toBe('True NewReplicaSetAvailable');
  });

  test('a change of replicas in mid rollout does not stop the rollout', async () => {
    const w = await running({ replicas: 2 });
    await complete(w);
    await change(w, { template: template('web', 'img:2') });
    await w.settle();
    expect((await w.sets()).filter(({ spec }) => (spec.replicas ?? 0) > 0)).toHaveLength(2);
    await change(w, { replicas: 3 });
    const d = await complete(w);
    expect(new Set((await w.sets()).map(({ spec }) => spec.replicas))).toEqual(new Set([0, 3]));
    expect(d.status?.updatedReplicas).toBe(3);
  });

  test('Recreate makes no new pod before every old one is gone', async () => {
    const w = await running({ strategy: { type: 'Recreate' } });
    await complete(w);
    await change(w, { template: template('web', 'img:2') });
    await w.settle();
    const left = await w.pods();
    expect(left.length).toBeGreaterThan(0);
    expect(left.every(({ metadata }) => metadata.deletionTimestamp !== undefined)).toBe(true);
    expect(await w.sets()).toHaveLength(1);
    await complete(w);
    expect((await w.pods()).map(({ spec }) => spec.containers[0]?.image)).toEqual(['img:2', 'img:2', 'img:2']);
  });

  test('without progress the deadline passes, and a new template begins it anew', async () => {
    const w = await running({ progressDeadlineSeconds: 5 });
    await w.advance(7_000);
    expect(conditions(await w.deployment('web'))).toEqual({
      Available: 'False MinimumReplicasUnavailable',
      Progressing: 'False ProgressDeadlineExceeded',
    });
    await change(w, { template: template('web', 'img:2') });
    await w.settle();
    expect(conditions(await w.deployment('web'))['Progressing']).toBe('True ReplicaSetUpdated');
    await complete(w);
  });

  test('a pod that fails after the rollout has ended starts no deadline', async () => {
    const w = await running({ progressDeadlineSeconds: 5 });
    await complete(w);
    const [pod] = await w.pods();
    if (pod !== undefined) await w.setReady(pod, false);
    await w.advance(20_000);
    const d = await w.deployment('web');
    expect(d.status?.availableReplicas).toBe(2);
    expect(conditions(d)['Progressing']).toBe('True NewReplicaSetAvailable');
  });

  test('old sets beyond the history limit go', async () => {
    const w = await running({ replicas: 0, revisionHistoryLimit: 1 });
    for (const image of ['img:2', 'img:3', 'img:4']) {
      await complete(w);
      await change(w, { template: template('web', image) });
    }
    await complete(w);
    await w.until('two sets', async () => (await w.sets()).length === 2);
    expect((await w.sets()).map(({ metadata }) => String(metadata.annotations?.[revision])).toSorted()).toEqual([
      '3',
      '4',
    ]);
  });

  test('a foreign set of the same name is left alone and another hash is taken', async () => {
    const w = await running({ replicas: 0 });
    await complete(w);
    const [set] = await w.sets();
    await w.admin.delete(deployments, { namespace: 'default', name: 'web' });
    await w.settle();
    if (set === undefined) throw new Error('no set');
    await w.admin.patch(replicaSets, set.metadata, {
      kind: 'merge',
      body: { metadata: { ownerReferences: null, labels: { app: 'other' } }, spec: {} },
    });
    await w.admin.create(deployments, deploymentOf('web', { replicas: 0 }));
    const d = await complete(w);
    expect(d.status?.collisionCount).toBe(1);
    expect(await w.sets()).toHaveLength(2);
  });

  test('a second process that takes over makes nothing twice', async () => {
    const w = await world();
    const end = w.start(runDeployments, runReplicaSets);
    await w.admin.create(deployments, deploymentOf('web', { replicas: 5 }));
    await w.settle();
    end();
    w.fault.before = (request) => {
      if (request.method === 'GET' && request.url.startsWith('/api/v1/pods')) return w.clock.sleep(3_000);
      return undefined;
    };
    const made = (): number => w.seen.filter(({ method, url }) => method === 'POST' && url.endsWith('/pods')).length;
    expect(made()).toBe(5);
    w.start(runDeployments, runReplicaSets);
    await w.advance(10_000);
    expect(made()).toBe(5);
    w.fault.before = undefined;
    const [pod] = await w.pods();
    if (pod !== undefined) await w.admin.delete(podsRef, pod.metadata, { gracePeriodSeconds: 0 });
    await w.settle();
    expect(made()).toBe(6);
  });
});
