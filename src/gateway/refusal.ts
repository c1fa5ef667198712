/** Failures on their way out: every error becomes a Status here, and what is nobody's business stays in the log. */
import { StatusError, toStatus } from '../api/status.ts';
import type { Logger } from '../std/log.ts';
import { jsonAnswer, type WholeAnswer } from './inbound.ts';

/** What the caller may see of `error`. Anything but a StatusError is a bug or an outage: logged with its cause, answered InternalError. */
export function statusErrorOf(error: unknown, log: Logger): StatusError {
  if (error instanceof StatusError) {
    if (error.code >= 500)
      log.warn('request failed', { reason: error.reason, status: error.message, error: loggable(error.cause) });
    return error;
  }
  log.error('request failed unexpectedly', { error: loggable(error) });
  return new StatusError('InternalError', 'Internal error occurred: see the log of the gateway', { cause: error });
}

/** The HTTP answer for `error`. */
export function statusAnswer(error: StatusError): WholeAnswer {
  const retryAfter = error.details?.retryAfterSeconds;
  return jsonAnswer(
    error.code,
    toStatus(error),
    retryAfter === undefined ? undefined : { 'retry-after': String(retryAfter) },
  );
}

/** A database library's error holds the values of its statement, which may be anybody's secrets: only its cause is logged. */
function loggable(error: unknown): unknown {
  return error instanceof Error && /query/i.test(error.name + error.constructor.name)
    ? (error.cause ?? error.name)
    : error;
}
