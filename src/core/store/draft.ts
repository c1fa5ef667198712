/**
 * From an object to its bytes. A write is turned into text once, when it arrives; the revision, which is known only when
 * its batch forms, is spliced in between two ready halves.
 */
import type { KubeObject } from '../../api/meta.ts';
import type { Key, Stored } from './store.ts';

/** Largest object, bytes of JSON. etcd, which sets the field's expectations, refuses requests above 1.5 MiB. */
export const largestObjectBytes = 1.5 * 1024 * 1024;

/** Digits of the largest revision (bigint). */
const revisionBytes = 19;

/** An object ready to get its revision. */
export interface Draft {
  readonly key: Key;
  readonly object: KubeObject;
  /** JSON before and after the revision. */
  readonly head: string;
  readonly tail: string;
}

/** The draft of `object`, or in words why no database could keep it. */
export function draftOf(key: Key, object: KubeObject): Draft | { readonly refused: string } {
  if (!isText(key.resource) || !isText(key.namespace) || !isText(key.name)) {
    return { refused: 'a name may hold neither a NUL character nor half of a surrogate pair' };
  }
  const draft = split(key, object);
  if (draft === undefined) return { refused: 'the object is nested too deeply' };
  const sizeBytes = Buffer.byteLength(draft.head) + Buffer.byteLength(draft.tail) + revisionBytes;
  if (sizeBytes > largestObjectBytes) {
    return { refused: `the object has ${sizeBytes} bytes; at most ${largestObjectBytes} are kept` };
  }
  return draft;
}

/** The draft's object at `revision`: value and bytes both carry it as metadata.resourceVersion. */
export function storedAt(draft: Draft, revision: bigint): Stored {
  const resourceVersion = revision.toString();
  const { object } = draft;
  return {
    key: draft.key,
    revision,
    object: { ...object, metadata: { ...object.metadata, resourceVersion } },
    json: Buffer.from(draft.head + resourceVersion + draft.tail),
  };
}

/** `stored` once more, as the last state of an object whose deletion has `revision`. */
export function deletedAt(stored: Stored, revision: bigint): Stored {
  const draft = split(stored.key, stored.object);
  // Its text was made once before, so it is not nested too deeply.
  if (draft === undefined) throw new RangeError('a stored object cannot be written as JSON');
  return storedAt(draft, revision);
}

function split(key: Key, object: KubeObject): Draft | undefined {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _before, ...meta } = metadata;
  try {
    const type = JSON.stringify({ apiVersion, kind }).slice(0, -1);
    const metaText = JSON.stringify(meta);
    const restText = JSON.stringify(rest);
    return {
      key,
      object,
      head: `${type === '{' ? type : `${type},`}"metadata":{"resourceVersion":"`,
      tail: `"${metaText === '{}' ? '}' : `,${metaText.slice(1)}`}${restText === '{}' ? '}' : `,${restText.slice(1)}`}`,
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined; // the stack ended before the nesting did
    throw error;
  }
}

function isText(text: string): boolean {
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text);
}
