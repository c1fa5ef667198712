import { SpdyError } from '../../../../src/gateway/streams/spdy/frames.ts';

/** What `work` throws, or undefined. */
export function failureOf(work: () => void): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** A peer's bytes may be refused, and may do nothing else. */
export function isSpdyOrNone(failure: unknown): boolean {
  return failure === undefined || failure instanceof SpdyError;
}
