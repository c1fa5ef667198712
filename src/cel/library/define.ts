import type { Functions, Overload } from '../environment.ts';
import type { Type } from '../types.ts';

/** A call of `x.f(…)`: the first of `args` is what `x` has to be. */
export function member(id: string, args: readonly Type[], result: Type, call?: Overload['call']): Overload {
  return { id, member: true, args, result, ...(call === undefined ? {} : { call }) };
}

/** A call of `f(…)`. */
export function global(id: string, args: readonly Type[], result: Type, call?: Overload['call']): Overload {
  return { id, member: false, args, result, ...(call === undefined ? {} : { call }) };
}

export function library(functions: Readonly<Record<string, readonly Overload[]>>): Functions {
  return new Map(Object.entries(functions));
}
