/**
 * Fields that a structural schema does not declare are dropped, and named for strict clients. What is kept is shared with
 * the input. Source: Kubernetes API concepts, "Field pruning"; apiextensions, structural schemas.
 */
import { isFields } from '../../../std/value.ts';
import type { Fields } from '../../../std/value.ts';
import type { Structural } from './structural.ts';
import { parseStructural } from './structural.ts';

export interface Pruned {
  readonly object: Fields;
  /** Paths of the dropped fields, sorted: `spec.containers[0].foo`. */
  readonly unknown: readonly string[];
}

/** `object` without what `schema` does not declare. apiVersion, kind and metadata of the root are left alone. */
export function prune(schema: Structural, object: Fields): Pruned {
  const unknown: string[] = [];
  const pruned = pruneFields(schema, object, { path: '', isRoot: true, keeps: schema.preserveUnknown, unknown });
  return { object: pruned, unknown: unknown.toSorted() };
}

interface Walk {
  readonly path: string;
  /** Here begins an object with apiVersion, kind and metadata of its own. */
  readonly isRoot: boolean;
  readonly keeps: boolean;
  readonly unknown: string[];
}

const identity: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

function pruneValue(schema: Structural, value: unknown, walk: Walk): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    const inner = items ?? nothing;
    if (items === undefined && walk.keeps) return value;
    return sharedList(
      value.map((item: unknown, index) => pruneValue(inner, item, enter(walk, inner, `${walk.path}[${index}]`))),
      value,
    );
  }
  return isFields(value) ? pruneFields(schema, value, walk) : value;
}

function pruneFields(schema: Structural, fields: Fields, walk: Walk): Fields {
  const kept: (readonly [string, unknown])[] = [];
  let isSame = true;
  for (const [name, value] of Object.entries(fields)) {
    const path = walk.path === '' ? name : `${walk.path}.${name}`;
    if (walk.isRoot && identity.has(name)) {
      kept.push([name, value]);
      continue;
    }
    const inner = schema.properties.get(name) ?? (schema.additional === false ? undefined : schema.additional);
    if (inner === undefined) {
      if (walk.keeps) kept.push([name, value]);
      else walk.unknown.push(path);
      isSame &&= walk.keeps;
      continue;
    }
    const pruned = inner === true ? value : pruneValue(inner, value, enter(walk, inner, path));
    isSame &&= pruned === value;
    kept.push([name, pruned]);
  }
  return isSame ? fields : Object.fromEntries(kept);
}

function enter(walk: Walk, schema: Structural, path: string): Walk {
  return { path, isRoot: schema.embedded, keeps: schema.preserveUnknown, unknown: walk.unknown };
}

function sharedList(list: readonly unknown[], before: readonly unknown[]): readonly unknown[] {
  return list.every((item, index) => item === before[index]) ? before : list;
}

/** What lies in a list that declares no items has no fields. */
const nothing = parseStructural({});
