/** A clock that a test moves. Timers run in the order of their time, each with the clock at that time. */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../../src/std/clock.ts';

export interface FakeClock extends Clock {
  /** Moves time on; between two timers `between` lets what they began come to rest. */
  advance(ms: number, between?: () => Promise<void>): Promise<void>;
  /** How many timers wait. */
  pending(): number;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Begins at 2026-01-01. */
export function fakeClock(): FakeClock {
  const start = Date.parse('2026-01-01T00:00:00Z');
  let now = start;
  const timers = new Set<Timer>();
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: now + Math.max(ms, 0), run };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  return {
    now: () => now,
    monotonic: () => now - start,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const onAbort = (): void => {
          cancel();
          reject(signal?.reason);
        };
        const cancel = after(ms, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        if (signal === undefined) return;
        setMaxListeners(0, signal);
        signal.addEventListener('abort', onAbort, { once: true });
        if (signal.aborted) onAbort();
      }),
    pending: () => timers.size,
    advance: async (ms, between = async () => {}) => {
      const until = now + ms;
      await between();
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers.delete(due);
        now = Math.max(now, due.at);
        due.run();
        await between();
      }
      now = until;
      await between();
    },
  };
}
