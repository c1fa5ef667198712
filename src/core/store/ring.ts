/**
 * The recent changes of one resource, oldest first. It forgets the oldest by count and by bytes, and knows up to which
 * revision it has forgotten: everything after `floor` is here.
 */
import type { Change } from './store.ts';

/** Chosen, not measured: a watcher that is further behind than this reads from the database. */
const mostChanges = 2000;
const mostBytes = 8 * 1024 * 1024;

export class Ring {
  #changes: Change[] = [];
  #start = 0;
  #bytes = 0;
  #floor: bigint;

  /** `floor`: the revision from which on changes will be pushed. */
  constructor(floor: bigint) {
    this.#floor = floor;
  }

  /** Changes up to this revision may be missing, those after it are all here. */
  get floor(): bigint {
    return this.#floor;
  }

  push(change: Change): void {
    this.#changes.push(change);
    this.#bytes += change.stored.json.length;
    while (this.#changes.length - this.#start > 1 && this.#isFull()) this.#forgetOldest();
    if (this.#start > mostChanges) {
      this.#changes = this.#changes.slice(this.#start);
      this.#start = 0;
    }
  }

  /** At most `limit` changes after `revision`, which must not be below `floor`. */
  after(revision: bigint, limit = Number.POSITIVE_INFINITY): readonly Change[] {
    let [low, high] = [this.#start, this.#changes.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const change = this.#changes[middle];
      if (change !== undefined && change.stored.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#changes.slice(low, Math.min(low + limit, this.#changes.length));
  }

  #isFull(): boolean {
    return this.#changes.length - this.#start > mostChanges || this.#bytes > mostBytes;
  }

  #forgetOldest(): void {
    const oldest = this.#changes[this.#start];
    if (oldest === undefined) return;
    this.#bytes -= oldest.stored.json.length;
    this.#floor = oldest.stored.revision;
    this.#start += 1;
  }
}
