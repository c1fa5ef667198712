/** Deployments: one ReplicaSet per version of the template, and a careful walk from the old ones to the new. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Deployment, ReplicaSet } from '../../api/types/apps.ts';
import type { PodTemplateSpec } from '../../api/types/core.ts';
import { failedWith } from '../../api/status.ts';
import { canonicalJson } from '../../std/json.ts';
import type { ClusterClient } from '../cluster/client.ts';
import type { EventRecorder } from '../cluster/events.ts';
import { ignoring } from '../cluster/ignoring.ts';
import { deployments as deploymentsRef, replicaSets as replicaSetsRef } from '../cluster/resource-ref.ts';
import type { ControllerContext } from './context.ts';
import { keyOf, recorderFor, splitKey, whenAllSynced } from './context.ts';
import { createOwnWrites, startController } from './controller.ts';
import type { OwnWrites, Reconcile } from './controller.ts';
import {
  annotations,
  hashLabel,
  planCleanup,
  planRollout,
  planScaling,
  revisionOf,
  rollingBounds,
  wasRescaled,
} from './deployment-plan.ts';
import type { ScalePlan } from './deployment-plan.ts';
import { deploymentStatus, isComplete, progressDeadlineInMs } from './deployment-status.ts';
import { claim, controllerOf, controllerReference, planClaim } from './ownership.ts';
import { isFinished } from './pod-state.ts';

const identity = 'deployment-controller';

// Former revisions of a set that was rolled back to. Chosen, not measured; upstream bounds the text.
const mostHistory = 100;

/** Runs until the context's signal aborts. */
export async function runDeployments(context: ControllerContext): Promise<void> {
  const { informers, signal } = context;
  const client = context.clientFor(identity);
  const [writes, setWrites] = [createOwnWrites(), createOwnWrites()];
  const recorder = recorderFor(context, identity);
  const controller = startController({
    ...context,
    name: identity,
    reconcile: reconcileDeployment({ ...context, client, recorder, writes, setWrites }),
  });

  await whenAllSynced([informers.deployments, informers.replicaSets, informers.pods], signal);
  informers.deployments.onChange((event) => {
    const deployment = event.kind === 'deleted' ? event.previous : event.object;
    if (event.kind === 'deleted') for (const each of [writes, setWrites]) each.forget(keyOf(deployment));
    controller.enqueue(keyOf(deployment));
  });
  informers.replicaSets.onChange((event) => {
    const set = event.kind === 'deleted' ? event.previous : event.object;
    const owner = controllerOf(set);
    const namespace = set.metadata.namespace ?? '';
    if (owner?.kind === 'Deployment') controller.enqueue(`${namespace}/${owner.name}`);
    if (owner === undefined) for (const each of informers.deployments.list(namespace)) controller.enqueue(keyOf(each));
  });
  // A rollout by Recreate goes on when the last old pod is gone, which no ReplicaSet's status tells.
  informers.pods.onChange((event) => {
    if (event.kind !== 'deleted') return;
    const owner = controllerOf(event.previous);
    const namespace = event.previous.metadata.namespace ?? '';
    const set = owner?.kind === 'ReplicaSet' ? informers.replicaSets.get(namespace, owner.name) : undefined;
    const deployment = set === undefined ? undefined : controllerOf(set);
    if (deployment?.kind === 'Deployment') controller.enqueue(`${namespace}/${deployment.name}`);
  });
  for (const deployment of informers.deployments.list()) controller.enqueue(keyOf(deployment));
}

interface Deps extends ControllerContext {
  readonly client: ClusterClient;
  readonly recorder: EventRecorder;
  /** Of Deployments, and of their sets. */
  readonly writes: OwnWrites;
  readonly setWrites: OwnWrites;
}

/** Brings one Deployment a step further. */
export function reconcileDeployment({ informers, client, recorder, writes, setWrites, clock }: Deps): Reconcile {
  return async (key, signal) => {
    const { namespace, name } = splitKey(key);
    const seen = informers.deployments.get(namespace, name);
    if (seen === undefined) return {}; // gone: the garbage collector owns what is left
    // Each copy is held to the writes of its own resource: a quiet one learns of the others' revisions only at times.
    const current = informers.deployments.hasSeen(writes.latest(key));
    if (!current || !informers.replicaSets.hasSeen(setWrites.latest(key))) return { requeueAfterMs: 50 };
    let deployment = seen;
    const plan = planClaim(deployment, deployment.spec.selector, informers.replicaSets.list(namespace));
    const claimed = await claim(
      client,
      { of: replicaSetsRef, ownerRef: deploymentsRef, owner: deployment, plan },
      signal,
    );
    for (const set of claimed.written) setWrites.note(key, set);
    const sets = claimed.owned;

    const found = sets.filter((set) => isSameTemplate(deployment.spec.template, set.spec.template)).toSorted(oldest)[0];
    const old = sets.filter((set) => set !== found);
    const recreate = deployment.spec.strategy?.type === 'Recreate';
    if (deployment.metadata.deletionTimestamp !== undefined) return writeStatus(found, old);
    if (deployment.spec.paused === true || (!recreate && wasRescaled(deployment, sets))) {
      await scale(planScaling(deployment, found, old));
      return writeStatus(found, old);
    }
    if (recreate && (old.some((set) => !isEmpty(set)) || podsRun(old))) {
      const busy = old.filter((set) => (set.spec.replicas ?? 1) > 0);
      await scale(busy.map((set) => ({ set, to: 0 })));
      return writeStatus(found, old);
    }
    const newest = await ensureCurrent(found);
    if (newest === undefined) return { requeueAfterMs: 50 };
    await scale(planRollout(deployment, newest, old));
    if (isComplete(deployment, deploymentStatus(deployment, newest, old, clock.now()))) await cleanUp();
    return writeStatus(newest, old);

    function podsRun(of: readonly ReplicaSet[]): boolean {
      return of.some((set) =>
        informers.pods.byIndex('controller', set.metadata.uid ?? '').some((pod) => !isFinished(pod)),
      );
    }

    /** The set of today's template, made or brought up to date: its revision is the highest of all. */
    async function ensureCurrent(known: ReplicaSet | undefined): Promise<ReplicaSet | undefined> {
      const revision = String(Math.max(0, ...old.map(revisionOf)) + 1);
      const highest = known !== undefined && revisionOf(known) >= Number(revision);
      const wanted = highest ? String(revisionOf(known)) : revision;
      const ready = known === undefined ? await createSet(revision) : await bringUpToDate(known, wanted);
      if (ready === undefined) return undefined;
      if (deployment.metadata.annotations?.[annotations.revision] !== wanted) {
        const { uid } = deployment.metadata;
        // By way of /status: the revision is the controller's bookkeeping, not a new generation of the Deployment.
        const body = { metadata: { uid, annotations: { [annotations.revision]: wanted } } };
        const patch = { kind: 'merge', body, subresource: 'status' } as const;
        deployment = await client.patch(deploymentsRef, deployment.metadata, patch, signal);
        writes.note(key, deployment);
      }
      return ready;
    }

    async function bringUpToDate(set: ReplicaSet, revision: string): Promise<ReplicaSet> {
      const body = renewal(deployment, set, revision);
      if (body === undefined) return set;
      const done = await client.patch(replicaSetsRef, set.metadata, { kind: 'merge', body }, signal);
      setWrites.note(key, done);
      return done;
    }

    async function createSet(revision: string): Promise<ReplicaSet | undefined> {
      const set = replicaSetOf(deployment, old, revision);
      try {
        const made = await client.create(replicaSetsRef, set, signal);
        setWrites.note(key, made);
        if ((made.spec.replicas ?? 0) > 0) announce(made, 0, made.spec.replicas ?? 0);
        return made;
      } catch (error) {
        if (!failedWith(error, 'AlreadyExists')) throw error;
        const there = await client.get(replicaSetsRef, { namespace, name: set.metadata.name }, signal);
        const ours = controllerOf(there)?.uid === deployment.metadata.uid;
        if (ours && isSameTemplate(deployment.spec.template, there.spec.template)) return there;
        // Two templates with one hash: count the collision, which changes the hash.
        const status = { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
        writes.note(key, await client.update(deploymentsRef, { ...deployment, status }, 'status', signal));
        return undefined;
      }
    }

    async function scale(steps: ScalePlan): Promise<void> {
      for (const { set, to } of steps) {
        const { replicas = 1 } = set.spec;
        const { resourceVersion } = set.metadata;
        const body = { metadata: { resourceVersion, annotations: sizes(deployment) }, spec: { replicas: to } };
        setWrites.note(key, await client.patch(replicaSetsRef, set.metadata, { kind: 'merge', body }, signal));
        if (to !== replicas) announce(set, replicas, to);
      }
    }

    async function cleanUp(): Promise<void> {
      for (const set of planCleanup(deployment, old)) {
        const preconditions = { uid: set.metadata.uid ?? '' };
        await ignoring(['NotFound'], async () =>
          setWrites.note(key, await client.delete(replicaSetsRef, set.metadata, { preconditions }, signal)),
        );
      }
    }

    function announce(set: ReplicaSet, from: number, to: number): void {
      const direction = to > from ? 'up' : 'down';
      const text = `Scaled ${direction} replica set ${set.metadata.name} from ${from} to ${to}`;
      recorder.event(deployment, 'Normal', 'ScalingReplicaSet', text);
    }

    async function writeStatus(
      newSet: ReplicaSet | undefined,
      others: readonly ReplicaSet[],
    ): Promise<{ readonly requeueAfterMs?: number }> {
      const now = clock.now();
      const status = deploymentStatus(deployment, newSet, others, now);
      if (!isDeepStrictEqual({ ...status }, { ...deployment.status })) {
        writes.note(key, await client.update(deploymentsRef, { ...deployment, status }, 'status', signal));
      }
      const wait = progressDeadlineInMs(deployment, status, now);
      return wait === undefined ? {} : { requeueAfterMs: wait };
    }
  };
}

/** What to change in the set of today's template so that it carries the Deployment's annotations and revision; undefined when nothing. */
function renewal(deployment: Deployment, set: ReplicaSet, revision: string): object | undefined {
  const known = set.metadata.annotations ?? {};
  const wanted: Record<string, string> = { ...inherited(deployment), [annotations.revision]: revision };
  const previous = known[annotations.revision];
  if (previous !== undefined && previous !== revision) {
    const past = known[annotations.history]?.split(',') ?? [];
    wanted[annotations.history] = [...past, previous].slice(-mostHistory).join(',');
  }
  const { minReadySeconds = 0 } = deployment.spec;
  const isSame = Object.entries(wanted).every(([name, value]) => known[name] === value);
  if (isSame && (set.spec.minReadySeconds ?? 0) === minReadySeconds) return undefined;
  return { metadata: { uid: set.metadata.uid, annotations: wanted }, spec: { minReadySeconds } };
}

/** Whether nothing of the set is left, and its controller has said so. */
function isEmpty(set: ReplicaSet): boolean {
  const observed = (set.status?.observedGeneration ?? 0) >= (set.metadata.generation ?? 0);
  return (set.spec.replicas ?? 1) === 0 && (set.status?.replicas ?? 0) === 0 && observed;
}

/** The set of `deployment`'s template, named by the template's hash so that it is made only once. */
function replicaSetOf(
  deployment: Deployment,
  old: readonly ReplicaSet[],
  revision: string,
): Omit<ReplicaSet, 'status'> {
  const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount ?? 0);
  const { metadata = {}, ...template } = deployment.spec.template;
  const labels = { ...metadata.labels, [hashLabel]: hash };
  const { replicas = 1, minReadySeconds } = deployment.spec;
  const others = old.reduce((sum, set) => sum + (set.spec.replicas ?? 1), 0);
  const room = Math.max(replicas + rollingBounds(deployment).surge - others, 0);
  const size = deployment.spec.strategy?.type === 'Recreate' ? replicas : Math.min(replicas, room);
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace ?? '',
      labels,
      annotations: { ...inherited(deployment), ...sizes(deployment), [annotations.revision]: revision },
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas: size,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: {
        ...deployment.spec.selector,
        matchLabels: { ...deployment.spec.selector?.matchLabels, [hashLabel]: hash },
      },
      template: { ...template, metadata: { ...metadata, labels } },
    },
  };
}

function sizes(deployment: Deployment): Record<string, string> {
  const replicas = deployment.spec.replicas ?? 1;
  return {
    [annotations.desired]: String(replicas),
    [annotations.most]: String(replicas + rollingBounds(deployment).surge),
  };
}

/** The Deployment's annotations that its sets carry too, so that `kubectl rollout history` finds the change cause. */
function inherited(deployment: Deployment): Record<string, string> {
  const own: readonly string[] = Object.values(annotations);
  const kept = Object.entries(deployment.metadata.annotations ?? {}).filter(
    ([name]) => !own.includes(name) && name !== 'kubectl.kubernetes.io/last-applied-configuration',
  );
  return Object.fromEntries(kept);
}

function isSameTemplate(a: PodTemplateSpec, b: PodTemplateSpec | undefined): boolean {
  return b !== undefined && canonicalJson(withoutHash(a)) === canonicalJson(withoutHash(b));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const labels = Object.entries(template.metadata?.labels ?? {}).filter(([name]) => name !== hashLabel);
  return { ...template, metadata: { ...template.metadata, labels: Object.fromEntries(labels) } };
}

/** Ten characters that name the template, of an alphabet without vowels so that they spell nothing. */
function templateHash(template: PodTemplateSpec, collisions: number): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
  const digest = createHash('sha256')
    .update(`${canonicalJson(template)}\n${collisions}`)
    .digest();
  return [...digest.subarray(0, 10)].map((byte) => alphabet[byte % alphabet.length]).join('');
}

function oldest(a: ReplicaSet, b: ReplicaSet): number {
  const [left, right] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.name}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
