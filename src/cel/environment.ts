import type { Meter } from './meter.ts';
import type { Type } from './types.ts';
import type { Result, Value } from './values.ts';

/** One way to call a function: the types it takes and gives. For a member, the first argument is what is before the dot. */
export interface Overload {
  readonly id: string;
  readonly member: boolean;
  readonly args: readonly Type[];
  readonly result: Type;
  /** Left out where the evaluator itself knows what to do (`_&&_`). Charges the meter for work that its cost does not tell. */
  readonly call?: (args: readonly Value[], meter: Meter) => Result;
}

export type Functions = ReadonlyMap<string, readonly Overload[]>;

/** What an expression may speak of. */
export interface Environment {
  readonly functions: Functions;
  readonly variables: ReadonlyMap<string, Type>;
  /** Types that expressions may name: `int`, and those they may construct. */
  readonly types: { get(name: string): Type | undefined };
  /** Whether lists and maps may be written with elements of several types, which makes them dyn. The API says no. */
  readonly mixedLiterals?: boolean;
  /** Whether a function called with this literal can only fail, which is told before anything runs. */
  readonly invalidLiteral?: (name: string, value: Value) => boolean;
  /** Names are looked up in this namespace and those around it first: `a.b`. */
  readonly container?: string;
}

/** All functions of some libraries; one name may have overloads in several. */
export function functionsOf(...libraries: readonly Functions[]): Functions {
  const all = new Map<string, readonly Overload[]>();
  for (const library of libraries) {
    for (const [name, overloads] of library) all.set(name, [...(all.get(name) ?? []), ...overloads]);
  }
  return all;
}

/** The names that `name` may mean, the innermost namespace first. A leading dot means the outermost only. */
export function candidates(container: string | undefined, name: string): readonly string[] {
  if (name.startsWith('.')) return [name.slice(1)];
  const names: string[] = [];
  for (let prefix = container ?? ''; prefix !== ''; prefix = prefix.slice(0, Math.max(prefix.lastIndexOf('.'), 0))) {
    names.push(`${prefix}.${name}`);
  }
  names.push(name);
  return names;
}
