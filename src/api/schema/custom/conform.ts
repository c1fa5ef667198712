/**
 * A parsed value as an object of a custom kind: pruned to its structural schema, with metadata as every object has it.
 * Values keep the types that they came with: that they are right is validation's to say, with a field path, as upstream.
 */
import { isFields, without } from '../../../std/value.ts';
import { badRequest } from '../../status.ts';
import { builtin } from '../builtin.ts';
import { conform } from '../conform.ts';
import type { Conformed } from '../conform.ts';
import { prune } from './prune.ts';
import type { Structural } from './structural.ts';

/** `value` in the form of `schema`. Throws BadRequest for what is no object, and for metadata of a wrong type. */
export function conformCustom(schema: Structural, value: unknown): Conformed {
  if (!isFields(value)) throw badRequest('json: cannot unmarshal the body into an object');
  const pruned = prune(schema, value);
  const { metadata } = pruned.object;
  if (metadata === undefined || metadata === null) {
    return { object: without(pruned.object, 'metadata'), unknown: pruned.unknown };
  }
  const named = conform(builtin('meta/v1', 'ObjectMeta'), metadata);
  return {
    object: { ...pruned.object, metadata: named.object },
    unknown: [...named.unknown.map((path) => `metadata.${path}`), ...pruned.unknown],
  };
}
