/** How many requests may be in the works at once. Past the limit a client is told to come back, before any work is done for it. */
import { StatusError } from '../api/status.ts';
import type { User } from '../api/user.ts';
import type { RequestInfo } from './request-info.ts';

export interface FlowLimits {
  readonly mutating: number;
  readonly reading: number;
}

export interface FlowControl {
  /** Takes a place; the returned function gives it back and may be called more than once. Throws TooManyRequests when all are taken. */
  enter(info: RequestInfo, user: User): () => void;
  inFlight(): { readonly mutating: number; readonly reading: number };
}

const mutatingVerbs = new Set(['create', 'update', 'patch', 'delete', 'deletecollection', 'post', 'put']);
const nothing = (): void => {};

/** Long-running requests take no place; nor does system:masters, so that a flood cannot lock the administrator out. */
export function createFlowControl(limits: FlowLimits): FlowControl {
  const taken = { mutating: 0, reading: 0 };
  return {
    enter(info, user) {
      if (info.longRunning || user.groups.includes('system:masters')) return nothing;
      const kind = mutatingVerbs.has(info.verb) ? 'mutating' : 'reading';
      if (taken[kind] >= limits[kind]) {
        throw new StatusError('TooManyRequests', 'Too many requests, please try again later.', {
          details: { retryAfterSeconds: 1 },
        });
      }
      taken[kind] += 1;
      let held = true;
      return () => {
        if (held) taken[kind] -= 1;
        held = false;
      };
    },
    inFlight: () => ({ ...taken }),
  };
}
