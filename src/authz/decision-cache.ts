import type { Decision } from '../api/access.ts';
import type { Cell } from './cell.ts';

interface Entry {
  readonly decision: Decision;
  readonly cells: readonly Cell[];
  readonly generations: readonly number[];
}

/**
 * Decisions by request key, at most `limit` of them. A decision is given out only while every cell it was made from
 * still has the generation it had then, so a change of policy counts at once.
 *
 * Two halves: when the young one is full it becomes the old one, and what was old and never asked for again is dropped.
 * Taking single entries off the front of one Map instead costs time in proportion to its size, for the holes left there.
 */
export class DecisionCache {
  #young = new Map<string, Entry>();
  #old = new Map<string, Entry>();
  readonly #half: number;

  constructor(limit: number) {
    this.#half = Math.max(1, Math.floor(limit / 2));
  }

  get(key: string): Decision | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return isFresh(young) ? young.decision : undefined;
    const old = this.#old.get(key);
    if (old === undefined || !isFresh(old)) return undefined;
    this.#keep(key, old);
    return old.decision;
  }

  /** Keeps `decision` for as long as none of `cells` changes, or until it is crowded out. */
  set(key: string, decision: Decision, cells: readonly Cell[]): void {
    this.#keep(key, { decision, cells, generations: cells.map((cell) => cell.generation) });
  }

  #keep(key: string, entry: Entry): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, entry);
  }
}

function isFresh({ cells, generations }: Entry): boolean {
  for (let i = 0; i < cells.length; i++) {
    if (cells[i]?.generation !== generations[i]) return false;
  }
  return true;
}
