/**
 * An applied configuration merged onto the live object: what it names is as it says, everything else stays. Lists merge
 * by their items' names, atomic parts are taken whole.
 */
import type { ListSchema, Schema } from '../../../api/schema/form.ts';
import type { Fields } from '../../../std/value.ts';
import { isFields } from '../../../std/value.ts';
import { granularityOf } from './extract.ts';
import { elementOf } from './path-element.ts';

/** `config` merged onto `live`, both of `schema`. Neither is changed; parts that only one of them has are shared with it. */
export function mergedConfig(schema: Schema, live: Fields, config: Fields): Fields {
  const merged = mergeValue(schema, live, config);
  return isFields(merged) ? merged : config;
}

function mergeValue(schema: Schema, live: unknown, config: unknown): unknown {
  if (config === undefined) return live;
  if (live === undefined || live === null) return config;
  const how = granularityOf(schema, config ?? live);
  if (how.kind === 'fields') {
    if (!isFields(live)) return config;
    // null takes away what is a value; the parts of an object have owners of their own.
    if (config === null) return Object.keys(live).length === 0 ? null : live;
    return isFields(config) ? mergeFields(how.of, live, config) : config;
  }
  if (how.kind === 'items') {
    if (!Array.isArray(live)) return config;
    if (config === null) return live.length === 0 ? null : live;
    return Array.isArray(config) ? mergeItems(how.list, live, config) : config;
  }
  return config;
}

function mergeFields(of: (name: string) => { readonly schema: Schema }, live: Fields, config: Fields): Fields {
  const merged = new Map(Object.entries(live));
  for (const [name, value] of Object.entries(config)) {
    merged.set(name, mergeValue(of(name).schema, merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

/**
 * The items of both. Those of `config` are in its order; those that only `live` has keep their place before the next
 * item that both have: live [x, a, y, b] and config [b, n, a] give [x, y, b, n, a].
 */
function mergeItems(list: ListSchema, live: readonly unknown[], config: readonly unknown[]): readonly unknown[] {
  const places = new Map<string, number>();
  const doubled = new Set<string>();
  const elements = live.map((item, index) => {
    const element = elementOf(list, item);
    if (element !== undefined && places.has(element)) doubled.add(element);
    else if (element !== undefined) places.set(element, index);
    return element;
  });
  const wanted = config.map((item) => elementOf(list, item));
  const inConfig = new Set(wanted);
  const placeOf = (element: string | undefined): number | undefined =>
    element === undefined ? undefined : places.get(element);
  /** Where the next item that both have stands in `live`, for each place in `config`. */
  const next: (number | undefined)[] = wanted.map(placeOf);
  for (let index = next.length - 2; index >= 0; index--) next[index] ??= next[index + 1];
  const merged: unknown[] = [];
  let at = 0;
  const passUpTo = (end: number): void => {
    for (; at < end; at++) {
      const element = elements[at];
      if (element === undefined || !inConfig.has(element)) merged.push(live[at]);
    }
  };
  for (const [index, item] of config.entries()) {
    const place = next[index];
    passUpTo(place === undefined || place < at ? live.length : place);
    const element = wanted[index];
    const own = placeOf(element);
    const isPaired = own !== undefined && element !== undefined && !doubled.has(element);
    merged.push(isPaired ? mergeValue(list.items, live[own], item) : item);
    if (own === at) at++;
  }
  passUpTo(live.length);
  return merged;
}
