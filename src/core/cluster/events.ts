/** Events as `kubectl describe` and `kubectl events` show them: equal ones are counted, not repeated. */
import { rfc3339 } from '../../std/clock.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { Event } from '../../api/types/core.ts';
import type { ClusterClient } from './client.ts';
import type { ClusterObject } from './resource-ref.ts';
import { events } from './resource-ref.ts';

export interface EventRecorder {
  /** Notes that `reason` befell `about`. Never throws and never waits: an event is a courtesy. */
  event(about: ClusterObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void;
}

const rememberMost = 1_000;

/** Records in the name of `component` (and `host`, for a node's agent). */
export function createEventRecorder(options: {
  readonly client: ClusterClient;
  readonly component: string;
  readonly host?: string;
  readonly clock: Clock;
  readonly log: Logger;
}): EventRecorder {
  const { client, component, host, clock, log } = options;
  // One promise per kind of event keeps its count in order while it is being written.
  const known = new Map<string, Promise<Event | undefined>>();

  const write = async (event: Event, before: Event | undefined): Promise<Event | undefined> => {
    try {
      if (before === undefined) return await client.create(events, event);
      const body = { count: (before.count ?? 1) + 1, lastTimestamp: event.lastTimestamp };
      const at = { namespace: before.metadata.namespace, name: before.metadata.name };
      return await client.patch(events, at, { kind: 'merge', body });
    } catch (error) {
      log.debug('event not recorded', { reason: event.reason, error });
      return undefined;
    }
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
      const before = known.get(identity) ?? Promise.resolve(undefined);
      known.delete(identity);
      known.set(
        identity,
        before.then((last) => write(event, last)),
      );
      const [oldest] = known.keys();
      if (known.size > rememberMost && oldest !== undefined) known.delete(oldest);
    },
  };
}

let counter = 0;

function uniquePart(clock: Clock): string {
  counter = (counter + 1) % 4096;
  return (BigInt(Math.trunc(clock.now())) * 4096n + BigInt(counter)).toString(16);
}
