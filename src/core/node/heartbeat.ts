/** The node's object, its status and its Lease: registered once, then renewed for as long as the agent lives. */
import type { Lease } from '../../api/types/coordination.ts';
import type { Node } from '../../api/types/core.ts';
import { failedWith } from '../../api/status.ts';
import { deadline, rfc3339Micro } from '../../std/clock.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { ClusterClient } from '../cluster/client.ts';
import { ignoring } from '../cluster/ignoring.ts';
import { leases, nodes } from '../cluster/resource-ref.ts';
import { nodeLabels, nodeStatus } from './node-status.ts';
import type { NodeFacts } from './node-status.ts';

// Four beats fit into the time after which the node is given up.
const beatMs = 5_000;
const leaseSeconds = 20;
const statusEveryBeats = 12;
const leaseNamespace = 'kube-node-lease';

export interface HeartbeatDeps {
  readonly client: ClusterClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly facts: NodeFacts;
  readonly signal: AbortSignal;
}

/** Makes the node known, its status current; answers the node as it then is. */
export async function registerNode({ client, facts, clock, signal }: HeartbeatDeps): Promise<Node> {
  const { name } = facts;
  for (let tries = 0; ; tries++) {
    try {
      const node = await findOrCreate(client, name, signal);
      return await client.update(nodes, { ...node, status: nodeStatus(node, facts, clock.now()) }, 'status', signal);
    } catch (error) {
      // The controllers write to a new node at once: its range of addresses, its taints.
      const raced = failedWith(error, 'Conflict', 'AlreadyExists');
      if (!raced || tries === 9) throw error;
    }
  }
}

async function findOrCreate(client: ClusterClient, name: string, signal: AbortSignal): Promise<Node> {
  const known = await ignoring(['NotFound'], () => client.get(nodes, { name }, signal));
  return known ?? client.create(nodes, { metadata: { name, labels: nodeLabels(name) }, spec: {} }, signal);
}

/** Renews until the signal aborts. What fails is tried again at the next beat. */
export async function beat(deps: HeartbeatDeps): Promise<void> {
  const { client, clock, log, facts, signal } = deps;
  let lease: Lease | undefined;
  for (let count = 1; !signal.aborted; count++) {
    // One request that hangs must not cost the beats after it.
    const limit = deadline(beatMs, signal);
    try {
      lease = await renew(client, facts.name, lease, rfc3339Micro(clock.now()), limit);
      const node = await client.get(nodes, { name: facts.name }, limit);
      const silent = node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status !== 'True');
      if (silent === true || count % statusEveryBeats === 0) {
        await client.update(nodes, { ...node, status: nodeStatus(node, facts, clock.now()) }, 'status', limit);
      }
    } catch (error) {
      if (signal.aborted) return;
      lease = undefined;
      if (failedWith(error, 'NotFound')) {
        await registerNode(deps).catch((failure: unknown) => log.warn('node not registered', { error: failure }));
      } else log.warn('heartbeat missed', { error });
    }
    await clock.sleep(beatMs, signal).catch(() => {});
  }
}

async function renew(
  client: ClusterClient,
  name: string,
  known: Lease | undefined,
  now: string,
  signal: AbortSignal,
): Promise<Lease> {
  const spec = { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime: now };
  const at = { namespace: leaseNamespace, name };
  const there = known ?? (await ignoring(['NotFound'], () => client.get(leases, at, signal)));
  if (there === undefined) return client.create(leases, { metadata: at, spec }, signal);
  return client.update(leases, { ...there, spec: { ...there.spec, ...spec } }, undefined, signal);
}
