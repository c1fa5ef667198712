import type { Decision } from '../api/access.ts';
import type { Cell } from './cell.ts';

interface Entry {
  readonly decision: Decision;
  readonly cells: readonly Cell[];
  readonly generations: readonly number[];
}

/**
 * Decisions by request key, at most `limit` of them; the oldest goes first. A decision is given out only while every
 * cell it was made from still has the generation it had then, so a change of policy counts at once.
 */
export class DecisionCache {
  readonly #entries = new Map<string, Entry>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Decision | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const { cells, generations } = entry;
    for (let i = 0; i < cells.length; i++) {
      if (cells[i]?.generation !== generations[i]) {
        this.#entries.delete(key);
        return undefined;
      }
    }
    return entry.decision;
  }

  set(key: string, decision: Decision, cells: readonly Cell[]): void {
    if (this.#entries.size >= this.#limit) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, { decision, cells, generations: cells.map((cell) => cell.generation) });
  }

  get size(): number {
    return this.#entries.size;
  }
}
