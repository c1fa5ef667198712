/**
 * What type an expression has, and which functions its calls may mean. Mistakes are told in upstream's words, since
 * its users read them in the answers of their API server. Source: cel-spec, doc/langdef.md, "Gradual Type Checking".
 */
import { qualifiedName, type CallExpr, type Comprehension, type Element, type Expr } from './ast.ts';
import { candidates, type Environment, type Overload } from './environment.ts';
import type { CallReference, References } from './plan.ts';
import { issueAt, type Issue } from './source.ts';
import {
  bool,
  dyn,
  errorType,
  formatType,
  int,
  listOf,
  mapOf,
  optionalOf,
  optionalParam,
  sameType,
  typeOf,
  type Type,
} from './types.ts';
import { createUnifier, TooComplex } from './unify.ts';
import { typeOfValue } from './values.ts';

/** A tree with what is known about it. */
export interface Checked {
  readonly expr: Expr;
  readonly type: Type;
  /** The type of every node, by its id. */
  readonly types: ReadonlyMap<number, Type>;
  readonly references: References;
}

/** Further issues are not reported. As upstream. */
const maxIssues = 100;

type Scope = ReadonlyMap<string, Type>;

/** `expr` with its types, or what is wrong with it. `source` is only used to say where. */
export function check(
  source: string,
  expr: Expr,
  environment: Environment,
): { readonly checked: Checked } | { readonly issues: readonly Issue[] } {
  const issues: Issue[] = [];
  const report = (at: number, message: string): void => {
    if (issues.length < maxIssues) issues.push(issueAt(source, at, message));
  };
  try {
    const checked = createChecker(environment, report)(expr);
    return issues.length > 0 ? { issues } : { checked };
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error;
    report(expr.at, 'expression is too complex to be type checked');
    return { issues };
  }
}

function createChecker(
  environment: Environment,
  report: (at: number, message: string) => void,
): (expr: Expr) => Checked {
  const unifier = createUnifier();
  const types = new Map<number, Type>();
  const idents = new Map<number, string>();
  const calls = new Map<number, CallReference>();
  const assignable = (to: Type, from: Type): boolean => unifier.assignable(to, from);
  const substitute = (type: Type, final?: boolean): Type => unifier.substitute(type, final);

  const visit = (expr: Expr, scope: Scope): Type => {
    const type = typeOfExpr(expr, scope);
    types.set(expr.id, type);
    return type;
  };
  const typeOfExpr = (expr: Expr, scope: Scope): Type => {
    switch (expr.kind) {
      case 'literal':
        return typeOfValue(expr.value);
      case 'ident':
        return ident(expr.id, expr.at, expr.name, scope);
      case 'select':
        return select(expr, scope);
      case 'call':
        return call(expr, scope);
      case 'list':
        return listOf(join(expr.elements, scope) ?? unifier.fresh());
      case 'map':
        return mapLiteral(expr.entries, scope);
      case 'struct':
        return struct(expr, scope);
      case 'comprehension':
        return loop(expr, scope);
    }
  };

  const undeclared = (at: number, name: string): Type => {
    report(at, `undeclared reference to '${name}' (in container '${environment.container ?? ''}')`);
    return errorType;
  };
  const resolve = (id: number, name: string): Type | undefined => {
    for (const full of candidates(environment.container, name)) {
      const named = environment.types.get(full);
      const type = environment.variables.get(full) ?? (named === undefined ? undefined : typeOf(named));
      if (type === undefined) continue;
      idents.set(id, `.${full}`);
      return type;
    }
    return undefined;
  };
  const ident = (id: number, at: number, name: string, scope: Scope): Type =>
    scope.get(name) ?? resolve(id, name) ?? undeclared(at, name);

  const select = (expr: Expr & { kind: 'select' }, scope: Scope): Type => {
    const name = expr.test ? undefined : qualifiedName(expr);
    if (name !== undefined && !scope.has(name.split('.')[0] ?? '')) {
      const found = resolve(expr.id, name);
      if (found !== undefined) return found;
    }
    const type = field(expr.at, visit(expr.operand, scope), expr.field, false);
    return expr.test ? bool : type;
  };
  const field = (at: number, operand: Type, name: string, optional: boolean): Type => {
    const known = substitute(operand);
    const inner = optionalParam(known);
    const result = fieldOf(at, inner ?? known, name);
    return inner !== undefined || optional ? optionalOf(result) : result;
  };
  const fieldOf = (at: number, target: Type, name: string): Type => {
    if (target.kind === 'map') return target.value;
    if (target.kind === 'object') {
      const found = target.field(name);
      if (found !== undefined) return found.type;
      report(at, `undefined field '${name}'`);
      return errorType;
    }
    if (target.kind === 'param') assignable(dyn, target);
    else if (target.kind !== 'dyn' && target.kind !== 'error') {
      report(at, `type '${formatType(target)}' does not support field selection`);
    }
    return dyn;
  };

  const call = (expr: CallExpr, scope: Scope): Type => {
    const [first, second] = expr.args;
    if (expr.name === '_?._' && first !== undefined && second?.kind === 'literal' && typeof second.value === 'string') {
      visit(second, scope);
      return substitute(field(expr.at, visit(first, scope), second.value, true));
    }
    const args = expr.args.map((arg) => visit(arg, scope));
    if (expr.target === undefined) {
      const name = functionName(expr.name);
      return name === undefined ? undeclared(expr.at, expr.name) : resolveCall(expr, name, undefined, args);
    }
    const prefix = qualifiedName(expr.target);
    const namespaced = prefix === undefined ? undefined : functionName(`${prefix}.${expr.name}`);
    if (namespaced !== undefined) return resolveCall(expr, namespaced, undefined, args);
    const target = visit(expr.target, scope);
    const name = functionName(expr.name);
    return name === undefined ? undeclared(expr.at, expr.name) : resolveCall(expr, name, target, args);
  };
  const functionName = (name: string): string | undefined =>
    candidates(environment.container, name).find((full) => environment.functions.has(full));
  const resolveCall = (expr: CallExpr, name: string, target: Type | undefined, args: readonly Type[]): Type => {
    const given = target === undefined ? args : [target, ...args];
    if (name === '_&&_' || name === '_||_') return logical(expr, name, given);
    const overloads: Overload[] = [];
    let result: Type | undefined;
    for (const overload of environment.functions.get(name) ?? []) {
      if (overload.member !== (target !== undefined) || overload.args.length !== given.length) continue;
      const [own = dyn, ...wanted] = unifier.instance([overload.result, ...overload.args]);
      // As upstream, the arguments' types are what parameters have to fit, not the other way round.
      if (!unifier.assignableAll(given, wanted)) continue;
      overloads.push(overload);
      const type = substitute(own);
      if (result === undefined) result = type;
      else if (result.kind !== 'dyn' && !sameType(type, result)) result = dyn;
    }
    if (result === undefined) {
      const shown = given.map((type) => formatType(substitute(type, true)));
      const [before, after] = target === undefined ? ['', shown] : [`${shown[0] ?? ''}.`, shown.slice(1)];
      report(expr.at, `found no matching overload for '${name}' applied to '${before}(${after.join(', ')})'`);
      return errorType;
    }
    calls.set(expr.id, { name, overloads, namespaced: expr.target !== undefined && target === undefined });
    const literal = expr.args.at(-1);
    if (literal?.kind === 'literal' && environment.invalidLiteral?.(name, literal.value) === true) {
      report(literal.at, `invalid ${name} argument`);
    }
    return result;
  };

  const logical = (expr: CallExpr, name: string, given: readonly Type[]): Type => {
    let fits = true;
    for (const [index, type] of given.entries()) {
      if (assignable(type, bool)) continue;
      mismatch(expr.args[index]?.at ?? expr.at, bool, type);
      fits = false;
    }
    calls.set(expr.id, { name, overloads: environment.functions.get(name) ?? [], namespaced: false });
    return fits ? bool : errorType;
  };

  /** The one type of all elements, undefined when there are none. */
  const join = (elements: readonly Element[], scope: Scope): Type | undefined => {
    let joined: Type | undefined;
    for (const element of elements) {
      const type = unwrapped(element, visit(element.value, scope));
      joined = joinTypes(element.value.at, joined, type);
    }
    return joined;
  };
  const joinTypes = (at: number, previous: Type | undefined, current: Type): Type => {
    if (previous === undefined) return current;
    if (assignable(previous, current)) return unifier.general(previous, current);
    if (environment.mixedLiterals === true) return dyn;
    mismatch(at, previous, current);
    return errorType;
  };
  const unwrapped = (element: Element, type: Type): Type => {
    if (!element.optional) return type;
    const inner = optionalParam(type);
    if (inner === undefined && type.kind !== 'dyn') mismatch(element.value.at, optionalOf(type), type);
    return inner ?? type;
  };
  const mismatch = (at: number, expected: Type, found: Type): void => {
    const [wanted, given] = [substitute(expected), substitute(found)];
    report(at, `expected type '${formatType(wanted)}' but found '${formatType(given)}'`);
  };
  const mapLiteral = (entries: readonly (Element & { readonly key: Expr })[], scope: Scope): Type => {
    let key: Type | undefined;
    let value: Type | undefined;
    for (const entry of entries) {
      key = joinTypes(entry.key.at, key, visit(entry.key, scope));
      value = joinTypes(entry.value.at, value, unwrapped(entry, visit(entry.value, scope)));
    }
    return mapOf(key ?? unifier.fresh(), value ?? unifier.fresh());
  };
  const struct = (expr: Expr & { kind: 'struct' }, scope: Scope): Type => {
    const name = candidates(environment.container, expr.type).find((full) => environment.types.get(full) !== undefined);
    const type = name === undefined ? undefined : environment.types.get(name);
    for (const part of expr.fields) visit(part.value, scope);
    if (type === undefined) return undeclared(expr.at, expr.type);
    if (type.kind !== 'object') {
      report(expr.at, `'${formatType(type)}' is not a message type`);
      return errorType;
    }
    for (const part of expr.fields) {
      const wanted = fieldOf(part.at, type, part.name);
      const given = unwrapped(part, types.get(part.value.id) ?? dyn);
      if (assignable(wanted, given)) continue;
      const [expected, provided] = [formatType(wanted), formatType(substitute(given))];
      report(part.at, `expected type of field '${part.name}' is '${expected}' but provided type is '${provided}'`);
    }
    return type;
  };

  const loop = (expr: Comprehension, scope: Scope): Type => {
    const range = substitute(visit(expr.range, scope));
    const accumulated = visit(expr.init, scope);
    const inside: Scope = new Map([...scope, [expr.accumulator, accumulated]]);
    const [first, second] = variables(expr, range);
    const names: [string, Type][] = [[expr.variable, first]];
    if (expr.second !== undefined) names.push([expr.second, second]);
    const body: Scope = new Map([...inside, ...names]);
    const condition = visit(expr.condition, body);
    if (!assignable(bool, condition)) mismatch(expr.condition.at, bool, condition);
    const step = visit(expr.step, body);
    if (!assignable(accumulated, step)) mismatch(expr.step.at, accumulated, step);
    return substitute(visit(expr.result, inside));
  };
  /** The types of what a loop runs over: element, or index and element; key, or key and value. */
  const variables = (expr: Comprehension, range: Type): readonly [Type, Type] => {
    const two = expr.second !== undefined;
    if (range.kind === 'list') return two ? [int, range.element] : [range.element, dyn];
    if (range.kind === 'map') return [range.key, range.value];
    if (range.kind === 'param') assignable(dyn, range);
    else if (range.kind !== 'dyn' && range.kind !== 'error') {
      const message = 'cannot be range of a comprehension (must be list, map, or dynamic)';
      report(expr.range.at, `expression of type '${formatType(range)}' ${message}`);
      return [errorType, errorType];
    }
    return [dyn, dyn];
  };

  return (expr) => {
    const type = substitute(visit(expr, new Map()), true);
    for (const [id, found] of types) types.set(id, substitute(found, true));
    return { expr, type, types, references: { idents, calls } };
  };
}
