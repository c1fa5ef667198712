/**
 * A checked tree as closures. Each step gives a value or a failure, charges what it costs before it works, and reads
 * its variables from the slots of the frame that it is given. A failure is a value here, so that `||` and `&&` can absorb it.
 */
import { noOverload } from './arithmetic.ts';
import { qualifiedName, type CallExpr, type Expr } from './ast.ts';
import { candidates, type Environment, type Overload } from './environment.ts';
import { planLoop } from './loop.ts';
import type { Meter } from './meter.ts';
import { binaryOperator, field, hasField, optionalField, unaryOperator } from './operators.ts';
import { callCost, listCost, mapCost, selectCost, structCost, traversal, sizeOf } from './run-cost.ts';
import type { Type } from './types.ts';
import { matches } from './matches.ts';
import { Dict, Failure, isKey, keyOf, List, Optional, Struct, TypeValue, type Result, type Value } from './values.ts';

/** What the checker found out about names; nodes left out mean what they say. */
export interface References {
  /** A variable's or a type's full name. */
  readonly idents: ReadonlyMap<number, string>;
  readonly calls: ReadonlyMap<number, CallReference>;
}

export interface CallReference {
  /** Full name: `math.least`. */
  readonly name: string;
  readonly overloads: readonly Overload[];
  /** `a.f(x)` calls the function `a.f`: there is no target. */
  readonly namespaced: boolean;
}

/** One evaluation. */
export interface Frame {
  readonly slots: Result[];
  readonly meter: Meter;
  /** The value of a variable of the environment. */
  variable(name: string): Result;
}

export type Step = (frame: Frame) => Result;

/** A step that gives the same value every time, for nothing. */
export interface Planned {
  readonly step: Step;
  readonly constant?: Value;
}

/** Where the names inside loops live. */
export interface Scope {
  readonly names: ReadonlyMap<string, number>;
  readonly depth: number;
}

export interface Planner {
  plan(expr: Expr, scope: Scope): Planned;
}

/** The steps of `root`, and how many slots its loops need. */
export function plan(root: Expr, environment: Environment, references: References): { step: Step; slots: number } {
  let slots = 0;
  const planner: Planner = {
    plan: (expr, scope) => {
      slots = Math.max(slots, scope.depth);
      switch (expr.kind) {
        case 'literal': {
          const { value } = expr;
          return { step: () => value, constant: value };
        }
        case 'ident':
          return planName(expr.id, expr.name, scope);
        case 'select':
          return planSelect(expr, scope);
        case 'call':
          return planCall(expr, scope);
        case 'list':
          return planList(expr.elements, scope);
        case 'map':
          return planMap(expr.entries, scope);
        case 'struct':
          return planStruct(expr, scope);
        case 'comprehension':
          return { step: planLoop(expr, scope, planner) };
      }
    },
  };

  const resolve = (name: string): Step | undefined => {
    for (const full of candidates(environment.container, name)) {
      if (environment.variables.has(full)) {
        return (frame) => {
          frame.meter.charge(selectCost);
          return frame.variable(full);
        };
      }
      const type = environment.types.get(full);
      if (type !== undefined) {
        const value = new TypeValue(type);
        return () => value;
      }
    }
    return undefined;
  };
  const planName = (id: number, name: string, scope: Scope): Planned => {
    const slot = references.idents.has(id) ? undefined : scope.names.get(name);
    if (slot !== undefined) {
      return {
        step: (frame) => {
          frame.meter.charge(selectCost);
          return frame.slots[slot] ?? noOverload;
        },
      };
    }
    const missing = new Failure(`no such attribute: ${name}`);
    return { step: resolve(references.idents.get(id) ?? name) ?? (() => missing) };
  };
  const planSelect = (expr: Expr & { kind: 'select' }, scope: Scope): Planned => {
    const checked = references.idents.get(expr.id);
    const name = checked ?? qualifiedName(expr);
    if (name !== undefined && !expr.test && (checked !== undefined || !scope.names.has(name.split('.')[0] ?? ''))) {
      const step = resolve(name);
      if (step !== undefined) return { step };
    }
    const operand = planner.plan(expr.operand, scope).step;
    const { field: key } = expr;
    if (expr.test) return { step: (frame) => hasField(operand(frame), key) };
    return {
      step: (frame) => {
        const value = operand(frame);
        frame.meter.charge(selectCost);
        return field(value, key);
      },
    };
  };

  const planCall = (expr: CallExpr, scope: Scope): Planned => {
    const reference = references.calls.get(expr.id) ?? lookUp(expr);
    const target = reference?.namespaced === true ? undefined : expr.target;
    const parts = target === undefined ? expr.args : [target, ...expr.args];
    const args = parts.map((arg) => planner.plan(arg, scope));
    const steps = args.map((arg) => arg.step);
    const [first, second, third] = steps;
    if (target === undefined && first !== undefined) {
      const unary = second === undefined ? unaryOperator(expr.name, first) : undefined;
      if (unary !== undefined) return { step: unary };
      if (second !== undefined && third === undefined) {
        const binary = binaryOperator(expr.name, first, second, args[1]?.constant);
        if (binary !== undefined) return { step: binary };
        if (expr.name === '_?._') {
          const key = args[1]?.constant;
          return { step: (frame) => charged(frame, optionalField(first(frame), typeof key === 'string' ? key : '')) };
        }
      }
      if (expr.name === '_?_:_' && second !== undefined && third !== undefined) {
        return { step: conditional(first, second, third) };
      }
    }
    if (reference === undefined) {
      const unknown = new Failure(`unbound function: ${expr.name}`);
      return { step: () => unknown };
    }
    return { step: planFunction(reference, steps) };
  };
  /** What an unchecked call may mean. */
  const lookUp = (expr: CallExpr): CallReference | undefined => {
    const prefix = expr.target === undefined ? undefined : qualifiedName(expr.target);
    const count = expr.args.length;
    if (prefix !== undefined) {
      for (const name of candidates(environment.container, `${prefix}.${expr.name}`)) {
        const overloads = environment.functions.get(name)?.filter((one) => !one.member && one.args.length === count);
        if (overloads !== undefined && overloads.length > 0) return { name, overloads, namespaced: true };
      }
    }
    const member = expr.target !== undefined;
    for (const name of member ? [expr.name] : candidates(environment.container, expr.name)) {
      const overloads = environment.functions
        .get(name)
        ?.filter((one) => one.member === member && one.args.length === count + (member ? 1 : 0));
      if (overloads !== undefined) return { name, overloads, namespaced: false };
    }
    return undefined;
  };

  const planList = (elements: readonly { value: Expr; optional: boolean }[], scope: Scope): Planned => {
    const parts = elements.map((element) => ({ ...planner.plan(element.value, scope), optional: element.optional }));
    if (parts.length === 0) return { step: () => List.of([]) }; // a new one each time: a loop may fill it
    const constants = parts.map((part) => (part.optional ? undefined : part.constant));
    if (constants.every((value) => value !== undefined)) {
      const constant = List.of([...constants]);
      return { step: () => constant, constant };
    }
    return {
      step: (frame) => {
        const values: Value[] = [];
        for (const part of parts) {
          const value = part.step(frame);
          if (value instanceof Failure) return value;
          if (!part.optional) values.push(value);
          else if (!(value instanceof Optional)) return noOverload;
          else if (value.value !== undefined) values.push(value.value);
        }
        frame.meter.charge(listCost);
        return List.of(values);
      },
    };
  };
  const planMap = (entries: readonly { key: Expr; value: Expr; optional: boolean }[], scope: Scope): Planned => {
    const parts = entries.map((entry) => ({
      key: planner.plan(entry.key, scope).step,
      value: planner.plan(entry.value, scope).step,
      optional: entry.optional,
    }));
    return {
      step: (frame) => {
        const dict = new Dict();
        frame.meter.charge(mapCost);
        for (const part of parts) {
          const key = part.key(frame);
          if (key instanceof Failure) return key;
          if (!isKey(key)) return new Failure('unsupported key type');
          let value = part.value(frame);
          if (value instanceof Failure) return value;
          if (part.optional) {
            if (!(value instanceof Optional)) return noOverload;
            if (value.value === undefined) continue;
            value = value.value;
          }
          if (!dict.add(key, value)) return new Failure(`Failed with repeated key: ${String(keyOf(key))}`);
        }
        return dict;
      },
    };
  };
  const planStruct = (expr: Expr & { kind: 'struct' }, scope: Scope): Planned => {
    const name = candidates(environment.container, expr.type).find((full) => environment.types.get(full) !== undefined);
    const type: Type | undefined = environment.types.get(name ?? '');
    if (type?.kind !== 'object') {
      const unknown = new Failure(`unknown type: ${expr.type}`);
      return { step: () => unknown };
    }
    const parts = expr.fields.map((part) => ({ ...part, step: planner.plan(part.value, scope).step }));
    return {
      step: (frame) => {
        frame.meter.charge(structCost);
        const fields = new Map<string, Value>();
        for (const part of parts) {
          const value = part.step(frame);
          if (value instanceof Failure) return value;
          if (type.field(part.name) === undefined) return new Failure(`no such field: ${part.name}`);
          if (!part.optional) fields.set(part.name, value);
          else if (!(value instanceof Optional)) return noOverload;
          else if (value.value !== undefined) fields.set(part.name, value.value);
        }
        return new Struct(type, fields);
      },
    };
  };

  const { step } = planner.plan(root, { names: new Map(), depth: 0 });
  return { step, slots: slots + 3 };
}

function charged(frame: Frame, result: Result): Result {
  frame.meter.charge(selectCost);
  return result;
}

function conditional(condition: Step, yes: Step, no: Step): Step {
  return (frame) => {
    const chosen = condition(frame);
    if (chosen === true) return yes(frame);
    if (chosen === false) return no(frame);
    return chosen instanceof Failure ? chosen : noOverload;
  };
}

/** Upstream charges one unit for some functions that have to read all of a text; here each 250 characters are one more. */
function longTextCost(text: Value | undefined): number {
  return typeof text === 'string' ? Math.floor(text.length / 250) : 0;
}

function planFunction(reference: CallReference, steps: readonly Step[]): Step {
  const { name } = reference;
  const overloads = reference.overloads.filter((overload) => overload.args.length === steps.length);
  return (frame) => {
    const args: Value[] = [];
    for (const step of steps) {
      const value = step(frame);
      if (value instanceof Failure) return value;
      args.push(value);
    }
    const overload = overloads.find((one) => one.args.every((type, index) => matches(type, args[index] ?? null)));
    if (overload?.call === undefined) return noOverload;
    frame.meter.charge(Math.max(callCost(name, overload.id, args), longTextCost(args[0])));
    const result = overload.call(args, frame.meter);
    if (name === 'join') frame.meter.charge(traversal(2 * (result instanceof Failure ? 0 : sizeOf(result))));
    return result;
  };
}
