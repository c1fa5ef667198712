/** ReplicaSets: as many live pods as asked for, no more. */
import { isDeepStrictEqual } from 'node:util';
import type { ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from '../../api/types/apps.ts';
import type { Pod } from '../../api/types/core.ts';
import { StatusError } from '../../api/status.ts';
import { matchesLabels, selectorOf } from '../../api/selector.ts';
import { rfc3339 } from '../../std/clock.ts';
import type { ClusterClient, Draft } from '../cluster/client.ts';
import type { EventRecorder } from '../cluster/events.ts';
import { ignoring } from '../cluster/ignoring.ts';
import { pods as podsRef, replicaSets as replicaSetsRef } from '../cluster/resource-ref.ts';
import type { ControllerContext } from './context.ts';
import { keyOf, recorderFor, splitKey, whenAllSynced } from './context.ts';
import { createOwnWrites, startController } from './controller.ts';
import type { Reconcile } from './controller.ts';
import { claim, controllerOf, controllerReference, planClaim } from './ownership.ts';
import { availableInMs, cheaperToLose, isActive, isReady } from './pod-state.ts';

const identity = 'replicaset-controller';

// Upstream's burst: more than this at once only hides a mistake in the template.
const burst = 500;

/** What must change for `owned` to match `set`. Pure: same view, same plan. */
export function planReplicas(
  set: ReplicaSet,
  owned: readonly Pod[],
): { readonly create: number; readonly remove: readonly Pod[] } {
  const live = owned.filter(isActive);
  const missing = (set.spec.replicas ?? 1) - live.length;
  if (missing >= 0) return { create: Math.min(missing, burst), remove: [] };
  const crowd = new Map<string, number>();
  for (const { spec } of live) crowd.set(spec.nodeName ?? '', (crowd.get(spec.nodeName ?? '') ?? 0) + 1);
  return { create: 0, remove: live.toSorted(cheaperToLose(crowd)).slice(0, Math.min(-missing, burst)) };
}

/** The status that `owned` adds up to. `failure` is the error of the last creation or deletion, if it failed. */
export function replicaSetStatus(
  set: ReplicaSet,
  owned: readonly Pod[],
  now: number,
  failure?: { readonly reason: 'FailedCreate' | 'FailedDelete'; readonly message: string },
): ReplicaSetStatus {
  const live = owned.filter(isActive);
  const minReady = set.spec.minReadySeconds ?? 0;
  const labels = set.spec.template?.metadata?.labels ?? {};
  const full = live.filter((pod) => matchesLabels(selectorOf({ matchLabels: labels }), pod.metadata.labels ?? {}));
  const others = (set.status?.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure');
  const known = set.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
  const failed: readonly ReplicaSetCondition[] =
    failure === undefined
      ? []
      : known?.reason === failure.reason
        ? [known]
        : [{ type: 'ReplicaFailure', status: 'True', lastTransitionTime: rfc3339(now), ...failure }];
  const conditions = [...others, ...failed];
  return {
    replicas: live.length,
    fullyLabeledReplicas: full.length,
    readyReplicas: live.filter(isReady).length,
    availableReplicas: live.filter((pod) => availableInMs(pod, minReady, now) === 0).length,
    observedGeneration: set.metadata.generation ?? 0,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

/** Runs until the context's signal aborts. */
export async function runReplicaSets(context: ControllerContext): Promise<void> {
  const { informers, signal } = context;
  const client = context.clientFor(identity);
  const recorder = recorderFor(context, identity);
  const writes = createOwnWrites();
  const controller = startController({
    ...context,
    name: identity,
    reconcile: reconcileReplicaSet({ ...context, client, recorder, writes }),
  });

  await whenAllSynced([informers.replicaSets, informers.pods], signal);
  informers.replicaSets.onChange((event) => {
    const set = event.kind === 'deleted' ? event.previous : event.object;
    if (event.kind === 'deleted') writes.forget(keyOf(set));
    controller.enqueue(keyOf(set));
  });
  informers.pods.onChange((event) => {
    const pod = event.kind === 'deleted' ? event.previous : event.object;
    for (const version of event.kind === 'set' && event.previous ? [pod, event.previous] : [pod]) {
      const owner = controllerOf(version);
      const namespace = version.metadata.namespace ?? '';
      if (owner !== undefined) {
        if (owner.kind === 'ReplicaSet') controller.enqueue(`${namespace}/${owner.name}`);
        continue;
      }
      for (const set of informers.replicaSets.list(namespace)) {
        if (matchesLabels(selectorOf(set.spec.selector), version.metadata.labels ?? {})) controller.enqueue(keyOf(set));
      }
    }
  });
  for (const set of informers.replicaSets.list()) controller.enqueue(keyOf(set));
}

interface Deps extends ControllerContext {
  readonly client: ClusterClient;
  readonly recorder: EventRecorder;
  readonly writes: ReturnType<typeof createOwnWrites>;
}

/** Brings one ReplicaSet's pods to its replica count. Told which set, never what happened to it. */
export function reconcileReplicaSet({ informers, client, recorder, writes, clock }: Deps): Reconcile {
  return async (key, signal) => {
    const { namespace, name } = splitKey(key);
    const set = informers.replicaSets.get(namespace, name);
    if (set === undefined) return {}; // gone: the garbage collector owns what is left
    if (!informers.pods.hasSeen(writes.latest(key))) return { requeueAfterMs: 50 }; // our own last writes are not in the copy yet
    const plan = planClaim(set, set.spec.selector, informers.pods.list(namespace));
    const claimed = await claim(client, { of: podsRef, ownerRef: replicaSetsRef, owner: set, plan }, signal);
    for (const pod of claimed.written) writes.note(key, pod);
    const { owned } = claimed;

    let failure: Parameters<typeof replicaSetStatus>[3];
    if (set.metadata.deletionTimestamp === undefined) {
      const { create, remove } = planReplicas(set, owned);
      try {
        await createPods(set, create);
      } catch (error) {
        failure = { reason: 'FailedCreate', message: messageOf(error) };
        recorder.event(set, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
      }
      for (const pod of remove) await removePod(set, pod);
    }
    const status = replicaSetStatus(set, owned, clock.now(), failure);
    if (!isDeepStrictEqual({ ...status }, { ...set.status })) {
      await client.update(replicaSetsRef, { ...set, status }, 'status', signal);
    }
    if (failure !== undefined) throw new StatusError('InternalError', failure.message);
    return nextLook(set, owned);

    /** Twice as many with each round that worked, so that a template nobody admits costs one refusal and not hundreds. */
    async function createPods(of: ReplicaSet, count: number): Promise<void> {
      for (let done = 0, batch = 1; done < count; done += batch, batch = Math.min(batch * 2, count - done)) {
        const tries = Array.from({ length: batch }, () => client.create(podsRef, podOf(of), signal));
        const results = await Promise.allSettled(tries);
        // Every pod that was made counts, also when another of the batch was refused: else it would be made again.
        for (const result of results) {
          if (result.status === 'rejected') continue;
          writes.note(key, result.value);
          recorder.event(of, 'Normal', 'SuccessfulCreate', `Created pod: ${result.value.metadata.name}`);
        }
        const refused = results.find((result) => result.status === 'rejected');
        if (refused !== undefined) throw refused.reason;
      }
    }

    async function removePod(of: ReplicaSet, pod: Pod): Promise<void> {
      const preconditions = { uid: pod.metadata.uid ?? '' };
      await ignoring(['NotFound', 'Conflict'], async () => {
        writes.note(key, await client.delete(podsRef, pod.metadata, { preconditions }, signal));
        recorder.event(of, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
      });
    }
  };

  function nextLook(set: ReplicaSet, owned: readonly Pod[]): { readonly requeueAfterMs?: number } {
    const waits = owned
      .filter(isActive)
      .map((pod) => availableInMs(pod, set.spec.minReadySeconds ?? 0, clock.now()) ?? 0)
      .filter((ms) => ms > 0);
    return waits.length === 0 ? {} : { requeueAfterMs: Math.min(...waits) };
  }
}

/** A pod as the set's template says, owned by the set. */
function podOf(set: ReplicaSet): Draft<Pod> {
  const template = set.spec.template;
  return {
    metadata: {
      ...template?.metadata,
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace ?? '',
      ownerReferences: [controllerReference(set)],
    },
    spec: template?.spec ?? { containers: [] },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
