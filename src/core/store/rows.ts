/** From a row of `store_changes` to a change: the one place where columns become values. */
import type { KubeObject } from '../../api/meta.ts';
import type { Change, Key, Stored } from './store.ts';

/** Keeps the bytes of some resources secret from whoever reads the database. Both directions throw on failure. */
export interface Seal {
  covers(resource: string): boolean;
  seal(key: Key, plain: Buffer): Buffer;
  open(key: Key, sealed: Buffer): Buffer;
}

/** Columns of a change, in this spelling. */
export const changeColumns = 'revision, kind, resource, namespace, name, previous, body';

/** A change as the driver returns it: int8 comes as text. */
export interface ChangeRow {
  readonly revision: string;
  readonly kind: number;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly previous: string | null;
  readonly body: Buffer;
}

const kinds = ['added', 'modified', 'deleted'] as const;

/** The number that `kind` has in the database. */
export function kindNumber(kind: Change['kind']): number {
  return kinds.indexOf(kind);
}

export function kindOf(row: ChangeRow): Change['kind'] {
  const kind = kinds[row.kind];
  if (kind === undefined) throw new RangeError(`a change of kind ${row.kind} is not known to this version`);
  return kind;
}

/** The object in `row`, its seal opened. */
export function storedIn(row: Omit<ChangeRow, 'kind' | 'previous'>, seal: Seal | undefined): Stored {
  const key: Key = { resource: row.resource, namespace: row.namespace, name: row.name };
  const json = seal?.covers(row.resource) === true ? seal.open(key, row.body) : row.body;
  return { key, revision: BigInt(row.revision), object: JSON.parse(json.toString()) as KubeObject, json };
}
