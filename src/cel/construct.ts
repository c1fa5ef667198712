import { unescapeName } from './escape.ts';
import { dyn, string, type ObjectType, type Type } from './types.ts';
import { Dict, isMap, List, Struct, type Value } from './values.ts';

/**
 * The types that mutating policies construct: `Object{spec: Object.spec{replicas: 1}}`, whose fields may hold anything, and
 * `JSONPatch{op: 'add', path: '/a', value: 1}`. Source: Kubernetes, apiserver, cel/mutation.
 */
export function constructedType(name: string): Type | undefined {
  if (name === 'JSONPatch') return jsonPatch;
  if (!/^Object(\.[A-Za-z_][A-Za-z0-9_]*)*$/.test(name)) return undefined;
  const type: ObjectType = {
    kind: 'object',
    name,
    field: (field) => ({ type: dyn, key: unescapeName(field) ?? field }),
  };
  return type;
}

const fields: ReadonlyMap<string, Type> = new Map<string, Type>([
  ['op', string],
  ['path', string],
  ['from', string],
  ['value', dyn],
]);

/** One operation of a JSON patch. */
export const jsonPatch: ObjectType = {
  kind: 'object',
  name: 'JSONPatch',
  field: (name) => {
    const type = fields.get(name);
    return type === undefined ? undefined : { type, key: name };
  },
};

/**
 * The objects in `value` whose type is not named for the place where they stand, as messages say it: below `spec` of an
 * Object only `Object.spec` may be constructed.
 */
export function misnamedTypes(value: Value, path = 'Object'): readonly string[] {
  if (value instanceof List) return [...value].flatMap((item) => misnamedTypes(item, path));
  if (value instanceof Struct) {
    const { name } = value.object;
    const wrong = `unexpected type name ${JSON.stringify(name)}, expected ${JSON.stringify(path)}, which matches field name path from root Object type`;
    const below = value.keys().flatMap((key) => misnamedTypes(value.get(key) ?? null, `${path}.${key}`));
    return name === path ? below : [wrong, ...below];
  }
  if (!isMap(value) || !(value instanceof Dict)) return [];
  return value.keys().flatMap((key) => misnamedTypes(value.get(key) ?? null, path));
}
