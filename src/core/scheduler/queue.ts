/**
 * Where pods wait for a node. A pod is in one of three places:
 *
 *     active         to be tried next: highest priority first, then who came first
 *     backoff        tried in vain a moment ago: 1 s, doubling to 10 s, then active
 *     unschedulable  no node can take it: until something changes that may help it, or for five minutes
 *
 * Whoever takes a pod out with `pop` owns it and either lets it go or puts it back.
 */
import type { Clock } from '../../std/clock.ts';
import type { ClusterEvent } from './framework.ts';
import type { PodFacts } from './pod-facts.ts';

/** A pod's stay in the queue. */
export interface Waiting {
  readonly facts: PodFacts;
  /** How often it was taken out. */
  readonly attempts: number;
}

interface Entry {
  facts: PodFacts;
  attempts: number;
  /** Among pods of one priority the smallest goes first. */
  order: number;
  place: 'active' | 'backoff' | 'unschedulable' | 'out';
  /** When it was last given back, on the monotonic clock. */
  triedAt: number;
  rejectedBy: ReadonlySet<string>;
  cancelBackoff: (() => void) | undefined;
}

/** Source: kube-scheduler's defaults. */
const backoffMs = { first: 1_000, most: 10_000 };
const unschedulableMs = 5 * 60_000;
const flushEveryMs = 30_000;

export interface QueueOptions {
  readonly clock: Clock;
  /** Called whenever a pod became active. */
  readonly onActive: () => void;
  /** Whether `event` may help a pod that the plugin of this name rejected nodes for. */
  readonly wakes: (plugin: string, event: ClusterEvent, pod: PodFacts) => boolean;
  readonly signal: AbortSignal;
}

export class SchedulingQueue {
  readonly #options: QueueOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #active: Entry[] = [];
  #arrivals = 0;
  #cancelFlush: () => void = () => {};

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#flushLater();
    options.signal.addEventListener('abort', () => {
      this.#cancelFlush();
      for (const entry of this.#entries.values()) entry.cancelBackoff?.();
    });
  }

  /** Takes a pod that is new. */
  add(facts: PodFacts): void {
    this.remove(facts.uid);
    const entry: Entry = {
      facts,
      attempts: 0,
      order: this.#arrivals++,
      place: 'out',
      triedAt: 0,
      rejectedBy: new Set(),
      cancelBackoff: undefined,
    };
    this.#entries.set(facts.uid, entry);
    this.#activate(entry);
  }

  /** Whether the pod with this uid is known: waiting, or taken out and not let go yet. */
  has(uid: string): boolean {
    return this.#entries.has(uid);
  }

  /** Brings a known pod up to date. With `changed` it may be schedulable now, so it is tried as soon as its backoff allows. */
  update(facts: PodFacts, changed: boolean): void {
    const entry = this.#entries.get(facts.uid);
    if (entry === undefined) return;
    entry.facts = facts;
    if (changed && entry.place === 'unschedulable') this.#revive(entry);
  }

  /** Forgets a pod: it is bound, gone, or not to be scheduled any more. */
  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.cancelBackoff?.();
    entry.place = 'out'; // what is left of it in the heap is passed over
    this.#entries.delete(uid);
  }

  /** The pod to try next. */
  pop(): Waiting | undefined {
    for (;;) {
      const entry = popFirst(this.#active);
      if (entry === undefined) return undefined;
      if (entry.place !== 'active') continue;
      entry.place = 'out';
      entry.attempts++;
      return { facts: entry.facts, attempts: entry.attempts };
    }
  }

  /** Puts back a pod that no node could take. */
  unschedulable(uid: string, rejectedBy: ReadonlySet<string>): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.place = 'unschedulable';
    entry.rejectedBy = rejectedBy;
    this.#givenBack(entry);
  }

  /** Puts back a pod whose node was found but could not be used. */
  retry(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    this.#givenBack(entry);
    this.#revive(entry);
  }

  /** Tells the queue what happened; pods that it may help are tried again. */
  wake(event: ClusterEvent): void {
    for (const entry of this.#entries.values()) {
      if (entry.place !== 'unschedulable') continue;
      const helps =
        entry.rejectedBy.size === 0 ||
        [...entry.rejectedBy].some((plugin) => this.#options.wakes(plugin, event, entry.facts));
      if (helps) this.#revive(entry);
    }
  }

  /** Behind those that came meanwhile: a pod that keeps failing holds up nobody of its priority. */
  #givenBack(entry: Entry): void {
    entry.triedAt = this.#options.clock.monotonic();
    entry.order = this.#arrivals++;
  }

  #revive(entry: Entry): void {
    const wait = Math.min(backoffMs.first * 2 ** Math.max(entry.attempts - 1, 0), backoffMs.most);
    const left = entry.triedAt + wait - this.#options.clock.monotonic();
    if (entry.attempts === 0 || left <= 0) {
      this.#activate(entry);
      return;
    }
    entry.place = 'backoff';
    entry.cancelBackoff = this.#options.clock.after(left, () => this.#activate(entry));
  }

  #activate(entry: Entry): void {
    entry.cancelBackoff = undefined;
    entry.place = 'active';
    push(this.#active, entry);
    this.#options.onActive();
  }

  /** An event may have been misjudged or missed: nobody waits longer than this without being tried. */
  #flushLater(): void {
    const { clock, signal } = this.#options;
    this.#cancelFlush = clock.after(flushEveryMs, () => {
      if (signal.aborted) return;
      const longAgo = clock.monotonic() - unschedulableMs;
      for (const entry of this.#entries.values()) {
        if (entry.place === 'unschedulable' && entry.triedAt <= longAgo) this.#revive(entry);
      }
      this.#flushLater();
    });
  }
}

function before(a: Entry, b: Entry): boolean {
  if (a.facts.priority !== b.facts.priority) return a.facts.priority > b.facts.priority;
  return a.order < b.order;
}

/** `heap` is a binary heap: no entry comes before its parent, at half its index. */
function push(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const up = (at - 1) >> 1;
    const parent = heap[up];
    if (parent === undefined || !before(entry, parent)) break;
    heap[at] = parent;
    at = up;
  }
  heap[at] = entry;
}

function popFirst(heap: Entry[]): Entry | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let down = 2 * at + 1;
    const [left, right] = [heap[down], heap[down + 1]];
    if (left === undefined) break;
    let child = left;
    if (right !== undefined && before(right, left)) {
      child = right;
      down++;
    }
    if (!before(child, last)) break;
    heap[at] = child;
    at = down;
  }
  heap[at] = last;
  return first;
}
