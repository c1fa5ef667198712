import { noOverload } from './arithmetic.ts';
import { accumulator, type Comprehension, type Expr } from './ast.ts';
import type { Frame, Planner, Scope, Step } from './plan.ts';
import { Dict, Failure, isMap, List, isKey, type Result, type Value } from './values.ts';

/**
 * The step of a comprehension. It takes three slots: the accumulator and the two variables. What is gathered into lists
 * and maps is gathered in place: no expression can hold on to an accumulator.
 */
export function planLoop(expr: Comprehension, scope: Scope, planner: Planner): Step {
  const slot = scope.depth;
  const inside: Scope = { names: new Map([...scope.names, [expr.accumulator, slot]]), depth: slot + 3 };
  const names: [string, number][] = [[expr.variable, slot + 1]];
  if (expr.second !== undefined) names.push([expr.second, slot + 2]);
  const body: Scope = { names: new Map([...inside.names, ...names]), depth: slot + 3 };
  const range = planner.plan(expr.range, scope).step;
  const init = planner.plan(expr.init, scope).step;
  const condition = planner.plan(expr.condition, body);
  const step = gathering(expr.step, slot, body, planner) ?? planner.plan(expr.step, body).step;
  const result = planner.plan(expr.result, inside).step;
  if (condition.constant === false) {
    return (frame) => {
      frame.slots[slot] = init(frame);
      return result(frame);
    };
  }
  const two = expr.second !== undefined;
  const always = condition.constant === true;
  return (frame) => {
    const over = range(frame);
    if (over instanceof Failure) return over;
    const { slots } = frame;
    slots[slot] = init(frame);
    for (const [key, value] of entries(over, two)) {
      slots[slot + 1] = key;
      slots[slot + 2] = value;
      // Where nothing can absorb a failure, the rest need not run.
      if (always ? slots[slot] instanceof Failure : condition.step(frame) === false) break;
      slots[slot] = step(frame);
    }
    if (!(over instanceof List) && !isMap(over)) return noOverload;
    return result(frame);
  };
}

function* entries(over: Value, two: boolean): Generator<readonly [Value, Value]> {
  if (over instanceof List) {
    for (let i = 0; i < over.size; i++) yield two ? [i, over.at(i)] : [over.at(i), null];
  } else if (isMap(over)) {
    for (const key of over.keys()) yield [key, two ? (over.get(key) ?? null) : null];
  }
}

/** The step that adds to the accumulator: `@result + [x]`, `cel.@mapInsert(@result, k, v)`, either behind a condition. */
function gathering(expr: Expr, slot: number, scope: Scope, planner: Planner): Step | undefined {
  if (expr.kind !== 'call') return undefined;
  const [first, second, third] = expr.args;
  if (expr.name === '_?_:_' && first !== undefined && second !== undefined && isAccumulator(third)) {
    const add = gathering(second, slot, scope, planner);
    if (add === undefined) return undefined;
    const condition = planner.plan(first, scope).step;
    return (frame) => {
      const chosen = condition(frame);
      if (chosen === true) return add(frame);
      if (chosen instanceof Failure) return chosen;
      frame.meter.charge(1);
      return chosen === false ? (frame.slots[slot] ?? noOverload) : noOverload;
    };
  }
  if (!isAccumulator(first) || second === undefined) return undefined;
  const adds = expr.name === '_+_' && second.kind === 'list';
  if (!adds && expr.name !== 'cel.@mapInsert') return undefined;
  const value = planner.plan(second, scope).step;
  if (adds) {
    return (frame) => {
      const added = value(frame);
      if (added instanceof Failure) return added;
      frame.meter.charge(2);
      const list = frame.slots[slot];
      if (!(list instanceof List) || !(added instanceof List)) return list ?? noOverload;
      list.append(added);
      return list;
    };
  }
  const mapped = third === undefined ? undefined : planner.plan(third, scope).step;
  return (frame) => {
    const key = value(frame);
    if (key instanceof Failure) return key;
    frame.meter.charge(2);
    const dict = frame.slots[slot];
    if (!(dict instanceof Dict)) return dict ?? noOverload;
    if (mapped !== undefined) {
      const member = mapped(frame);
      return member instanceof Failure ? member : insert(dict, key, member);
    }
    if (!isMap(key)) return noOverload;
    for (const name of key.keys()) {
      const inserted = insert(dict, name, key.get(name) ?? null);
      if (inserted instanceof Failure) return inserted;
    }
    return dict;
  };
}

function isAccumulator(expr: Expr | undefined): boolean {
  return expr?.kind === 'ident' && expr.name === accumulator;
}

function insert(dict: Dict, key: Value, value: Value): Result {
  if (!isKey(key)) return new Failure('unsupported key type');
  return dict.add(key, value) ? dict : new Failure(`insert failed: key ${String(key)} already exists`);
}

/** What `frame` needs to be for `slots` slots. */
export function newFrame(slots: number, rest: Omit<Frame, 'slots'>): Frame {
  return { ...rest, slots: Array.from<Result>({ length: slots }).fill(null) };
}
