import { setMaxListeners } from 'node:events';

/**
 * Time as an argument. This is the one file that reads the machine's clock and sets its timers; everything else is
 * handed a `Clock`, so a test decides what time it is.
 */
export interface Clock {
  /** The current instant, milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds that only ever grow: for durations and deadlines. Unrelated to `now`. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms`, unless the returned function is called first. Does not keep the process alive. */
  after(ms: number, run: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep,
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal === undefined) return;
    setMaxListeners(0, signal); // all that waits in a process may wait for one word to stop
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** `instant` (milliseconds since the epoch) as the API writes times: RFC 3339 in UTC, whole seconds. */
export function rfc3339(instant: number): string {
  return `${new Date(instant).toISOString().slice(0, 19)}Z`;
}

/** `instant` with microseconds, as MicroTime is written. The last three digits are zero: the clock counts milliseconds. */
export function rfc3339Micro(instant: number): string {
  return `${new Date(instant).toISOString().slice(0, 23)}000Z`;
}

/** The instant an RFC 3339 text names, or undefined when it names none. */
export function parseInstant(text: string): number | undefined {
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : instant;
}

/**
 * Timeouts by the signals that wait for them. Node holds the sources of a combined signal weakly, and a timeout that nobody
 * else holds is collected and never comes (seen on Node 20: the deadline is lost with the next collection).
 */
const held = new WeakMap<AbortSignal, AbortSignal>();

/**
 * A signal that aborts with a TimeoutError after `ms`, or when `signal` does. Not to be combined again by AbortSignal.any,
 * which would let go of the timeout.
 */
export function deadline(ms: number, signal?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(ms);
  if (signal === undefined) return timeout;
  const either = AbortSignal.any([timeout, signal]);
  held.set(either, timeout);
  return either;
}
