/**
 * Failures in the field's own form. A `StatusError` is what a caller may see; it becomes HTTP once, in the gateway.
 * Reasons, codes and the wording of messages: Kubernetes API machinery, meta/v1 Status.
 */
import type { Status, StatusCause, StatusDetails } from './types/meta.ts';
import type { GroupResource } from './meta.ts';
import { resourceName } from './meta.ts';

const codes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type Reason = keyof typeof codes;

/** Whether `text` is a reason that this program knows. */
export function isReason(text: string | undefined): text is Reason {
  return text !== undefined && Object.hasOwn(codes, text);
}

/** One field that is wrong. `reason` is upstream's cause type (FieldValueInvalid …), `field` a path such as spec.ports[0].port. */
export type FieldCause = Readonly<Required<Pick<StatusCause, 'reason' | 'message' | 'field'>>>;

export class StatusError extends Error {
  readonly reason: Reason;
  readonly code: number;
  readonly details: StatusDetails | undefined;
  /** Of an expired list: the token that goes on with what is there now. */
  readonly continue: string | undefined;

  /** `message` goes out on the wire: no SQL, no host names, no secrets. Put those in `cause`. */
  constructor(
    reason: Reason,
    message: string,
    options: { readonly details?: StatusDetails; readonly cause?: unknown; readonly continue?: string } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'StatusError';
    this.reason = reason;
    this.code = codes[reason];
    this.details = options.details;
    this.continue = options.continue;
  }
}

/** Whether `error` is an answer with one of `reasons`. */
export function failedWith(error: unknown, ...reasons: readonly Reason[]): error is StatusError {
  return error instanceof StatusError && reasons.includes(error.reason);
}

/** The object that goes out for `error`. */
export function toStatus(error: StatusError): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: error.continue === undefined ? {} : { continue: error.continue },
    status: 'Failure',
    message: error.message,
    reason: error.reason,
    ...(error.details === undefined ? {} : { details: error.details }),
    code: error.code,
  };
}

export function notFound(of: GroupResource, name: string): StatusError {
  return new StatusError('NotFound', `${resourceName(of)} "${name}" not found`, { details: detailsOf(of, name) });
}

export function alreadyExists(of: GroupResource, name: string): StatusError {
  return new StatusError('AlreadyExists', `${resourceName(of)} "${name}" already exists`, {
    details: detailsOf(of, name),
  });
}

/** Somebody wrote in between, or a precondition failed; `why` is upstream's second half of the sentence. */
export function conflict(
  of: GroupResource,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): StatusError {
  return new StatusError('Conflict', `Operation cannot be fulfilled on ${resourceName(of)} "${name}": ${why}`, {
    details: detailsOf(of, name),
  });
}

/** A request that authorization or admission refused. `why` follows upstream's `… is forbidden: `. */
export function forbidden(of: GroupResource, name: string, why: string): StatusError {
  const object = name === '' ? resourceName(of) : `${resourceName(of)} "${name}"`;
  return new StatusError('Forbidden', `${object} is forbidden: ${why}`, { details: detailsOf(of, name) });
}

/** An object that fails validation: `kind` is its kind (Pod), every wrong field a cause. */
export function invalid(group: string, kind: string, name: string, causes: readonly FieldCause[]): StatusError {
  const texts = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const qualified = group === '' ? kind : `${kind}.${group}`;
  return new StatusError('Invalid', `${qualified} "${name}" is invalid: ${list}`, {
    details: { name, ...(group === '' ? {} : { group }), kind, causes },
  });
}

export function badRequest(message: string, cause?: unknown): StatusError {
  return new StatusError('BadRequest', message, { cause });
}

/** A resourceVersion or continue token older than what is kept. */
export function expired(message: string): StatusError {
  return new StatusError('Expired', message);
}

/** For the time being the answer cannot be given; `retryAfterSeconds` becomes the Retry-After header. */
export function unavailable(message: string, retryAfterSeconds = 1, cause?: unknown): StatusError {
  return new StatusError('ServiceUnavailable', message, { details: { retryAfterSeconds }, cause });
}

function detailsOf(of: GroupResource, name: string): StatusDetails {
  return { ...(name === '' ? {} : { name }), ...(of.group === '' ? {} : { group: of.group }), kind: of.resource };
}
