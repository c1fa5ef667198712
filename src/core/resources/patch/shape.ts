/**
 * What a strategic merge patch has to know of a type, read from its schema.
 */
import type { Field, Schema } from '../../../api/schema/form.ts';
import type { MergeShape } from './strategic.ts';

/** How values of `schema` merge. `field` is the field they stand in: it says whether and by what key a list merges. */
export function mergeShape(schema: Schema, field?: Field): MergeShape {
  const strategies = field?.patchStrategy ?? [];
  return {
    field: (name) => {
      if (schema.kind === 'map') return mergeShape(schema.values);
      const inner = schema.kind === 'object' ? schema.fields.get(name) : undefined;
      return inner === undefined ? undefined : mergeShape(inner.schema, inner);
    },
    get items() {
      return schema.kind === 'list' ? mergeShape(schema.items) : undefined;
    },
    mergeKey: field?.patchMergeKey,
    merges: strategies.includes('merge'),
    replaces: strategies.includes('replace'),
  };
}
