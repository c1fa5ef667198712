/**
 * What an expression can cost at most, found without running it: what the server refuses a rule for before it is stored.
 * How large data can become is taken from the declared types, as far as a path leads to them from a variable.
 * Source: cel-go, checker/cost; Kubernetes, apiserver, cel/library/cost.
 */
import { accumulator, type CallExpr, type Comprehension, type Expr } from './ast.ts';
import { callEstimate, declaredSize, type Estimated } from './call-estimate.ts';
import type { Checked } from './check.ts';
import { add, fixed, joined, maxCost, times, type Range } from './range.ts';
import { listCost, mapCost, selectCost, sizeOf, structCost } from './run-cost.ts';
import { dyn, optionalParam, type Type } from './types.ts';

/** How large the keys (or indices) and the values of a list or map are. */
interface Entries {
  readonly key: Range;
  readonly value: Range;
}

interface Local {
  readonly declared: Type | undefined;
  readonly size: Range | undefined;
  readonly entries: Entries | undefined;
}

/** The least and the most that `checked` can cost, in units of the run-time cost. `variables`: the declared types. */
export function estimateCost(checked: Checked, variables: ReadonlyMap<string, Type>): Range {
  const sizes = new Map<number, Range>();
  const entries = new Map<number, Entries>();
  const declared = new Map<number, Type>();
  const locals = new Map<string, Local[]>();

  const typeOf = (expr: Expr): Type => checked.types.get(expr.id) ?? dyn;
  const local = (expr: Expr): Local | undefined => (expr.kind === 'ident' ? locals.get(expr.name)?.at(-1) : undefined);
  const declaredOf = (expr: Expr): Type | undefined => local(expr)?.declared ?? declared.get(expr.id);
  const declare = (expr: Expr, type: Type | undefined): void => {
    if (type !== undefined) declared.set(expr.id, type);
  };
  const sizeOfExpr = (expr: Expr): Range | undefined =>
    sizes.get(expr.id) ??
    literalSize(expr) ??
    declaredSize(declaredOf(expr)) ??
    (isScalar(typeOf(expr)) ? fixed(1) : undefined) ??
    local(expr)?.size;
  const sizeOrUnknown = (expr: Expr): Range => sizeOfExpr(expr) ?? { min: 0, max: maxCost };
  const entriesOf = (expr: Expr): Entries | undefined => entries.get(expr.id) ?? local(expr)?.entries;
  const node = (expr: Expr): Estimated => ({
    expr,
    type: typeOf(expr),
    declared: declaredOf(expr),
    size: sizeOfExpr(expr),
  });
  const within = <T>(name: string, value: Local, work: () => T): T => {
    const stack = locals.get(name) ?? [];
    locals.set(name, stack);
    stack.push(value);
    const result = work();
    stack.pop();
    return result;
  };

  const cost = (expr: Expr): Range => {
    switch (expr.kind) {
      case 'literal':
        return fixed(0);
      case 'ident': {
        if (local(expr) === undefined) {
          const name = checked.references.idents.get(expr.id) ?? expr.name;
          declare(expr, variables.get(name.replace(/^\./, '')));
        } else declare(expr, local(expr)?.declared);
        return fixed(selectCost);
      }
      case 'select':
        return select(expr);
      case 'call':
        return call(expr);
      case 'list': {
        const sum = add(...expr.elements.map((element) => cost(element.value)));
        const values = expr.elements.map((element) => sizeOrUnknown(element.value));
        entries.set(expr.id, { key: fixed(1), value: joined(values) });
        return add(sum, fixed(listCost));
      }
      case 'map': {
        const sum = add(...expr.entries.flatMap((entry) => [cost(entry.key), cost(entry.value)]));
        const keys = expr.entries.map((entry) => sizeOrUnknown(entry.key));
        const values = expr.entries.map((entry) => sizeOrUnknown(entry.value));
        entries.set(expr.id, { key: joined(keys), value: joined(values) });
        return add(sum, fixed(mapCost));
      }
      case 'struct':
        return add(...expr.fields.map((field) => cost(field.value)), fixed(structCost));
      case 'comprehension':
        return isBind(expr) ? bound(expr) : loop(expr);
    }
  };
  const select = (expr: Expr & { kind: 'select' }): Range => {
    const global = checked.references.idents.get(expr.id);
    if (global !== undefined) {
      declare(expr, variables.get(global.slice(1)));
      return fixed(selectCost);
    }
    const operand = cost(expr.operand);
    if (expr.test) return operand;
    const { kind } = typeOf(expr.operand);
    const from = declaredOf(expr.operand);
    if (from?.kind === 'object') declare(expr, from.field(expr.field)?.type);
    return kind === 'map' || kind === 'object' ? add(operand, fixed(selectCost)) : operand;
  };
  const call = (expr: CallExpr): Range => {
    const reference = checked.references.calls.get(expr.id);
    const { args } = expr;
    const [first] = args;
    if (expr.name === 'dyn' && first !== undefined) {
      const inner = cost(first);
      copySizes(expr, first);
      return add(inner, fixed(1));
    }
    const costs = args.map(cost);
    const target = reference?.namespaced === true ? undefined : expr.target;
    const before = target === undefined ? fixed(0) : cost(target);
    const ids =
      reference?.overloads.map((overload) => overload.id) ?? (expr.name === '_?._' ? ['select_optional_field'] : []);
    let total: Range = { min: maxCost, max: 0 };
    let size: Range | undefined;
    for (const id of ids) {
      const estimate = callEstimate({
        name: reference?.name ?? expr.name,
        overload: id,
        target: target === undefined ? undefined : node(target),
        args: args.map(node),
      });
      total = joined([total, withArgs(expr, estimate.cost, costs)]);
      const found =
        id === 'index_list' || id === 'index_map' ? indexed(expr, id) : (estimate.size ?? sumSize(expr, id));
      size = size === undefined ? found : found === undefined ? size : joined([size, found]);
    }
    if (ids.length === 0) return fixed(0);
    size ??= sizeOfExpr(expr);
    if (size !== undefined) sizes.set(expr.id, size);
    return add(before, total);
  };
  /** What a call costs together with its arguments, of which operators that stop early need not have all. */
  const withArgs = (expr: CallExpr, own: Range, costs: readonly Range[]): Range => {
    const [first = fixed(0), second = fixed(0), third = fixed(0)] = costs;
    if (expr.name === '_&&_' || expr.name === '_||_') return { min: first.min, max: add(first, second).max };
    if (expr.name === '_?_:_') {
      const [, yes, no] = expr.args;
      if (yes !== undefined && no !== undefined) {
        sizes.set(expr.id, joined([sizeOrUnknown(yes), sizeOrUnknown(no)]));
        mergeEntries(expr, yes, no);
      }
      return add(first, joined([second, third]));
    }
    return add(own, ...costs);
  };
  const sumSize = (expr: CallExpr, id: string): Range | undefined => {
    const [left, right] = expr.args;
    if (left === undefined || right === undefined || !['add_string', 'add_bytes', 'add_list'].includes(id))
      return undefined;
    mergeEntries(expr, left, right);
    return add(sizeOrUnknown(left), sizeOrUnknown(right));
  };
  const indexed = (expr: CallExpr, id: string): Range | undefined => {
    const [container] = expr.args;
    if (container === undefined) return undefined;
    const from = declaredOf(container);
    if (id === 'index_list' && from?.kind === 'list') declare(expr, from.element);
    if (id === 'index_map' && from?.kind === 'map') declare(expr, from.value);
    return entriesOf(container)?.value;
  };
  const mergeEntries = (expr: Expr, a: Expr, b: Expr): void => {
    const [left, right] = [entriesOf(a), entriesOf(b)];
    if (left === undefined || right === undefined) return;
    entries.set(expr.id, { key: joined([left.key, right.key]), value: joined([left.value, right.value]) });
  };
  const copySizes = (to: Expr, from: Expr): void => {
    const size = sizeOfExpr(from);
    if (size !== undefined) sizes.set(to.id, size);
    const inner = entriesOf(from);
    if (inner !== undefined) entries.set(to.id, inner);
  };

  const loop = (expr: Comprehension): Range => {
    const before = add(cost(expr.range), cost(expr.init));
    const gathered: Local = { declared: undefined, size: sizeOfExpr(expr.init), entries: entriesOf(expr.init) };
    return within(expr.accumulator, gathered, () => {
      const [first, second] = variablesOf(expr);
      const each = within(expr.variable, first, () =>
        expr.second === undefined
          ? add(cost(expr.condition), cost(expr.step))
          : within(expr.second, second, () => add(cost(expr.condition), cost(expr.step))),
      );
      const after = cost(expr.result);
      const count = sizeOrUnknown(expr.range);
      if (expr.init.kind === 'literal') {
        const size = sizeOfExpr(expr.init);
        if (size !== undefined) sizes.set(expr.id, size);
      } else if (expr.init.kind === 'list' || expr.init.kind === 'map') {
        sizes.set(expr.id, count);
        const inner = entriesOf(expr.step);
        if (inner !== undefined) entries.set(expr.id, inner);
      }
      return add(before, after, times(count, each));
    });
  };
  /** What is known of the variables of a loop from what it runs over. */
  const variablesOf = (expr: Comprehension): readonly [Local, Local] => {
    const [type, from, inner] = [typeOf(expr.range), declaredOf(expr.range), entriesOf(expr.range)];
    const isList = type.kind === 'list';
    const value: Local = {
      declared: from?.kind === 'list' ? from.element : from?.kind === 'map' ? from.value : undefined,
      size: inner?.value,
      entries: undefined,
    };
    const key: Local = {
      declared: from?.kind === 'map' ? from.key : undefined,
      size: inner?.key,
      entries: undefined,
    };
    if (expr.second !== undefined) return [isList ? { ...key, declared: undefined } : key, value];
    return [isList ? value : key, value];
  };
  const bound = (expr: Comprehension): Range => {
    const before = add(cost(expr.range), cost(expr.init));
    const value: Local = {
      declared: declaredOf(expr.init),
      size: sizeOfExpr(expr.init),
      entries: entriesOf(expr.init),
    };
    return within(expr.accumulator, value, () => {
      const after = cost(expr.result);
      copySizes(expr, expr.result);
      return add(before, after);
    });
  };

  return cost(checked.expr);
}

function isBind(expr: Comprehension): boolean {
  return expr.accumulator !== accumulator && expr.condition.kind === 'literal' && expr.condition.value === false;
}

function literalSize(expr: Expr): Range | undefined {
  if (expr.kind === 'literal') return fixed(sizeOf(expr.value));
  if (expr.kind === 'list') return fixed(expr.elements.length);
  return expr.kind === 'map' ? fixed(expr.entries.length) : undefined;
}

function isScalar(type: Type): boolean {
  const inner = optionalParam(type);
  if (inner !== undefined) return isScalar(inner);
  return ['bool', 'double', 'duration', 'int', 'timestamp', 'uint'].includes(type.kind);
}
