/**
 * The scheduler: watches pods and nodes, and gives every pod that waits a node.
 *
 * Deciding is synchronous and one pod at a time, against the table as it stands; binding is a request to the API, and many
 * are under way at once. A pod counts on its node from the moment of the decision, so the next decision knows of it.
 */
import { StatusError } from '../../api/status.ts';
import type { StatefulSet } from '../../api/types/apps.ts';
import type { Pod } from '../../api/types/core.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { ClusterClient } from '../cluster/client.ts';
import { createEventRecorder } from '../cluster/events.ts';
import { startInformer } from '../cluster/informer.ts';
import type { Informer } from '../cluster/informer.ts';
import * as refs from '../cluster/resource-ref.ts';
import type { ClusterObject, ResourceRef } from '../cluster/resource-ref.ts';
import { defaultPlugins } from './default-plugins.ts';
import { Intake } from './intake.ts';
import { NodeTable } from './node-table.ts';
import type { PodFacts } from './pod-facts.ts';
import { bind, isSettled, report } from './placement.ts';
import type { PlacementDeps } from './placement.ts';
import { gatedMessage } from './pod-condition.ts';
import type { PendingReason } from './pod-condition.ts';
import { setSelector } from './pod-set.ts';
import { SchedulingQueue } from './queue.ts';
import type { Waiting } from './queue.ts';
import { schedule } from './schedule.ts';

export interface SchedulerOptions {
  /** Acts as `system:kube-scheduler`. */
  readonly client: ClusterClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** The scheduler runs until this aborts. */
  readonly signal: AbortSignal;
  /** Only pods whose spec.schedulerName is this are placed. */
  readonly schedulerName?: string;
}

// Chosen, not measured: enough to fill the store's commit groups, few enough not to crowd out other clients.
const atOnce = 64;

const statefulSets = refs.resourceRef<StatefulSet>('apps', 'v1', 'statefulsets', 'StatefulSet');

/** Places pods until `options.signal` aborts; resolves when the last binding under way has ended. */
export async function runScheduler(options: SchedulerOptions): Promise<void> {
  const { client, clock, log, signal, schedulerName = 'default-scheduler' } = options;
  const follow = <T extends ClusterObject>(of: ResourceRef<T>): Informer<T> =>
    startInformer({ client, of, clock, log, signal });
  const pods = follow(refs.pods);
  const nodes = follow(refs.nodes);
  const namespaces = follow(refs.namespaces);
  const services = follow(refs.services);
  const replicaSets = follow(refs.replicaSets);
  const sets = follow(statefulSets);

  const plugins = defaultPlugins({
    setOf: (pod) =>
      setSelector(pod, {
        services: (namespace) => services.list(namespace),
        controllerSelector: (kind, namespace, name) => {
          if (kind === 'ReplicaSet') return replicaSets.get(namespace, name)?.spec.selector;
          return kind === 'StatefulSet' ? sets.get(namespace, name)?.spec.selector : undefined;
        },
      }),
    namespaceLabels: (name) => {
      const namespace = namespaces.get('', name);
      return namespace && (namespace.metadata.labels ?? {});
    },
  });
  const events = createEventRecorder({ client, component: schedulerName, clock, log });
  const deps: PlacementDeps = { client, events, plugins, clock, log, signal };

  const working = new Set<Promise<void>>();
  const start = (work: Promise<void>): void => {
    const done = work
      .catch((error: unknown) => log.error('scheduling failed', { error }))
      .finally(() => working.delete(done));
    working.add(done);
  };

  let ring = (): void => {};
  const gated: Pod[] = [];
  const table = new NodeTable();
  const queue = new SchedulingQueue({
    clock,
    signal,
    onActive: () => ring(),
    wakes: (name, event, pod) => plugins.find((plugin) => plugin.name === name)?.wakes?.(event, pod) ?? false,
  });
  const intake = new Intake({
    table,
    queue,
    schedulerName,
    onGated: (pod) => {
      gated.push(pod);
      ring();
    },
  });
  nodes.onChange((event) => intake.node(event));
  pods.onChange((event) => intake.pod(event));

  const telling = new Map<string, Promise<void>>();
  const tell = async ({ uid, pod }: PodFacts, reason: PendingReason, message: string): Promise<void> => {
    const told = report(deps, pod, reason, message);
    telling.set(uid, told);
    await told;
    if (telling.get(uid) === told) telling.delete(uid);
  };

  let turn = 0;
  const cycle = async ({ facts }: Waiting): Promise<void> => {
    try {
      const decision = schedule(facts, table, plugins, turn++);
      if (decision.kind === 'node') await place(facts, decision.node);
      else {
        queue.unschedulable(facts.uid, decision.rejectedBy);
        events.event(facts.pod, 'Warning', 'FailedScheduling', decision.message);
        await tell(facts, 'Unschedulable', decision.message);
      }
    } catch (error) {
      if (signal.aborted) return;
      queue.retry(facts.uid);
      log.warn('scheduling failed', { pod: facts.pod.metadata.name, namespace: facts.namespace, error });
      const message = error instanceof StatusError ? `binding rejected: ${error.message}` : 'scheduling failed';
      events.event(facts.pod, 'Warning', 'FailedScheduling', message);
      await tell(facts, 'SchedulerError', message);
    }
  };
  const place = async (facts: PodFacts, node: string): Promise<void> => {
    intake.assume(facts, node);
    // A slow report of an earlier attempt must not overwrite what binding says.
    await telling.get(facts.uid);
    try {
      await bind(deps, facts, node);
    } catch (error) {
      // Whatever the answer was: what became of the pod is, or will be, shown by its watch.
      if ((await isSettled(deps, facts)) || !intake.forget(facts)) return;
      // What it reported while the pod was assumed has been passed over.
      const { namespace = '', name, uid } = facts.pod.metadata;
      const latest = pods.get(namespace, name);
      if (latest !== undefined && latest.metadata.uid === uid)
        intake.pod({ kind: 'set', object: latest, previous: latest });
      if (queue.has(facts.uid)) throw error;
    }
  };

  signal.addEventListener('abort', () => ring());
  if (signal.aborted) return;
  try {
    const all: readonly Pick<Informer<ClusterObject>, 'whenSynced'>[] = [
      pods,
      nodes,
      namespaces,
      services,
      replicaSets,
      sets,
    ];
    await Promise.all(all.map((informer) => informer.whenSynced(signal)));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  while (!signal.aborted) {
    if (working.size >= atOnce) {
      await Promise.race(working);
      continue;
    }
    const held = gated.shift();
    if (held !== undefined) {
      start(report(deps, held, 'SchedulingGated', gatedMessage));
      continue;
    }
    const next = queue.pop();
    if (next !== undefined) {
      start(cycle(next));
      continue;
    }
    await new Promise<void>((resolve) => {
      ring = resolve;
    });
  }
  await Promise.all(working);
}
