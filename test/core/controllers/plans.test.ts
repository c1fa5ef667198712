/** The pure decisions of the controllers: scaling, rollout, ownership, eviction, address ranges. */
import { describe, expect, test } from 'vitest';
import type { Deployment, ReplicaSet } from '../../../src/api/types/apps.ts';
import type { Node, Pod, Taint, Toleration } from '../../../src/api/types/core.ts';
import { planCleanup, planRollout, planScaling, rollingBounds } from '../../../src/core/controllers/deployment-plan.ts';
import type { ScalePlan } from '../../../src/core/controllers/deployment-plan.ts';
import { planPodCIDR } from '../../../src/core/controllers/node-addresses.ts';
import { evictionTime } from '../../../src/core/controllers/node-lifecycle.ts';
import { planClaim } from '../../../src/core/controllers/ownership.ts';
import { planReplicas } from '../../../src/core/controllers/replicaset.ts';
import { deploymentOf } from './world.ts';

interface PodTraits {
  readonly node?: string;
  readonly phase?: 'Pending' | 'Running' | 'Failed';
  readonly readySince?: string;
  readonly cost?: string;
  readonly restarts?: number;
  readonly born?: string;
  readonly going?: boolean;
}

function podOf(name: string, traits: PodTraits = {}): Pod {
  const { node, phase = 'Running', readySince, cost, restarts = 0, born = '2026-01-01T00:00:00Z', going } = traits;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      uid: name,
      creationTimestamp: born,
      ...(going === true ? { deletionTimestamp: born } : {}),
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: { containers: [{ name: 'main' }], ...(node === undefined ? {} : { nodeName: node }) },
    status: {
      phase,
      conditions: readySince === undefined ? [] : [{ type: 'Ready', status: 'True', lastTransitionTime: readySince }],
      containerStatuses: [{ name: 'main', image: '', imageID: '', ready: true, restartCount: restarts }],
    },
  };
}

function setOf(name: string, replicas: number, available = replicas, more: Record<string, string> = {}): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, uid: name, creationTimestamp: `2026-01-01T00:00:0${name.length}Z`, annotations: more },
    spec: { replicas, selector: { matchLabels: { app: 'web' } } },
    status: { replicas, availableReplicas: available },
  };
}

const [early, late] = ['2026-01-01T00:00:01Z', '2026-01-01T00:00:09Z'];
const good: PodTraits = { node: 'n1', readySince: early };
const sizes = (plan: ScalePlan): Record<string, number> =>
  Object.fromEntries(plan.map(({ set, to }) => [set.metadata.name, to]));

describe('planReplicas', () => {
  test.for([
    { guarantees: 'missing pods are made', replicas: 3, pods: [podOf('a')], create: 2, remove: 0 },
    { guarantees: 'enough is left alone', replicas: 1, pods: [podOf('a')], create: 0, remove: 0 },
    { guarantees: 'surplus goes', replicas: 1, pods: [podOf('a'), podOf('b')], create: 0, remove: 1 },
    {
      guarantees: 'a terminating pod is replaced',
      replicas: 1,
      pods: [podOf('a', { going: true })],
      create: 1,
      remove: 0,
    },
    {
      guarantees: 'a failed pod is replaced',
      replicas: 1,
      pods: [podOf('a', { phase: 'Failed' })],
      create: 1,
      remove: 0,
    },
    { guarantees: 'a burst is bounded', replicas: 2000, pods: [], create: 500, remove: 0 },
  ])('$guarantees', ({ replicas, pods, create, remove }) => {
    const plan = planReplicas(setOf('web', replicas), pods);
    expect([plan.create, plan.remove.length]).toEqual([create, remove]);
  });

  test.for<{ first: string; lost: PodTraits; kept: PodTraits }>([
    { first: 'one without a node', lost: {}, kept: { node: 'n1' } },
    { first: 'a pending one', lost: { ...good, phase: 'Pending' }, kept: good },
    { first: 'one that is not ready', lost: { node: 'n1' }, kept: good },
    { first: 'one of lower deletion cost', lost: { ...good, cost: '-1' }, kept: good },
    { first: 'one that is ready for a shorter time', lost: { ...good, readySince: late }, kept: good },
    { first: 'one that restarted more', lost: { ...good, restarts: 3 }, kept: good },
    { first: 'a younger one', lost: { ...good, born: late }, kept: good },
    { first: 'not ready before cheap', lost: { node: 'n1', cost: '9' }, kept: { ...good, cost: '-9' } },
  ])('of two pods goes first: $first', ({ lost, kept }) => {
    for (const pods of [
      [podOf('lost', lost), podOf('kept', kept)],
      [podOf('kept', kept), podOf('lost', lost)],
    ]) {
      expect(planReplicas(setOf('web', 1), pods).remove.map(({ metadata }) => metadata.name)).toEqual(['lost']);
    }
  });

  test('of equal pods goes first one of the node that has most of them', () => {
    const pods = [podOf('alone', { ...good, node: 'n2' }), podOf('x', good), podOf('y', good)];
    const gone = planReplicas(setOf('web', 2), pods).remove.map(({ spec }) => spec.nodeName);
    expect(gone).toEqual(['n1']);
  });
});

describe('rollingBounds', () => {
  test.for<[number, number | string | undefined, number | string | undefined, number, number]>([
    [4, undefined, undefined, 1, 1],
    [3, undefined, undefined, 1, 0],
    [10, '25%', '25%', 3, 2],
    [10, 2, 3, 2, 3],
    [4, 0, 0, 0, 1],
    [1, '0%', '50%', 0, 1],
    [2, 0, 9, 0, 2],
  ])(
    '%i replicas, surge %s, unavailable %s: %i above, %i below',
    ([replicas, maxSurge, maxUnavailable, surge, unavailable]) => {
      const rollingUpdate = {
        ...(maxSurge === undefined ? {} : { maxSurge }),
        ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
      };
      const deployment = deploymentOf('web', { replicas, strategy: { type: 'RollingUpdate', rollingUpdate } });
      expect(rollingBounds(deployment)).toEqual({ surge, unavailable });
    },
  );
});

const rolling = (replicas: number, maxSurge: number, maxUnavailable: number): Deployment =>
  deploymentOf('web', { replicas, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } });

describe('planRollout', () => {
  test.for<{ guarantees: string; of: Deployment; now: ReplicaSet; old: readonly ReplicaSet[]; plan: object }>([
    {
      guarantees: 'the new set grows by the surge',
      of: rolling(4, 1, 1),
      now: setOf('new', 0),
      old: [setOf('o', 4)],
      plan: { new: 1 },
    },
    {
      guarantees: 'at the ceiling old pods go, as many as may be missing',
      of: rolling(4, 1, 1),
      now: setOf('new', 1, 0),
      old: [setOf('o', 4)],
      plan: { o: 3 },
    },
    {
      guarantees: 'no old pod goes before a new one is available',
      of: rolling(4, 1, 0),
      now: setOf('new', 1, 0),
      old: [setOf('o', 4)],
      plan: {},
    },
    {
      guarantees: 'an available new pod lets an old one go',
      of: rolling(4, 1, 0),
      now: setOf('new', 1),
      old: [setOf('o', 4)],
      plan: { o: 3 },
    },
    {
      guarantees: 'old pods that are not available go first',
      of: rolling(3, 1, 0),
      now: setOf('new', 1),
      old: [setOf('o', 1), setOf('oo', 2, 0)],
      plan: { oo: 1 },
    },
    {
      guarantees: 'a complete rollout asks for nothing',
      of: rolling(4, 1, 1),
      now: setOf('new', 4),
      old: [setOf('o', 0)],
      plan: {},
    },
    {
      guarantees: 'a new set that is too large shrinks',
      of: rolling(2, 1, 1),
      now: setOf('new', 4),
      old: [],
      plan: { new: 2 },
    },
    {
      guarantees: 'Recreate first empties the old',
      of: deploymentOf('web', { strategy: { type: 'Recreate' } }),
      now: setOf('new', 0),
      old: [setOf('o', 3)],
      plan: { o: 0 },
    },
    {
      guarantees: 'Recreate then fills the new',
      of: deploymentOf('web', { strategy: { type: 'Recreate' } }),
      now: setOf('new', 0),
      old: [setOf('o', 0)],
      plan: { new: 3 },
    },
  ])('$guarantees', ({ of, now, old, plan }) => {
    expect(sizes(planRollout(of, now, old))).toEqual(plan);
  });
});

describe('planScaling', () => {
  const sized = (name: string, replicas: number): ReplicaSet =>
    setOf(name, replicas, replicas, {
      'deployment.kubernetes.io/desired-replicas': '10',
      'deployment.kubernetes.io/max-replicas': '10',
    });
  test.for<{ guarantees: string; of: Deployment; now: ReplicaSet; old: readonly ReplicaSet[]; plan: object }>([
    { guarantees: 'one set takes it all', of: rolling(20, 0, 1), now: sized('new', 10), old: [], plan: { new: 20 } },
    {
      guarantees: 'growth is spread by size',
      of: rolling(20, 0, 1),
      now: sized('new', 2),
      old: [sized('o', 8)],
      plan: { new: 4, o: 16 },
    },
    {
      guarantees: 'shrinking is spread by size',
      of: rolling(5, 0, 1),
      now: sized('new', 2),
      old: [sized('o', 8)],
      plan: { new: 1, o: 4 },
    },
    {
      guarantees: 'none is left at 0',
      of: rolling(0, 0, 1),
      now: sized('new', 2),
      old: [sized('o', 8)],
      plan: { new: 0, o: 0 },
    },
  ])('$guarantees', ({ of, now, old, plan }) => {
    expect(sizes(planScaling(of, now, old))).toEqual(plan);
  });
});

test('planCleanup takes the lowest revisions beyond the limit, and never a set that has pods', () => {
  const old = ['5', '1', '3'].map((revision) =>
    setOf(`r${revision}`, 0, 0, { 'deployment.kubernetes.io/revision': revision }),
  );
  const busy = setOf('busy', 1, 1, { 'deployment.kubernetes.io/revision': '0' });
  const gone = planCleanup(deploymentOf('web', { revisionHistoryLimit: 1 }), [...old, busy]);
  expect(gone.map(({ metadata }) => metadata.name)).toEqual(['r1', 'r3']);
});

describe('planClaim', () => {
  const labelled = (labels: Record<string, string>, owner?: string, going = false): Pod => ({
    ...podOf('p', { going }),
    metadata: {
      ...podOf('p', { going }).metadata,
      labels,
      ...(owner === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: owner, uid: owner, controller: true }] }),
    },
  });
  const [mine, other] = [{ app: 'web' }, { app: 'other' }];
  test.for<{ guarantees: string; pod: Pod; going?: boolean; does: string }>([
    { guarantees: 'its own that matches is owned', pod: labelled(mine, 'me'), does: 'owned' },
    { guarantees: 'its own that matches no more is released', pod: labelled(other, 'me'), does: 'release' },
    { guarantees: 'one without a controller that matches is adopted', pod: labelled(mine), does: 'adopt' },
    { guarantees: "another's is left alone", pod: labelled(mine, 'you'), does: '' },
    { guarantees: 'a terminating one is not adopted', pod: labelled(mine, undefined, true), does: '' },
    { guarantees: 'an owner that is being deleted adopts nothing', pod: labelled(mine), going: true, does: '' },
    {
      guarantees: 'an owner that is being deleted releases nothing',
      pod: labelled(other, 'me'),
      going: true,
      does: '',
    },
  ])('$guarantees', ({ pod, going, does }) => {
    const owner = { metadata: { name: 'me', uid: 'me', ...(going === true ? { deletionTimestamp: early } : {}) } };
    const plan = planClaim(owner, { matchLabels: mine }, [pod]);
    const done = Object.entries(plan).filter(([, objects]) => objects.length > 0);
    expect(done.map(([name]) => name).join()).toBe(does);
  });
});

describe('evictionTime', () => {
  const now = Date.parse('2026-01-01T01:00:00Z');
  const added = '2026-01-01T00:59:50Z';
  const taint: Taint = { key: 'k', value: 'v', effect: 'NoExecute', timeAdded: added };
  test.for<{
    guarantees: string;
    taints?: readonly Taint[];
    tolerations?: readonly Toleration[];
    at: number | undefined;
  }>([
    { guarantees: 'without a taint never', taints: [], at: undefined },
    { guarantees: 'NoSchedule evicts nobody', taints: [{ ...taint, effect: 'NoSchedule' }], at: undefined },
    { guarantees: 'who does not tolerate goes now', at: now },
    { guarantees: 'who tolerates without limit stays', tolerations: [{ key: 'k', operator: 'Exists' }], at: undefined },
    { guarantees: 'an empty key with Exists tolerates all', tolerations: [{ operator: 'Exists' }], at: undefined },
    { guarantees: 'another value does not tolerate', tolerations: [{ key: 'k', value: 'w' }], at: now },
    {
      guarantees: 'another effect does not tolerate',
      tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }],
      at: now,
    },
    {
      guarantees: 'a limit counts from when the taint was added',
      tolerations: [{ key: 'k', operator: 'Exists', tolerationSeconds: 30 }],
      at: now + 20_000,
    },
    {
      guarantees: 'of several limits the smallest counts',
      tolerations: [
        { key: 'k', value: 'v', tolerationSeconds: 30 },
        { operator: 'Exists', tolerationSeconds: 15 },
      ],
      at: now + 5_000,
    },
    {
      guarantees: 'of several taints the first to evict counts',
      taints: [taint, { ...taint, key: 'x' }],
      tolerations: [{ key: 'k', operator: 'Exists' }],
      at: now,
    },
  ])('$guarantees', ({ taints = [taint], tolerations = [], at }) => {
    expect(evictionTime({ ...podOf('p'), spec: { containers: [], tolerations } }, taints, now)).toBe(at);
  });
});

describe('planPodCIDR', () => {
  const node = (podCIDR: string): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: podCIDR },
    spec: { podCIDR },
  });
  test.for<[string, readonly string[], readonly string[], string | undefined]>([
    ['10.244.0.0/16', [], [], '10.244.0.0/24'],
    ['10.244.0.0/16', ['10.244.0.0/24'], ['10.244.1.0/24'], '10.244.2.0/24'],
    ['10.244.0.0/16', ['10.244.1.0/24'], [], '10.244.0.0/24'],
    ['10.244.0.0/23', ['10.244.0.0/24', '10.244.1.0/24'], [], undefined],
    ['fd00::/48', ['fd00::/64'], [], 'fd00:0:0:1::/64'],
  ])('of %s with %j taken and %j reserved comes %s', ([range, taken, reserved, next]) => {
    expect(planPodCIDR(range, taken.map(node), reserved)).toBe(next);
  });
});
