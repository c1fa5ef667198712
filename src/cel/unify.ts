import { errorType, dyn, sameType, type Type } from './types.ts';

/**
 * Which types may stand where others are expected, and what the type parameters of a call stand for. Parameters get
 * their meaning from the arguments and it only ever becomes more general. Upstream's checker decides the same way.
 */

/** The check asked for more steps than any honest expression does. */
export class TooComplex extends Error {}

/** Steps of one check. Chosen: about a second. */
const maxSteps = 2_000_000;
/** A type with more parts than this counts as dyn, so that types that double with each use stay small. Chosen. */
const maxTypeSize = 500;

export interface Unifier {
  /** Whether a value of `from` may stand where `to` is expected. What that makes parameters mean is kept only if so. */
  assignable(to: Type, from: Type): boolean;
  assignableAll(to: readonly Type[], from: readonly Type[]): boolean;
  /** `type` with what its parameters mean so far; those without a meaning stay, or are dyn with `final`. */
  substitute(type: Type, final?: boolean): Type;
  /** A parameter that nothing else uses. */
  fresh(): Type & { readonly kind: 'param' };
  /** `type` with fresh parameters in place of its own. */
  instance(types: readonly Type[]): readonly Type[];
  /** The more general of two types that are assignable. */
  general(a: Type, b: Type): Type;
}

/** Starts with no meanings. Its methods throw TooComplex. */
export function createUnifier(): Unifier {
  const meanings = new Map<string, Type>();
  let journal: [string, Type | undefined][] = [];
  let [steps, last] = [0, 0];
  const sizes = new WeakMap<Type, number>();

  const step = (): void => {
    if (++steps > maxSteps) throw new TooComplex();
  };
  const mean = (name: string, type: Type): void => {
    journal.push([name, meanings.get(name)]);
    meanings.set(name, type);
  };
  const attempt = (succeeds: () => boolean): boolean => {
    journal = [];
    if (succeeds()) return true;
    for (const [name, before] of journal.toReversed()) {
      if (before === undefined) meanings.delete(name);
      else meanings.set(name, before);
    }
    return false;
  };

  const fits = (to: Type, from: Type): boolean => {
    step();
    if (from.kind === 'param') {
      const tried = stand(to, from);
      if (tried !== undefined) return tried;
    }
    if (to.kind === 'param') return stand(from, to) ?? false;
    if (isLoose(to) || isLoose(from)) return true;
    if (to.kind === 'null') return isNullable(from);
    if (from.kind === 'null') return isNullable(to);
    if (to.kind === 'type') return from.kind === 'type';
    if (to.kind === 'list') return from.kind === 'list' && fits(to.element, from.element);
    if (to.kind === 'map') return from.kind === 'map' && fits(to.key, from.key) && fits(to.value, from.value);
    if (to.kind === 'opaque') {
      return (
        from.kind === 'opaque' &&
        from.name === to.name &&
        from.params.length === to.params.length &&
        to.params.every((part, index) => fits(part, from.params[index] ?? errorType))
      );
    }
    return sameType(to, from);
  };
  /** Whether `param` may mean `type`; undefined when it cannot but has no meaning yet. */
  const stand = (type: Type, param: Type & { kind: 'param' }): boolean | undefined => {
    if (sameType(type, param)) return true;
    const known = meanings.get(param.name);
    if (known !== undefined) {
      if (type.kind === known.kind && sameType(type, known)) return true;
      if (!fits(type, known)) return false;
      const wider = general(type, known);
      if (!occurs(param, wider)) mean(param.name, wider);
      return true;
    }
    if (occurs(param, type)) return undefined;
    mean(param.name, type);
    return true;
  };
  const occurs = (param: Type & { kind: 'param' }, within: Type): boolean => {
    step();
    if (within.kind === 'param') {
      if (within.name === param.name) return true;
      const known = meanings.get(within.name);
      return known !== undefined && occurs(param, known);
    }
    return partsOf(within).some((part) => occurs(param, part));
  };
  const general = (a: Type, b: Type): Type => (isAtLeastAsGeneral(a, b) ? a : b);
  const isAtLeastAsGeneral = (a: Type, b: Type): boolean => {
    step();
    if (a.kind === 'dyn' || a.kind === 'param') return true;
    if (b.kind === 'null' && isNullable(a)) return true;
    if (b.kind === 'dyn' || b.kind === 'param' || a.kind !== b.kind) return false;
    if (a.kind === 'type') return true;
    if (a.kind === 'opaque' && b.kind === 'opaque' && (a.name !== b.name || a.params.length !== b.params.length)) {
      return false;
    }
    const parts = partsOf(a);
    if (parts.length === 0) return sameType(a, b);
    const others = partsOf(b);
    return parts.every((part, index) => isAtLeastAsGeneral(part, others[index] ?? errorType));
  };

  const sizeOf = (type: Type): number => {
    const known = sizes.get(type);
    if (known !== undefined) return known;
    const size = partsOf(type).reduce((sum, part) => sum + sizeOf(part), 1);
    sizes.set(type, size);
    return size;
  };
  const bounded = (type: Type): Type => (sizeOf(type) > maxTypeSize ? dyn : type);
  const replace = (type: Type, find: (name: string) => Type | undefined): Type => {
    step();
    if (type.kind === 'param') return find(type.name) ?? type;
    if (type.kind === 'list') {
      const element = replace(type.element, find);
      return element === type.element ? type : bounded({ ...type, element });
    }
    if (type.kind === 'map') {
      const [key, value] = [replace(type.key, find), replace(type.value, find)];
      return key === type.key && value === type.value ? type : bounded({ ...type, key, value });
    }
    if (type.kind === 'opaque' && type.params.length > 0) {
      return bounded({ ...type, params: type.params.map((part) => replace(part, find)) });
    }
    if (type.kind === 'type' && type.of !== undefined) return bounded({ ...type, of: replace(type.of, find) });
    return type;
  };
  const substitute = (type: Type, final = false): Type => {
    const done = new Map<string, Type>();
    const find = (name: string): Type | undefined => {
      const before = done.get(name);
      if (before !== undefined) return before;
      const known = meanings.get(name);
      const result = known === undefined ? (final ? dyn : undefined) : replace(known, find);
      if (result !== undefined) done.set(name, result);
      return result;
    };
    return replace(type, find);
  };

  const fresh = (): Type & { readonly kind: 'param' } => ({ kind: 'param', name: `_var${last++}` });
  return {
    assignable: (to, from) => attempt(() => fits(to, from)),
    assignableAll: (to, from) =>
      attempt(() => to.length === from.length && to.every((type, index) => fits(type, from[index] ?? errorType))),
    substitute,
    fresh,
    instance: (types) => {
      const names = new Map<string, Type>();
      const find = (name: string): Type => {
        const made = names.get(name) ?? fresh();
        names.set(name, made);
        return made;
      };
      return types.map((type) => replace(type, find));
    },
    general,
  };
}

function partsOf(type: Type): readonly Type[] {
  if (type.kind === 'list') return [type.element];
  if (type.kind === 'map') return [type.key, type.value];
  if (type.kind === 'opaque') return type.params;
  return type.kind === 'type' && type.of !== undefined ? [type.of] : [];
}

function isLoose(type: Type): boolean {
  return type.kind === 'dyn' || type.kind === 'error';
}

function isNullable(type: Type): boolean {
  return ['null', 'opaque', 'object', 'duration', 'timestamp'].includes(type.kind);
}
