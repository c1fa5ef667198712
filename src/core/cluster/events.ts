/** Events as `kubectl describe` and `kubectl events` show them: equal ones are counted, not repeated. */
import { rfc3339 } from '../../std/clock.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { Event } from '../../api/types/core.ts';
import type { ClusterClient } from './client.ts';
import { ignoring } from './ignoring.ts';
import type { ClusterObject } from './resource-ref.ts';
import { events } from './resource-ref.ts';

export interface EventRecorder {
  /** Notes that `reason` befell `about`. Never throws and never waits: an event is a courtesy. */
  event(about: ClusterObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void;
}

const rememberMost = 1_000;

/** One kind of event: as it was last written, and what came since. */
interface Known {
  written: Event | undefined;
  untold: { readonly event: Event; readonly count: number } | undefined;
  busy: boolean;
}

/** Records in the name of `component` (and `host`, for a node's agent). */
export function createEventRecorder(options: {
  readonly client: ClusterClient;
  readonly component: string;
  readonly host?: string;
  readonly clock: Clock;
  readonly log: Logger;
}): EventRecorder {
  const { client, component, host, clock, log } = options;
  const known = new Map<string, Known>();

  /** Writes until nothing is left to tell: what happens meanwhile is counted, so that an outage gathers no queue. */
  const drain = async (entry: Known): Promise<void> => {
    while (entry.untold !== undefined) {
      const { event, count } = entry.untold;
      entry.untold = undefined;
      try {
        entry.written = await write(event, count, entry.written);
      } catch (error) {
        log.debug('event not recorded', { reason: event.reason, error });
      }
    }
  };
  const write = async (event: Event, times: number, before: Event | undefined): Promise<Event> => {
    if (before === undefined) return client.create(events, { ...event, count: times });
    const body = { count: (before.count ?? 1) + times, lastTimestamp: event.lastTimestamp };
    const at = { namespace: before.metadata.namespace, name: before.metadata.name };
    const counted = await ignoring(['NotFound'], () => client.patch(events, at, { kind: 'merge', body }));
    return counted ?? client.create(events, { ...event, count: times }); // the first one was old enough to be removed
  };

  return {
    event: (about, type, reason, message, fieldPath) => {
      const { name, uid = '', namespace = 'default', resourceVersion } = about.metadata;
      const identity = JSON.stringify([about.kind, uid, type, reason, message, fieldPath]);
      const now = rfc3339(clock.now());
      const event: Event = {
        apiVersion: 'v1',
        kind: 'Event',
        // As upstream names them: the object, and a part that does not repeat.
        metadata: { name: `${name}.${uniquePart(clock)}`, namespace },
        involvedObject: {
          apiVersion: about.apiVersion,
          kind: about.kind,
          name,
          namespace: about.metadata.namespace ?? '',
          uid,
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
          ...(fieldPath === undefined ? {} : { fieldPath }),
        },
        type,
        reason,
        message,
        source: { component, ...(host === undefined ? {} : { host }) },
        reportingComponent: component,
        reportingInstance: host ?? '',
        count: 1,
        firstTimestamp: now,
        lastTimestamp: now,
      };
      const entry: Known = known.get(identity) ?? { written: undefined, untold: undefined, busy: false };
      known.delete(identity);
      known.set(identity, entry);
      const [oldest] = known.keys();
      if (known.size > rememberMost && oldest !== undefined) known.delete(oldest);
      entry.untold = { event, count: (entry.untold?.count ?? 0) + 1 };
      if (entry.busy) return;
      entry.busy = true;
      void drain(entry).finally(() => {
        entry.busy = false;
      });
    },
  };
}

let counter = 0;

function uniquePart(clock: Clock): string {
  counter = (counter + 1) % 4096;
  return (BigInt(Math.trunc(clock.now())) * 4096n + BigInt(counter)).toString(16);
}
