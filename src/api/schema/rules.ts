/** The small language that defaults are written in: rules from an object to that object, filled in. Nothing is changed in place. */
import type { Fields } from './conform.ts';

export type Rule = (fields: Fields) => Fields;

/** Sets each field that is absent. */
export function fill(defaults: Fields): Rule {
  return (fields) => {
    const missing = Object.entries(defaults).filter(([name]) => fields[name] === undefined);
    return missing.length === 0 ? fields : { ...fields, ...Object.fromEntries(missing) };
  };
}

/** The rules one after the other. */
export function all(...rules: readonly Rule[]): Rule {
  return (fields) => rules.reduce((value, rule) => rule(value), fields);
}

/** The rules on the struct in `name`, when it is there. */
export function at(name: string, ...rules: readonly Rule[]): Rule {
  const inner = all(...rules);
  return (fields) => {
    const value = structIn(fields, name);
    return value === undefined ? fields : replace(fields, name, value, inner(value));
  };
}

/** The rules on each struct in the list `name`. */
export function each(name: string, ...rules: readonly Rule[]): Rule {
  const inner = all(...rules);
  return (fields) => {
    const list = listIn(fields, name);
    if (list.length === 0) return fields;
    const filled = list.map(inner);
    return filled.every((item, index) => item === list[index]) ? fields : { ...fields, [name]: filled };
  };
}

/** The rules where `holds`. */
export function when(holds: (fields: Fields) => boolean, ...rules: readonly Rule[]): Rule {
  const inner = all(...rules);
  return (fields) => (holds(fields) ? inner(fields) : fields);
}

/** The struct in `name`, or undefined. */
export function structIn(fields: Fields | undefined, name: string): Fields | undefined {
  const value = fields?.[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** The structs in the list `name`; none when it is absent. */
export function listIn(fields: Fields | undefined, name: string): readonly Fields[] {
  const value = fields?.[name];
  return Array.isArray(value) ? (value as readonly Fields[]) : [];
}

function replace(fields: Fields, name: string, before: Fields, after: Fields): Fields {
  return before === after ? fields : { ...fields, [name]: after };
}
