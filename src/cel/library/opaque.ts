import { opaque, type Type } from '../types.ts';
import type { Opaque } from '../values.ts';

/** A kind of values that only functions of a library look into: how to make them, and how to get back what they hold. */
export interface OpaqueKind<T> {
  readonly type: Type & { readonly kind: 'opaque' };
  of(held: T, size?: number): Opaque;
  /** What a value of this kind holds; functions are only called with values of the kind they declare. */
  held(value: unknown): T;
}

/** The kind called `name`. `equals` says when two values are the same; left out, never. */
export function opaqueKind<T>(name: string, equals?: (a: T, b: T) => boolean): OpaqueKind<T> {
  const type = opaque(name) as OpaqueKind<T>['type'];
  const holds = new WeakMap<object, T>();
  const held = (value: unknown): T => holds.get(value as object) as T;
  return {
    type,
    held,
    of: (inner, size) => {
      const made: Opaque = {
        type,
        equals: (other) => equals?.(inner, held(other)) ?? false,
        ...(size === undefined ? {} : { size }),
      };
      holds.set(made, inner);
      return made;
    },
  };
}
