/**
 * One step of a field path as fieldsV1 spells it: `f:NAME` a field or a key of a map, `k:{"name":"a"}` the item of a list
 * with these keys, `v:"a"` the item of a set, `i:0` the item at a position. Messages spell the same steps `.NAME`,
 * `[name="a"]`, `[="a"]` and `[0]`. Source: Kubernetes API, FieldsV1; messages of server-side apply.
 */
import type { ListSchema } from '../../../api/schema/form.ts';
import { canonicalJson } from '../../../std/json.ts';
import { isFields } from '../../../std/value.ts';

/** The element of a field or of a map's key. */
export function fieldElement(name: string): string {
  return `f:${name}`;
}

/** What names an item of `list`, or in upstream's words why nothing does. */
export function itemElement(list: ListSchema, item: unknown): { readonly element: string } | { readonly why: string } {
  return list.listType === 'map' ? keyedElement(list, item) : valueElement(item);
}

/** As `itemElement`, where it is enough to know that an item has no name. */
export function elementOf(list: ListSchema, item: unknown): string | undefined {
  const named = itemElement(list, item);
  return 'element' in named ? named.element : undefined;
}

function keyedElement(list: ListSchema, item: unknown): { readonly element: string } | { readonly why: string } {
  if (item === null || item === undefined) return { why: 'associative list with keys may not have a null element' };
  if (!isFields(item)) return { why: 'associative list with keys may not have non-map elements' };
  const keys: Record<string, unknown> = {};
  for (const name of list.mapKeys) {
    const own = Object.hasOwn(item, name) ? item[name] : undefined;
    const value = own ?? defaultOf(list, name);
    if (value === undefined) {
      return {
        why: `associative list with keys has an element that omits key field ${JSON.stringify(name)} (and doesn't have default value)`,
      };
    }
    keys[name] = value;
  }
  const [only] = list.mapKeys;
  // The common case, spelled without the detour.
  if (list.mapKeys.length === 1 && only !== undefined) {
    const value = keys[only];
    if (typeof value === 'string') return { element: `k:{${JSON.stringify(only)}:${JSON.stringify(value)}}` };
  }
  return { element: `k:${canonicalJson(keys)}` };
}

function defaultOf({ items }: ListSchema, name: string): unknown {
  return items.kind === 'object' ? items.fields.get(name)?.default : undefined;
}

function valueElement(item: unknown): { readonly element: string } | { readonly why: string } {
  if (item === null || item === undefined) {
    return { why: "associative list without keys has an element that's an explicit null" };
  }
  if (Array.isArray(item)) return { why: "associative list without keys has an element that's a list type" };
  if (isFields(item)) return { why: "associative list without keys has an element that's a map type" };
  return { element: `v:${JSON.stringify(item)}` };
}

/** A client's spelling of an element in the one that sets use. `unknown`: of a kind that some later version may have. */
export function canonicalElement(
  text: string,
): { readonly kind: 'known'; readonly text: string } | { readonly kind: 'unknown' | 'wrong' } {
  switch (text.slice(0, 2)) {
    case 'f:':
      return { kind: 'known', text };
    case 'k:': {
      const keys = parsed(text.slice(2));
      return isFields(keys) ? { kind: 'known', text: `k:${canonicalJson(keys)}` } : { kind: 'wrong' };
    }
    case 'v:': {
      const value = parsed(text.slice(2));
      return value === undefined ? { kind: 'wrong' } : { kind: 'known', text: `v:${canonicalJson(value)}` };
    }
    case 'i:':
      return /^i:\d{1,9}$/.test(text) ? { kind: 'known', text } : { kind: 'wrong' };
    default:
      return { kind: text[1] === ':' ? 'unknown' : 'wrong' };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The path `elements` as messages spell it: `.spec.containers[name="a"].image`. */
export function pathText(elements: readonly string[]): string {
  return elements.map(elementText).join('');
}

/** One element as messages spell it. */
export function elementText(element: string): string {
  const value = element.slice(2);
  if (element.startsWith('f:')) return `.${value}`;
  if (element.startsWith('v:')) return `[=${value}]`;
  const keys = parsed(value);
  if (!isFields(keys)) return `[${value}]`;
  const names = Object.keys(keys).toSorted();
  return `[${names.map((name) => `${name}=${JSON.stringify(keys[name])}`).join(',')}]`;
}
