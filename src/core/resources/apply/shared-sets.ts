/**
 * Equal sets as one value. The pods of a ReplicaSet, the Leases of all nodes and the like are written in the same way, so
 * their entries hold the same sets; in a parsed object such a set takes more memory than all the rest of the metadata.
 */
import type { FieldSet } from './field-set.ts';

/** Sets that are remembered, the ones used longest ago forgotten first. Chosen, not measured. */
const most = 512;

/** Characters of JSON of a set that is worth remembering; larger ones are rarely met twice. Chosen, not measured. */
const longest = 4096;

const known = new Map<string, FieldSet>();

/** `set`, or an equal one that is in use already. */
export function sharedSet(set: FieldSet): FieldSet {
  const text = JSON.stringify(set);
  if (text.length > longest) return set;
  const shared = known.get(text) ?? set;
  known.delete(text); // set again, it is the youngest
  known.set(text, shared);
  if (known.size > most) {
    for (const oldest of known.keys()) {
      known.delete(oldest);
      break;
    }
  }
  return shared;
}
