import { StatusError } from '../../api/status.ts';
import type { User } from '../../api/user.ts';
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
export function callOf(request: Admitted, authorizer: Authorizer, onRecord?: () => void): Call<AuditRow> {
  return new RequestCall(request, authorizer, onRecord);
}

/** A class for what hundreds of reads at once have in common: their functions. */
class RequestCall implements Call<AuditRow> {
  readonly user: User;
  readonly #request: Admitted;
  readonly #authorizer: Authorizer;
  readonly #onRecord: (() => void) | undefined;

  constructor(request: Admitted, authorizer: Authorizer, onRecord: (() => void) | undefined) {
    this.user = request.user;
    this.#request = request;
    this.#authorizer = authorizer;
    this.#onRecord = onRecord;
  }

  get signal(): AbortSignal {
    return this.#request.inbound.signal;
  }

  warn(text: string): void {
    this.#request.warnings.add(text);
  }

  annotate(key: string, value: string): void {
    this.#request.recording.annotate(key, value);
  }

  record({ code, revision, object }: Parameters<Call<AuditRow>['record']>[0]): readonly AuditRow[] {
    const { recording } = this.#request;
    if (object !== undefined) recording.responseObject(object);
    this.#onRecord?.();
    return recording.changeRows(code, revision);
  }

  requestObject(object: unknown): void {
    this.#request.recording.requestObject(object);
  }

  async allowed(asked: Parameters<Call<AuditRow>['allowed']>[0]): Promise<boolean> {
    return this.#authorizer.authorize({ kind: 'resource', user: this.user, ...asked }).allowed;
  }
}
