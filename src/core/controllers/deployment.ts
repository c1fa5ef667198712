/** Deployments: one ReplicaSet per version of the template, and a careful walk from the old ones to the new. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Deployment, ReplicaSet } from '../../api/types/apps.ts';
import type { PodTemplateSpec } from '../../api/types/core.ts';
import { StatusError } from '../../api/status.ts';
import { canonicalJson } from '../../std/json.ts';
import type { ClusterClient } from '../cluster/client.ts';
import type { EventRecorder } from '../cluster/events.ts';
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
import { deploymentStatus, progressDeadlineInMs } from './deployment-status.ts';
import { claim, controllerOf, controllerReference, planClaim } from './ownership.ts';
import { isFinished } from './pod-state.ts';

const identity = 'deployment-controller';

/** Runs until the context's signal aborts. */
export async function runDeployments(context: ControllerContext): Promise<void> {
  const { informers, signal } = context;
  const client = context.clientFor(identity);
  const writes = createOwnWrites();
  const recorder = recorderFor(context, identity);
  const controller = startController({
    ...context,
    name: identity,
    reconcile: reconcileDeployment({ ...context, client, recorder, writes }),
  });

  informers.deployments.onChange((event) => {
    const deployment = event.kind === 'deleted' ? event.previous : event.object;
    if (event.kind === 'deleted') writes.forget(keyOf(deployment));
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
  await whenAllSynced([informers.deployments, informers.replicaSets, informers.pods], signal);
  for (const deployment of informers.deployments.list()) controller.enqueue(keyOf(deployment));
}

interface Deps extends ControllerContext {
  readonly client: ClusterClient;
  readonly recorder: EventRecorder;
  readonly writes: OwnWrites;
}

/** Brings one Deployment a step further. */
export function reconcileDeployment({ informers, client, recorder, writes, clock }: Deps): Reconcile {
  return async (key, signal) => {
    const { namespace, name } = splitKey(key);
    const deployment = informers.deployments.get(namespace, name);
    if (deployment === undefined) return {}; // gone: the garbage collector owns what is left
    const seen = informers.replicaSets.hasSeen(writes.latest(key)) && informers.deployments.hasSeen(writes.latest(key));
    if (!seen) return { requeueAfterMs: 50 };
    const plan = planClaim(deployment, deployment.spec.selector, informers.replicaSets.list(namespace));
    const sets = await claim(client, replicaSetsRef, deployment, plan, signal);

    const found = sets.filter((set) => isSameTemplate(deployment.spec.template, set.spec.template)).toSorted(oldest)[0];
    const old = sets.filter((set) => set !== found);
    if (deployment.metadata.deletionTimestamp !== undefined) return writeStatus(deployment, found, old);
    if (deployment.spec.paused === true || wasRescaled(deployment, sets)) {
      await scale(deployment, planScaling(deployment, found, old));
      return writeStatus(deployment, found, old);
    }
    if (deployment.spec.strategy?.type === 'Recreate' && oldPodsRun(old)) {
      await scale(
        deployment,
        old.filter((set) => (set.spec.replicas ?? 1) > 0).map((set) => ({ set, to: 0 })),
      );
      return writeStatus(deployment, found, old);
    }
    const current = await ensureCurrent(deployment, found, old);
    if (current === undefined) return { requeueAfterMs: 50 };
    await scale(deployment, planRollout(deployment, current, old));
    for (const set of planCleanup(deployment, old)) await client.delete(replicaSetsRef, set.metadata, {}, signal);
    return writeStatus(deployment, current, old);

    function oldPodsRun(of: readonly ReplicaSet[]): boolean {
      return of.some((set) =>
        informers.pods.byIndex('controller', set.metadata.uid ?? '').some((pod) => !isFinished(pod)),
      );
    }

    /** The set of today's template, made or brought up to date: its revision is the highest of all. */
    async function ensureCurrent(
      of: Deployment,
      known: ReplicaSet | undefined,
      others: readonly ReplicaSet[],
    ): Promise<ReplicaSet | undefined> {
      const revision = String(Math.max(0, ...others.map(revisionOf)) + 1);
      const highest = known !== undefined && revisionOf(known) >= Number(revision);
      const current = known ?? (await createSet(of, others, revision));
      if (current === undefined) return undefined;
      const wanted = highest ? String(revisionOf(current)) : revision;
      const previous = current.metadata.annotations?.[annotations.revision];
      if (previous !== wanted && known !== undefined) {
        const history = current.metadata.annotations?.[annotations.history];
        const past = [
          ...(history === undefined ? [] : history.split(',')),
          ...(previous === undefined ? [] : [previous]),
        ];
        await annotateSet(of, current, { [annotations.revision]: wanted, [annotations.history]: past.join(',') });
      }
      if (of.metadata.annotations?.[annotations.revision] !== wanted) {
        const body = { metadata: { annotations: { [annotations.revision]: wanted } } };
        writes.note(key, await client.patch(deploymentsRef, of.metadata, { kind: 'merge', body }, signal));
      }
      return informers.replicaSets.get(namespace, current.metadata.name) ?? current;
    }

    async function annotateSet(of: Deployment, set: ReplicaSet, more: Record<string, string>): Promise<void> {
      const body = { metadata: { annotations: { ...inherited(of), ...more } } };
      writes.note(key, await client.patch(replicaSetsRef, set.metadata, { kind: 'merge', body }, signal));
    }

    async function createSet(
      of: Deployment,
      others: readonly ReplicaSet[],
      revision: string,
    ): Promise<ReplicaSet | undefined> {
      const set = replicaSetOf(of, others, revision);
      try {
        const made = await client.create(replicaSetsRef, set, signal);
        writes.note(key, made);
        if ((made.spec.replicas ?? 0) > 0) announce(of, made, 0, made.spec.replicas ?? 0);
        return made;
      } catch (error) {
        if (!(error instanceof StatusError && error.reason === 'AlreadyExists')) throw error;
        const there = await client.get(replicaSetsRef, { namespace, name: set.metadata.name }, signal);
        const ours = controllerOf(there)?.uid === of.metadata.uid;
        if (ours && isSameTemplate(of.spec.template, there.spec.template)) return there;
        // Two templates with one hash: count the collision, which changes the hash.
        const status = { ...of.status, collisionCount: (of.status?.collisionCount ?? 0) + 1 };
        writes.note(key, await client.update(deploymentsRef, { ...of, status }, 'status', signal));
        return undefined;
      }
    }

    async function scale(of: Deployment, steps: ScalePlan): Promise<void> {
      for (const { set, to } of steps) {
        const { replicas = 1 } = set.spec;
        const body = { metadata: { annotations: sizes(of) }, spec: { replicas: to } };
        const preconditioned = {
          ...body,
          metadata: { ...body.metadata, resourceVersion: set.metadata.resourceVersion },
        };
        const done = await client.patch(replicaSetsRef, set.metadata, { kind: 'merge', body: preconditioned }, signal);
        writes.note(key, done);
        announce(of, set, replicas, to);
      }
    }

    function announce(of: Deployment, set: ReplicaSet, from: number, to: number): void {
      const direction = to > from ? 'up' : 'down';
      const text = `Scaled ${direction} replica set ${set.metadata.name} from ${from} to ${to}`;
      recorder.event(of, 'Normal', 'ScalingReplicaSet', text);
    }
  };

  async function writeStatus(
    deployment: Deployment,
    current: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<{ readonly requeueAfterMs?: number }> {
    const now = clock.now();
    const status = deploymentStatus(deployment, current, old, now);
    if (!isDeepStrictEqual({ ...status }, { ...deployment.status })) {
      await client.update(deploymentsRef, { ...deployment, status }, 'status');
    }
    const wait = progressDeadlineInMs(deployment, status, now);
    return wait === undefined ? {} : { requeueAfterMs: wait };
  }
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
  return (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1;
}
