/** Turns of the event loop: all input that was ready is taken in first, then what was put off here is done. */

let waiting: (() => void)[] = [];

/**
 * Runs `task` when this turn has taken in its input, together with all that was put off before and after it in the same
 * turn, in that order. Costs nobody a wait: the loop does not sleep in between. `task` must not throw.
 */
export function atEndOfTurn(task: () => void): void {
  waiting.push(task);
  if (waiting.length === 1) setImmediate(runAll);
}

function runAll(): void {
  const tasks = waiting;
  waiting = [];
  for (const task of tasks) task();
}
