/**
 * Runs a level-based reconcile: keys come in, equal ones fold into one, each key is worked on by one worker at a time,
 * failures back off per key. What a reconcile answers says when it wants to look again.
 */
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import { failedWith } from '../../api/status.ts';

/** `{}` waits for a change; `{ requeueAfterMs }` looks again then. A thrown error backs off. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<{ readonly requeueAfterMs?: number }>;

export interface Controller {
  /** Asks for a reconcile of `key`, soon. */
  enqueue(key: string): void;
}

export interface ControllerOptions {
  readonly name: string;
  readonly reconcile: Reconcile;
  /** How many keys may be worked on at a time. */
  readonly workers?: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

// As upstream's default rate limiter: 5 ms doubling; ours stops at a minute, as there is one server to spare and not many.
const backoffMs = { first: 5, most: 60_000 };

/** Starts at once; ends when `options.signal` aborts. */
export function startController(options: ControllerOptions): Controller {
  const { clock, log, signal, reconcile, workers = 4 } = options;
  const waiting = new Set<string>();
  const working = new Set<string>();
  const again = new Set<string>();
  const failures = new Map<string, number>();
  const timers = new Map<string, () => void>();
  let active = 0;

  const enqueue = (key: string): void => {
    if (signal.aborted) return;
    if (working.has(key)) again.add(key);
    else waiting.add(key);
    pump();
  };
  const later = (key: string, ms: number): void => {
    timers.get(key)?.();
    timers.set(
      key,
      clock.after(ms, () => {
        timers.delete(key);
        enqueue(key);
      }),
    );
  };
  const pump = (): void => {
    while (active < workers && !signal.aborted) {
      const [key] = waiting;
      if (key === undefined) return;
      waiting.delete(key);
      working.add(key);
      active++;
      void work(key);
    }
  };
  const work = async (key: string): Promise<void> => {
    try {
      const { requeueAfterMs } = await reconcile(key, signal);
      failures.delete(key);
      if (requeueAfterMs !== undefined) later(key, requeueAfterMs);
    } catch (error) {
      if (!signal.aborted) {
        const times = failures.get(key) ?? 0;
        failures.set(key, times + 1);
        // A conflict, or an object that is gone, only says that our copy was behind; the event that shows it is on its way.
        const expected = failedWith(error, 'Conflict', 'NotFound');
        log[expected ? 'debug' : 'warn']('reconcile failed', { controller: options.name, key, error });
        later(key, Math.min(backoffMs.first * 2 ** times, backoffMs.most));
      }
    } finally {
      active--;
      working.delete(key);
      if (again.delete(key)) waiting.add(key);
      pump();
    }
  };
  signal.addEventListener('abort', () => {
    for (const cancel of timers.values()) cancel();
  });
  return { enqueue };
}

/** The last revision that each key's own writes reached, so that a reconcile does not act on a copy older than itself. */
export interface OwnWrites {
  note(key: string, written: { readonly metadata: { readonly resourceVersion?: string } }): void;
  latest(key: string): string | undefined;
  forget(key: string): void;
}

export function createOwnWrites(): OwnWrites {
  const latest = new Map<string, bigint>();
  return {
    note: (key, { metadata: { resourceVersion } }) => {
      if (resourceVersion === undefined) return;
      const revision = BigInt(resourceVersion);
      if (revision > (latest.get(key) ?? 0n)) latest.set(key, revision);
    },
    latest: (key) => latest.get(key)?.toString(),
    forget: (key) => {
      latest.delete(key);
    },
  };
}
