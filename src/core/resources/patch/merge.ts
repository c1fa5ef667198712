/**
 * JSON merge patch: objects merge, null removes, everything else replaces. Source: RFC 7386.
 */
import type { Fields } from '../../../std/value.ts';
import { isFields } from '../../../std/value.ts';

/** `target` with `patch` applied. Neither is changed; unchanged parts are shared. */
export function mergePatch(target: Fields, patch: Fields): Fields {
  const merged = new Map(Object.entries(target));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else if (isFields(value)) {
      const old = merged.get(name);
      merged.set(name, mergePatch(isFields(old) ? old : {}, value));
    } else merged.set(name, value);
  }
  return Object.fromEntries(merged);
}
