/** The work of one expression ran over its limit. Nothing absorbs it. */
export class CostExceeded extends Error {
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

/**
 * Counts what an evaluation costs, in upstream's units (about 50 ns of its evaluator each), and stops it at a limit.
 * Every step that can repeat or grow is charged before it is done.
 */
export class Meter {
  private readonly limit: number;
  private spent = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** In whole units. */
  get cost(): number {
    return Math.floor(this.spent);
  }

  /** Throws CostExceeded once more is spent than allowed. */
  charge(cost: number): void {
    this.spent += cost;
    if (this.spent > this.limit) throw new CostExceeded();
  }
}
