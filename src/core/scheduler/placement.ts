/** Carries decisions out: binds pods to the nodes found for them, and says of the others why they wait. */
import { failedWith } from '../../api/status.ts';
import type { Pod } from '../../api/types/core.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { ClusterClient } from '../cluster/client.ts';
import type { EventRecorder } from '../cluster/events.ts';
import { pods } from '../cluster/resource-ref.ts';
import type { Plugin } from './framework.ts';
import type { PodFacts } from './pod-facts.ts';
import { pendingCondition } from './pod-condition.ts';
import type { PendingReason } from './pod-condition.ts';

export interface PlacementDeps {
  readonly client: ClusterClient;
  readonly events: EventRecorder;
  readonly plugins: readonly Plugin[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Binds the pod to `node` after every plugin has agreed and made ready. Throws as the first that refuses, or as the API
 * answered; what was reserved is then given back, in reverse order.
 */
export async function bind(
  { client, events, plugins, signal }: PlacementDeps,
  facts: PodFacts,
  node: string,
): Promise<void> {
  const { namespace = '', name, uid } = facts.pod.metadata;
  try {
    for (const plugin of plugins) plugin.reserve?.(facts, node);
    for (const plugin of plugins) await plugin.permit?.(facts, node, signal);
    for (const plugin of plugins) await plugin.preBind?.(facts, node, signal);
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { namespace, name, ...(uid === undefined ? {} : { uid }) },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    };
    await client.post(pods, { namespace, name }, 'binding', binding, signal);
  } catch (error) {
    for (const plugin of plugins.toReversed()) plugin.unreserve?.(facts, node);
    throw error;
  }
  events.event(facts.pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
}

/**
 * Whether the API says that the pod needs no node any more: it is bound after all (the answer to a binding can get lost),
 * or gone. False when the API cannot be asked.
 */
export async function isSettled({ client, signal }: PlacementDeps, { pod }: PodFacts): Promise<boolean> {
  const { namespace = '', name, uid } = pod.metadata;
  try {
    const latest = await client.get(pods, { namespace, name }, signal);
    return latest.metadata.uid !== uid || (latest.spec.nodeName ?? '') !== '';
  } catch (error) {
    return failedWith(error, 'NotFound');
  }
}

/** Writes the condition PodScheduled=False of a pod, unless it is there. A pod that is gone meanwhile is no error. */
export async function report(
  { client, clock, log, signal }: PlacementDeps,
  pod: Pod,
  reason: PendingReason,
  message: string,
): Promise<void> {
  const condition = pendingCondition(pod, reason, message, clock.now());
  if (condition === undefined) return;
  const { namespace = '', name, uid } = pod.metadata;
  // The uid keeps the words from a namesake that was made in the meantime.
  const body = { ...(uid === undefined ? {} : { metadata: { uid } }), status: { conditions: [condition] } };
  try {
    await client.patch(pods, { namespace, name }, { kind: 'strategic', body, subresource: 'status' }, signal);
  } catch (error) {
    if (signal.aborted || failedWith(error, 'NotFound', 'Conflict')) return;
    log.warn('condition of a pod not written', { pod: name, namespace, error });
  }
}
