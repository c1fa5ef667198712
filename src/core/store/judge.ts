/**
 * The verdict on one write, given the present. Pure, and true only for a caller that knows the present: one that holds
 * the writer row's lock or is the only writer. The database checks the same once more when the batch commits.
 */
import type { Change, Mutation, Stored, Verdict } from './store.ts';

export type Judgement =
  | { readonly proceed: true; readonly kind: Change['kind'] }
  | { readonly proceed: false; readonly verdict: Verdict };

export function judge(mutation: Mutation, current: Stored | undefined): Judgement {
  if (mutation.kind === 'create') {
    return current === undefined
      ? { proceed: true, kind: 'added' }
      : { proceed: false, verdict: { outcome: 'exists', current } };
  }
  if (current === undefined) return { proceed: false, verdict: { outcome: 'not-found' } };
  if (current.revision !== mutation.expected) return { proceed: false, verdict: { outcome: 'conflict', current } };
  return { proceed: true, kind: mutation.kind === 'update' ? 'modified' : 'deleted' };
}
