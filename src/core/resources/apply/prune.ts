/**
 * What an applier no longer applies goes from the object, unless somebody else has it. The rule for a field or an item:
 * gone when the applier owned it the last time, and nobody, the applier's new configuration among them, owns it now.
 * With a field go its parts, owned or not (defaults of a removed container); what was never the applier's stays.
 */
import type { ListSchema, Schema } from '../../../api/schema/form.ts';
import type { Fields } from '../../../std/value.ts';
import { isFields } from '../../../std/value.ts';
import type { Granularity } from './extract.ts';
import { granularityOf } from './extract.ts';
import type { FieldSet } from './field-set.ts';
import { below, isMember } from './field-set.ts';
import { elementOf, fieldElement } from './path-element.ts';

/** `value` without what is in `last` and not in `kept` (all that anybody owns now). */
export function pruned(schema: Schema, value: Fields, last: FieldSet, kept: FieldSet): Fields {
  const left = pruneValue(schema, value, last, kept);
  return isFields(left) ? left : {};
}

/** undefined: nothing is left of it. */
function pruneValue(schema: Schema, value: unknown, last: FieldSet, kept: FieldSet | undefined): unknown {
  const how = granularityOf(schema, value);
  if (how.kind === 'fields') return isFields(value) ? pruneFields(how, value, last, kept) : value;
  if (how.kind === 'items') return Array.isArray(value) ? pruneItems(how.list, value, last, kept) : value;
  return value;
}

function pruneFields(
  how: Extract<Granularity, { kind: 'fields' }>,
  value: Fields,
  last: FieldSet,
  kept: FieldSet | undefined,
): unknown {
  let left: Map<string, unknown> | undefined;
  for (const [name, inner] of Object.entries(value)) {
    const element = fieldElement(name);
    const had = below(last, element);
    if (had === undefined) continue;
    const { schema, named } = how.of(name);
    const has = below(kept, element);
    // Who owns a part of a field that the form names has a say in the field; a key or an item is owned by itself.
    const wasOurs = named || isMember(had);
    const isSomebodys = has !== undefined && (named || isMember(has));
    const after = wasOurs && !isSomebodys ? undefined : pruneValue(schema, inner, had, has);
    if (after === inner) continue;
    left ??= new Map(Object.entries(value));
    if (after === undefined) left.delete(name);
    else left.set(name, after);
  }
  if (left === undefined) return value;
  return left.size === 0 ? undefined : Object.fromEntries(left);
}

function pruneItems(
  list: ListSchema,
  items: readonly unknown[],
  last: FieldSet,
  kept: FieldSet | undefined,
): readonly unknown[] | undefined {
  let isSame = true;
  const left = items.flatMap((item) => {
    const element = elementOf(list, item);
    const had = element === undefined ? undefined : below(last, element);
    if (element === undefined || had === undefined) return [item];
    const has = below(kept, element);
    const isGone = isMember(had) && (has === undefined || !isMember(has));
    const after = isGone ? undefined : pruneValue(list.items, item, had, has);
    if (after !== item) isSame = false;
    return after === undefined ? [] : [after];
  });
  if (isSame) return items;
  return left.length === 0 ? undefined : left;
}
