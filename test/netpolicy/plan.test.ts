import { expect, test } from 'vitest';
import { compileAllowLists, planAllowLists } from '../../src/netpolicy/plan.ts';
import type { PolicyWorld } from './support/world.ts';
import { applyChange, emptyWorld, randomChange, seeded } from './support/world.ts';

function compiled(seed: number) {
  const random = seeded(seed);
  const world: PolicyWorld = emptyWorld();
  for (let i = 0; i < 100; i++) applyChange(world, randomChange(random));
  return compileAllowLists([...world.namespaces, ...world.nodes, ...world.policies, ...world.pods]);
}

test('what is there as it should be is left alone, whatever else its metadata and status say', () => {
  const desired = compiled(3);
  const stored = {
    lists: desired.lists.map((list) => ({
      ...list,
      metadata: { ...list.metadata, resourceVersion: '7' },
      status: { observedGeneration: 1 },
    })),
    slices: desired.slices.map((slice) => ({ ...slice, metadata: { ...slice.metadata, uid: 'u' } })),
  };
  expect(Object.values(planAllowLists(stored, desired)).flat()).toEqual([]);
});

test('the writes lead from what is there to what should be, and an update carries the resourceVersion seen', () => {
  const [before, desired] = [compiled(3), compiled(4)];
  const existing = {
    ...before,
    lists: before.lists.map((list) => ({ ...list, metadata: { ...list.metadata, resourceVersion: '7' } })),
  };
  const plan = planAllowLists(existing, desired);
  expect(plan.updateLists.every((list) => list.metadata.resourceVersion === '7')).toBe(true);
  const left = existing.slices.filter((one) => !plan.deleteSlices.includes(one));
  const names = [...left, ...plan.createSlices].map(({ metadata }) => metadata.name);
  expect(names.toSorted()).toEqual(desired.slices.map(({ metadata }) => metadata.name).toSorted());
});
