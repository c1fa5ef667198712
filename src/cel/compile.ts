import { check } from './check.ts';
import { estimateCost } from './cost-estimate.ts';
import type { Environment } from './environment.ts';
import { newFrame } from './loop.ts';
import { CostExceeded, Meter } from './meter.ts';
import { parse } from './parse.ts';
import { plan, type Step } from './plan.ts';
import type { Range } from './range.ts';
import type { Issue } from './source.ts';
import { dyn, type Type } from './types.ts';
import { bind, Failure, type Result } from './values.ts';

/** What one evaluation may cost at most, whatever its caller has left. Upstream's limit. */
export const perCallLimit = 1_000_000;

/** What is left for several expressions together. Evaluations take from it. */
export interface Budget {
  remaining: number;
}

/** How an evaluation ended. `exceeded`: it was stopped for its cost, and nothing is known about its result. */
export type Outcome =
  | { readonly kind: 'value'; readonly result: Exclude<Result, Failure>; readonly cost: number }
  | { readonly kind: 'failure'; readonly message: string; readonly cost: number }
  | { readonly kind: 'exceeded'; readonly message: string; readonly cost: number };

/** The variables: JSON, read by their declared types, or values; a function is asked once, when first needed. */
export type Bindings = Readonly<Record<string, unknown>>;

export interface Compiled {
  readonly source: string;
  /** What its value will be. */
  readonly outputType: Type;
  /** The variables of the environment that it speaks of. */
  readonly uses: ReadonlySet<string>;
  /** What evaluating it can cost, whatever the values of its declared types. Undefined when it was not checked. */
  readonly cost: Range | undefined;
  /**
   * The value for these variables. It costs at most 1 000 000 units and at most what `budget` has left, from which the
   * cost is taken. Never throws for what an expression does.
   */
  evaluate(bindings: Bindings, budget: Budget): Outcome;
}

/** `source`, checked and ready to evaluate, or what is wrong with it. Never throws; its time is bounded. */
export function compile(
  source: string,
  environment: Environment,
): { readonly compiled: Compiled } | { readonly issues: readonly Issue[] } {
  const parsed = parse(source);
  if ('issues' in parsed) return parsed;
  const result = check(source, parsed.expr, environment);
  if ('issues' in result) return result;
  const { checked } = result;
  const planned = plan(checked.expr, environment, checked.references);
  const uses = new Set([...checked.references.idents.values()].map((name) => name.slice(1)));
  const cost = estimateCost(checked, environment.variables);
  return { compiled: compiledOf(source, planned, environment, { outputType: checked.type, uses, cost }) };
}

/** As compile, but types count at run time only: what an expression of values of unknown type means. */
export function compileUnchecked(
  source: string,
  environment: Environment,
): { readonly compiled: Compiled } | { readonly issues: readonly Issue[] } {
  const parsed = parse(source);
  if ('issues' in parsed) return parsed;
  const planned = plan(parsed.expr, environment, { idents: new Map(), calls: new Map() });
  const uses = new Set(environment.variables.keys());
  return { compiled: compiledOf(source, planned, environment, { outputType: dyn, uses, cost: undefined }) };
}

function compiledOf(
  source: string,
  planned: { readonly step: Step; readonly slots: number },
  environment: Environment,
  known: Pick<Compiled, 'outputType' | 'uses' | 'cost'>,
): Compiled {
  return {
    source,
    ...known,
    evaluate: (bindings, budget) => {
      const meter = new Meter(Math.min(perCallLimit, budget.remaining));
      const values = new Map<string, Result>();
      const variable = (name: string): Result => {
        const known = values.get(name);
        if (known !== undefined) return known;
        const value = Object.hasOwn(bindings, name)
          ? bind(bindings[name], environment.variables.get(name) ?? dyn)
          : new Failure(`no such attribute: ${name}`);
        values.set(name, value);
        return value;
      };
      const outcome = run(planned, { meter, variable });
      budget.remaining -= outcome.cost;
      return outcome;
    },
  };
}

function run(
  planned: { readonly step: Step; readonly slots: number },
  parts: { readonly meter: Meter; variable(name: string): Result },
): Outcome {
  const { meter } = parts;
  try {
    const result = planned.step(newFrame(planned.slots, parts));
    if (result instanceof Failure) return { kind: 'failure', message: result.message, cost: meter.cost };
    return { kind: 'value', result, cost: meter.cost };
  } catch (error) {
    if (error instanceof CostExceeded) return { kind: 'exceeded', message: error.message, cost: meter.cost };
    throw error;
  }
}
