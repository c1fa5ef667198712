/** Where the next page of a list begins. Opaque to clients: base64url of JSON, checked when it comes back. */
import { badRequest } from '../../api/status.ts';
import { fieldsOf } from '../../std/value.ts';

export interface ContinueToken {
  /** The revision that all pages show; 0 for pages that may differ (after the first one expired). */
  readonly revision: bigint;
  readonly namespace: string;
  readonly name: string;
}

/** `token` as text. */
export function formatContinue({ revision, namespace, name }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 1, rv: String(revision), ns: namespace, n: name })).toString('base64url');
}

/** The token that `text` holds. Throws BadRequest for any other text. */
export function parseContinue(text: string): ContinueToken {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    value = undefined;
  }
  const { v, rv, ns, n } = fieldsOf(value);
  if (v !== 1 || typeof rv !== 'string' || !/^\d{1,19}$/.test(rv) || typeof ns !== 'string' || typeof n !== 'string') {
    throw badRequest('continue key is not valid: list again from the start');
  }
  return { revision: BigInt(rv), namespace: ns, name: n };
}
