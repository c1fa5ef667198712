/**
 * Takes what the watches report into the table and the queue.
 *
 * A pod that the scheduler has found a node for is *assumed*: it counts on that node at once, before the API has heard of
 * it. It stays assumed until its watch shows it bound or gone, or until binding has failed; older reports of it, which
 * still show it without a node, are passed over.
 */
import { equal } from '../../std/value.ts';
import type { Node, Pod } from '../../api/types/core.ts';
import type { InformerEvent } from '../cluster/informer.ts';
import { nodeEvent } from './framework.ts';
import type { ClusterEvent } from './framework.ts';
import type { NodeTable } from './node-table.ts';
import { isFinished, podFacts } from './pod-facts.ts';
import type { PodFacts } from './pod-facts.ts';
import type { SchedulingQueue } from './queue.ts';

export interface IntakeOptions {
  readonly table: NodeTable;
  readonly queue: SchedulingQueue;
  /** Pods that name another scheduler are none of ours to place; they count where they are. */
  readonly schedulerName: string;
  /** Called for a pod that is held back by its scheduling gates. */
  readonly onGated: (pod: Pod) => void;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #assumed = new Set<string>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  node(event: InformerEvent<Node>): void {
    const { table, queue } = this.#options;
    if (event.kind === 'deleted') {
      table.removeNode(event.previous.metadata.name);
      return;
    }
    table.setNode(event.object);
    const change = nodeEvent(event.object, event.previous);
    if (change !== undefined) queue.wake(change);
  }

  pod(event: InformerEvent<Pod>): void {
    if (event.kind === 'deleted') {
      this.#gone(event.previous);
      return;
    }
    const { object, previous } = event;
    const replaced = previous !== undefined && previous.metadata.uid !== object.metadata.uid;
    if (replaced) this.#gone(previous);
    if (isFinished(object)) this.#gone(object);
    else if ((object.spec.nodeName ?? '') !== '') this.#bound(podFacts(object));
    else this.#pending(podFacts(object), replaced ? undefined : previous);
  }

  /** Lets `facts` count on `node` from now on. */
  assume(facts: PodFacts, node: string): void {
    this.#assumed.add(facts.uid);
    this.#options.table.place(facts, node);
  }

  /** Takes an assumption back. Whether there was one still: false when the watch has shown meanwhile what became of the pod. */
  forget(facts: PodFacts): boolean {
    if (!this.#assumed.delete(facts.uid)) return false;
    this.#options.table.remove(facts.uid);
    this.#options.queue.wake({ kind: 'room', pod: facts.pod });
    return true;
  }

  #gone(pod: Pod): void {
    const { table, queue } = this.#options;
    const { uid } = podFacts(pod);
    this.#assumed.delete(uid);
    queue.remove(uid);
    if (table.placed(uid) === undefined) return;
    table.remove(uid);
    queue.wake({ kind: 'room', pod });
  }

  #bound(facts: PodFacts): void {
    const { table, queue } = this.#options;
    const before = table.placed(facts.uid);
    this.#assumed.delete(facts.uid);
    queue.remove(facts.uid);
    table.place(facts, facts.pod.spec.nodeName ?? '');
    for (const event of placementEvents(facts, before?.facts)) queue.wake(event);
  }

  #pending(facts: PodFacts, previous: Pod | undefined): void {
    const { queue, schedulerName, onGated } = this.#options;
    const { pod, uid } = facts;
    if ((pod.spec.schedulerName ?? 'default-scheduler') !== schedulerName || this.#assumed.has(uid)) return;
    if (pod.metadata.deletionTimestamp !== undefined) queue.remove(uid);
    else if ((pod.spec.schedulingGates ?? []).length > 0) {
      queue.remove(uid);
      onGated(pod);
    } else if (queue.has(uid)) {
      // Our own report in its status is no reason to try again.
      const changed =
        previous === undefined ||
        !equal(previous.spec, pod.spec) ||
        !equal(previous.metadata.labels ?? {}, pod.metadata.labels ?? {});
      queue.update(facts, changed);
    } else queue.add(facts);
  }
}

function placementEvents(facts: PodFacts, before: PodFacts | undefined): readonly ClusterEvent[] {
  const { pod } = facts;
  const events: ClusterEvent[] = [];
  if (before === undefined || !equal(before.pod.metadata.labels ?? {}, pod.metadata.labels ?? {}))
    events.push({ kind: 'placed', pod });
  const terminating =
    before?.pod.metadata.deletionTimestamp === undefined && pod.metadata.deletionTimestamp !== undefined;
  const shrunk = [...(before?.requests ?? [])].some(
    ([resource, amount]) => (facts.requests.get(resource) ?? 0) < amount,
  );
  if (before !== undefined && (shrunk || terminating)) events.push({ kind: 'room', pod });
  return events;
}
