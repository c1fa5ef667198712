/** A Deployment under everything people and nodes do to it at once, in an order that a seed decides. */
import { describe, expect, test } from 'vitest';
import { StatusError } from '../../../src/api/status.ts';
import { deployments, pods as podsRef } from '../../../src/core/cluster/resource-ref.ts';
import { runDeployments } from '../../../src/core/controllers/deployment.ts';
import { isActive, isReady } from '../../../src/core/controllers/pod-state.ts';
import { runReplicaSets } from '../../../src/core/controllers/replicaset.ts';
import { deploymentOf, template, world } from './world.ts';
import type { World } from './world.ts';

const [maxSurge, maxUnavailable] = [1, 1];

/** Numbers from 0 to `below` - 1, the same ones for the same seed (a linear congruential generator). */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const patch = async (w: World, spec: object): Promise<void> => {
  await w.admin.patch(deployments, { namespace: 'default', name: 'web' }, { kind: 'merge', body: { spec } });
};

async function removeOne(w: World, pick: (below: number) => number): Promise<void> {
  const pods = await w.pods();
  const pod = pods[pick(pods.length)];
  if (pod === undefined) return;
  try {
    await w.admin.delete(podsRef, pod.metadata, { gracePeriodSeconds: 0 });
  } catch (error) {
    if (!(error instanceof StatusError && error.reason === 'NotFound')) throw error;
  }
}

/** Plays the node until the Deployment is as its spec says; `each` looks at every step. */
async function converge(w: World, each: () => Promise<void>): Promise<void> {
  await w.until('a complete rollout', async () => {
    await each();
    await w.playNode();
    const { spec, status, metadata } = await w.deployment('web');
    const { replicas = 0, updatedReplicas = 0, availableReplicas = 0, observedGeneration = 0 } = status ?? {};
    const wanted = spec.replicas ?? 1;
    const done = [replicas, updatedReplicas, availableReplicas].every((count) => count === wanted);
    return done && observedGeneration >= (metadata.generation ?? 0) && (await w.pods()).length === wanted;
  });
}

describe('a Deployment under random changes', () => {
  test.for([1, 2, 3, 4])('converges, with the pods of its last template alone (seed %i)', async (seed) => {
    const w = await world();
    const pick = chance(seed);
    w.start(runDeployments, runReplicaSets);
    const rollingUpdate = { maxSurge, maxUnavailable };
    await w.admin.create(deployments, deploymentOf('web', { strategy: { type: 'RollingUpdate', rollingUpdate } }));
    // No more pods than the largest number of this run allows: a smaller one needs a moment to take effect.
    let largest = 3;
    const tooMany: number[] = [];
    const look = async (): Promise<void> => {
      const count = (await w.pods()).filter(isActive).length;
      if (count > largest + maxSurge) tooMany.push(count);
    };
    for (let step = 0; step < 25; step++) {
      const replicas = pick(6);
      switch (pick(6)) {
        case 0:
          largest = Math.max(largest, replicas);
          await patch(w, { replicas });
          break;
        case 1:
        case 2:
          await patch(w, { template: template('web', `img:${pick(3)}`) }); // among few, so that some are undone
          break;
        case 3:
          await patch(w, { paused: pick(2) === 0 });
          break;
        case 4:
          await removeOne(w, pick);
          break;
        case 5:
          await w.playNode();
          break;
        default:
      }
      if (pick(2) === 0) await w.advance(pick(500));
      await look();
    }
    await patch(w, { paused: false });
    await converge(w, look);
    expect(tooMany).toEqual([]);
    const { spec } = await w.deployment('web');
    const images = (await w.pods()).map((pod) => pod.spec.containers[0]?.image);
    expect(images).toEqual(images.map(() => spec.template.spec?.containers[0]?.image));
    expect((await w.sets()).filter((set) => (set.spec.replicas ?? 0) > 0).length).toBeLessThanOrEqual(1);
  });

  test.for([11, 12])('a rollout never leaves fewer available than it may (seed %i)', async (seed) => {
    const w = await world();
    const pick = chance(seed);
    w.start(runDeployments, runReplicaSets);
    const [replicas, rollingUpdate] = [4, { maxSurge, maxUnavailable }];
    const strategy = { type: 'RollingUpdate' as const, rollingUpdate };
    await w.admin.create(deployments, deploymentOf('web', { replicas, strategy }));
    await converge(w, async () => {});
    const seen: (readonly [number, number])[] = [];
    const look = async (): Promise<void> => {
      const live = (await w.pods()).filter(isActive);
      seen.push([live.length, live.filter(isReady).length]);
    };
    for (let step = 0; step < 20; step++) {
      if (pick(3) === 0) await patch(w, { template: template('web', `img:${pick(3)}`) });
      if (pick(5) === 0) await patch(w, { paused: pick(3) === 0 });
      await w.settle();
      await look();
      const waiting = (await w.pods()).filter((pod) => isActive(pod) && !isReady(pod));
      const pod = waiting[pick(waiting.length + 1)]; // at most one becomes ready between two looks
      if (pod !== undefined) await w.setReady(pod, true);
      await w.advance(pick(300));
      await look();
    }
    await patch(w, { paused: false });
    await converge(w, look);
    expect(seen.filter(([live]) => live > replicas + maxSurge)).toEqual([]);
    expect(seen.filter(([, available]) => available < replicas - maxUnavailable)).toEqual([]);
  });
});
