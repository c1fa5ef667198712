import { StatusError } from '../../api/status.ts';
import type { AuditRow } from '../../audit/recorder.ts';
import type { Call } from '../../core/resources/resources.ts';
import type { Admitted, Authorizer } from '../chain.ts';

/** Failures of a write whose rows may have been handed to the store already, and that did not commit. */
const uncommitted = new Set(['ServiceUnavailable', 'InternalError', 'Timeout']);

/**
 * Runs a write of `request`, giving it what it needs of the request around it. When it fails after its audit rows were
 * handed over, they are void: the request's own record says what became of it.
 */
export async function runWrite<T>(
  request: Admitted,
  authorizer: Authorizer,
  write: (call: Call<AuditRow>) => Promise<T>,
): Promise<T> {
  let handedOver = false;
  const call = callOf(request, authorizer, () => {
    handedOver = true;
  });
  try {
    return await write(call);
  } catch (error) {
    // Of a collection, earlier deletions are committed: only a failure of the store itself can concern the last rows.
    const several = request.info.verb === 'deletecollection';
    const mayBeVoid = !several || !(error instanceof StatusError) || uncommitted.has(error.reason);
    if (handedOver && mayBeVoid) request.recording.changeFailed();
    throw error;
  }
}

/** The surroundings of a read. */
export function callOf(request: Admitted, authorizer: Authorizer, onRecord: () => void = () => {}): Call<AuditRow> {
  const { inbound, user, recording, warnings } = request;
  return {
    user,
    get signal() {
      return inbound.signal;
    },
    warn: (text) => {
      warnings.add(text);
    },
    record: ({ code, revision, object }) => {
      if (object !== undefined) recording.responseObject(object);
      onRecord();
      return recording.changeRows(code, revision);
    },
    requestObject: (object) => recording.requestObject(object),
    allowed: async (asked) => authorizer.authorize({ kind: 'resource', user, ...asked }).allowed,
  };
}
