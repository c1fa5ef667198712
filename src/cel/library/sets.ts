import { membership } from '../compare.ts';
import type { Functions } from '../environment.ts';
import type { Meter } from '../meter.ts';
import { bool, listOf, param } from '../types.ts';
import type { List, Value } from '../values.ts';
import { global, library } from './define.ts';

/** Lists as sets. Source: cel-go, ext/sets. */
const T = param('T');
const two = [listOf(T), listOf(T)];

export const sets: Functions = library({
  'sets.contains': [global('list_sets_contains_list', two, bool, ([list, part], meter) => contains(list, part, meter))],
  'sets.equivalent': [
    global('list_sets_equivalent_list', two, bool, ([a, b], meter) => contains(a, b, meter) && contains(b, a, meter)),
  ],
  'sets.intersects': [
    global('list_sets_intersects_list', two, bool, ([a, b], meter) => {
      const has = membership(a as List, (cost) => meter.charge(cost));
      for (const value of b as List) if (has(value)) return true;
      return false;
    }),
  ],
});

function contains(list: Value | undefined, part: Value | undefined, meter: Meter): boolean {
  const has = membership(list as List, (cost) => meter.charge(cost));
  for (const value of part as List) if (!has(value)) return false;
  return true;
}
