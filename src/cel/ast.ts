import type { Value } from './values.ts';

/**
 * An expression as a tree. Macros are expanded, so what is iterated is always a Comprehension, and operators are calls
 * of functions with names like `_+_`. `id` is unique within one tree; `at` is the UTF-16 offset at which the field's
 * tools point when they speak about the node.
 */
export type Expr =
  | (Node & { readonly kind: 'literal'; readonly value: Value })
  | (Node & { readonly kind: 'ident'; readonly name: string })
  | (Node & { readonly kind: 'select'; readonly operand: Expr; readonly field: string; readonly test: boolean })
  | CallExpr
  | (Node & { readonly kind: 'list'; readonly elements: readonly Element[] })
  | (Node & { readonly kind: 'map'; readonly entries: readonly Entry[] })
  | (Node & { readonly kind: 'struct'; readonly type: string; readonly fields: readonly Field[] })
  | Comprehension;

interface Node {
  readonly id: number;
  readonly at: number;
}

export interface CallExpr extends Node {
  readonly kind: 'call';
  readonly name: string;
  /** `x` in `x.f(y)`. */
  readonly target?: Expr;
  readonly args: readonly Expr[];
}

export interface Element {
  readonly value: Expr;
  /** Written `?x`: an optional, left out when it is none. */
  readonly optional: boolean;
}

export interface Entry extends Element {
  readonly key: Expr;
}

export interface Field extends Element {
  readonly name: string;
  readonly at: number;
}

/**
 * A loop: `accumulator` starts as `init`; for each of `range`, while `condition` holds, it becomes `step`; the value is
 * `result`. With `second`, `variable` is the key or index and `second` the value.
 */
export interface Comprehension extends Node {
  readonly kind: 'comprehension';
  readonly variable: string;
  readonly second?: string;
  readonly range: Expr;
  readonly accumulator: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

/** The accumulator of every macro. No source can name it. */
export const accumulator = '@result';

/** `a.b.c` for a chain of plain selections from an identifier, undefined for anything else. */
export function qualifiedName(expr: Expr): string | undefined {
  const fields: string[] = [];
  let here = expr;
  while (here.kind === 'select' && !here.test) {
    fields.push(here.field);
    here = here.operand;
  }
  return here.kind === 'ident' ? [here.name, ...fields.toReversed()].join('.') : undefined;
}
