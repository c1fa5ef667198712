/**
 * Leader election by a Lease: whoever holds it leads, and stops leading before anyone else may start.
 *
 * The holder renews every `retryMs`. If it cannot for `renewDeadlineMs`, it stops by itself; others take over only
 * `leaseDurationMs` after the last renewal that *they saw*, by their own clock, so clocks need not agree.
 */
import { setMaxListeners } from 'node:events';
import type { Lease } from '../../api/types/coordination.ts';
import { deadline, rfc3339Micro } from '../../std/clock.ts';
import { without } from '../../std/value.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { ClusterClient } from './client.ts';
import { ignoring } from './ignoring.ts';
import { leases } from './resource-ref.ts';

// A holder that dies is followed within 15 s: its last renewal may be seen one look late, its end one more.
const times = { leaseDurationMs: 11_000, renewDeadlineMs: 8_000, retryMs: 1_500 } as const;

export interface ElectionOptions {
  readonly client: ClusterClient;
  readonly namespace: string;
  readonly name: string;
  /** Unlike that of any other candidate, also of this program's earlier runs. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Leads until the signal given to it aborts; is called again after each new election. */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryMs?: number;
}

/** Takes part in the election until `signal` aborts; gives the lease back then, so that the next one need not wait. */
export async function runElection(options: ElectionOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, lead, retryMs = times.retryMs } = options;
  const candidate = createCandidate(options);
  while (!signal.aborted) {
    if (await candidate.tryAcquire(signal)) {
      log.info('leading', { lease: options.name });
      const term = new AbortController();
      const whole = AbortSignal.any([term.signal, signal]);
      setMaxListeners(0, whole); // everything that leads listens to it
      const leading = lead(whole).catch((error: unknown) => {
        if (!signal.aborted) log.error('leading failed', { lease: options.name, error });
        term.abort(error);
      });
      await candidate.holdOn(whole);
      term.abort(new Error('leadership lost'));
      await leading;
      log.info('no longer leading', { lease: options.name });
      await candidate.release();
    }
    await clock.sleep(retryMs, signal).catch(() => {});
  }
}

interface Candidate {
  /** Whether we hold the lease now. */
  tryAcquire(signal: AbortSignal): Promise<boolean>;
  /** Renews until that fails for the renew deadline, or `signal` aborts. */
  holdOn(signal: AbortSignal): Promise<void>;
  /** Gives up the lease if it is ours. Failing to is no harm: it expires. */
  release(): Promise<void>;
}

function createCandidate(options: ElectionOptions): Candidate {
  const { client, namespace, name, identity, clock, log } = options;
  const { leaseDurationMs, renewDeadlineMs, retryMs } = { ...times, ...options };
  let seen: { readonly version: string | undefined; readonly at: number } | undefined;
  let held: Lease | undefined;
  // When the request was sent that made us the holder: others count from no earlier.
  let acquired = 0;

  const read = (signal: AbortSignal): Promise<Lease | undefined> =>
    ignoring(['NotFound'], () => client.get(leases, { namespace, name }, signal));
  const specOf = (lease: Lease | undefined, holder: string): Lease['spec'] => {
    const now = rfc3339Micro(clock.now());
    const ours = lease?.spec.holderIdentity === holder;
    return {
      holderIdentity: holder,
      leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
      acquireTime: ours ? (lease.spec.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (lease?.spec.leaseTransitions ?? 0) + (lease !== undefined && !ours ? 1 : 0),
    };
  };
  const attempt = async (signal: AbortSignal): Promise<boolean> => {
    const lease = await read(signal);
    if (lease === undefined) {
      held = await client.create(leases, { metadata: { namespace, name }, spec: specOf(undefined, identity) }, signal);
      return true;
    }
    if (seen === undefined || seen.version !== lease.metadata.resourceVersion) {
      seen = { version: lease.metadata.resourceVersion, at: clock.monotonic() };
    }
    const holder = lease.spec.holderIdentity ?? '';
    const lasts = (lease.spec.leaseDurationSeconds ?? 15) * 1000;
    if (holder !== '' && holder !== identity && clock.monotonic() - seen.at < lasts) return false;
    held = await client.update(leases, { ...lease, spec: specOf(lease, identity) }, undefined, signal);
    return true;
  };

  return {
    tryAcquire: async (signal) => {
      try {
        acquired = clock.monotonic();
        return await attempt(expiring(clock, renewDeadlineMs, signal));
      } catch (error) {
        // Somebody was faster (Conflict, AlreadyExists), or the gateway is away: either way we do not lead.
        log.debug('lease not acquired', { lease: name, error });
        return false;
      }
    },
    holdOn: async (signal) => {
      let renewed = acquired;
      while (!signal.aborted) {
        const rest = renewDeadlineMs - (clock.monotonic() - renewed);
        await clock.sleep(Math.max(Math.min(retryMs, rest), 0), signal).catch(() => {});
        if (signal.aborted) return;
        const begun = clock.monotonic();
        const left = renewDeadlineMs - (begun - renewed);
        if (left <= 0) return;
        try {
          // No attempt outlasts the renew deadline: a request that hangs must not keep us leading.
          if (!(await attempt(expiring(clock, left, signal)))) return;
          renewed = begun;
        } catch (error) {
          log.warn('lease not renewed', { lease: name, error });
        }
      }
    },
    release: async () => {
      if (held === undefined) return;
      const lease = held;
      held = undefined;
      try {
        await client.update(
          leases,
          { ...lease, spec: without(lease.spec, 'holderIdentity') },
          undefined,
          deadline(retryMs),
        );
      } catch (error) {
        log.debug('lease not given back', { lease: name, error });
      }
    },
  };
}

/** A signal that aborts after `ms` of `clock`, or with `signal`. */
function expiring(clock: Clock, ms: number, signal: AbortSignal): AbortSignal {
  const ended = new AbortController();
  const cancel = clock.after(ms, () => ended.abort(new Error(`no answer within ${ms} ms`)));
  signal.addEventListener('abort', cancel, { once: true, signal: ended.signal });
  return AbortSignal.any([ended.signal, signal]);
}
