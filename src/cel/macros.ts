import { accumulator, type Comprehension, type Expr } from './ast.ts';

/**
 * The macros: calls that the parser rewrites before anyone looks up a function. Each gets the call's parts and gives the
 * expression that stands for it. Source: cel-spec, doc/langdef.md, "Macros", and the two-variable forms of
 * Kubernetes 1.32.
 */
export interface MacroCall {
  readonly name: string;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
  readonly at: number;
}

/** Makes nodes with ids of their own, all at one place. */
export interface Maker {
  literal(value: boolean | number): Expr;
  ident(name: string): Expr;
  call(name: string, ...args: readonly Expr[]): Expr;
  member(target: Expr, name: string): Expr;
  list(...values: readonly Expr[]): Expr;
  map(): Expr;
  has(operand: Expr, field: string): Expr;
  loop(parts: Omit<Comprehension, 'id' | 'at' | 'kind'>): Expr;
}

export interface MacroError {
  readonly kind: 'error';
  readonly at: number;
  readonly message: string;
}

/** What a macro call stands for, why it cannot, or undefined when it is no macro but a call. */
export function expandMacro(call: MacroCall, make: Maker): Expr | MacroError | undefined {
  const { name, target, args, at } = call;
  const [first, second, third, fourth] = args;
  if (target === undefined) {
    if (name !== 'has' || args.length !== 1 || first === undefined) return undefined;
    if (first.kind === 'select' && !first.test) return make.has(first.operand, first.field);
    return fail(first.at, 'invalid argument to has() macro');
  }
  if (first === undefined || second === undefined) return undefined;
  if (name === 'optMap' || name === 'optFlatMap') {
    return args.length === 2 ? optional(name, target, first, second, make) : undefined;
  }
  if (args.length === 2) {
    return oneVariable(name, target, first, second, undefined, make);
  }
  if (third === undefined || args.length > 4) return undefined;
  if (name === 'map' && args.length === 3) return oneVariable(name, target, first, third, second, make);
  const predicate = fourth === undefined ? undefined : third;
  return twoVariables(name, { target, first, second, predicate, body: fourth ?? third, at }, make);
}

function oneVariable(
  name: string,
  range: Expr,
  first: Expr,
  body: Expr,
  predicate: Expr | undefined,
  make: Maker,
): Expr | MacroError | undefined {
  const loop = loops(name, body, predicate, first, make);
  if (loop === undefined) return undefined;
  if (first.kind !== 'ident') {
    const transforms = name === 'map' || name === 'filter';
    return fail(first.at, transforms ? 'argument is not an identifier' : 'argument must be a simple name');
  }
  const taken = overwrites(first);
  return taken ?? make.loop({ variable: first.name, range, accumulator, ...loop() });
}

interface Two {
  readonly target: Expr;
  readonly first: Expr;
  readonly second: Expr;
  readonly predicate: Expr | undefined;
  readonly body: Expr;
  readonly at: number;
}

function twoVariables(name: string, parts: Two, make: Maker): Expr | MacroError | undefined {
  const { target, first, second, predicate, body } = parts;
  const transforms = name === 'transformList' || name === 'transformMap' || name === 'transformMapEntry';
  const quantifies = ['all', 'exists', 'exists_one', 'existsOne'].includes(name) && predicate === undefined;
  if (!transforms && !quantifies) return undefined;
  if (first.kind !== 'ident') return fail(first.at, 'argument must be a simple name');
  if (second.kind !== 'ident') return fail(second.at, 'argument must be a simple name');
  if (first.name === second.name) return fail(second.at, `duplicate variable name: ${first.name}`);
  const taken = overwrites(first) ?? overwrites(second);
  if (taken !== undefined) return taken;
  const common = { variable: first.name, second: second.name, range: target, accumulator };
  if (quantifies) {
    const loop = loops(name, body, undefined, first, make);
    return loop === undefined ? undefined : make.loop({ ...common, ...loop() });
  }
  const result = (): Expr => make.ident(accumulator);
  const added =
    name === 'transformList'
      ? make.call('_+_', result(), make.list(body))
      : name === 'transformMap'
        ? make.call('cel.@mapInsert', result(), make.ident(first.name), body)
        : make.call('cel.@mapInsert', result(), body);
  return make.loop({
    ...common,
    init: name === 'transformList' ? make.list() : make.map(),
    condition: make.literal(true),
    step: predicate === undefined ? added : make.call('_?_:_', predicate, added, result()),
    result: result(),
  });
}

type Loop = Pick<Comprehension, 'init' | 'condition' | 'step' | 'result'>;

function loops(
  name: string,
  body: Expr,
  predicate: Expr | undefined,
  variable: Expr,
  make: Maker,
): (() => Loop) | undefined {
  const result = (): Expr => make.ident(accumulator);
  switch (name) {
    case 'all':
      return () => ({
        init: make.literal(true),
        condition: make.call('@not_strictly_false', result()),
        step: make.call('_&&_', result(), body),
        result: result(),
      });
    case 'exists':
      return () => ({
        init: make.literal(false),
        condition: make.call('@not_strictly_false', make.call('!_', result())),
        step: make.call('_||_', result(), body),
        result: result(),
      });
    case 'exists_one':
    case 'existsOne':
      return () => ({
        init: make.literal(0),
        condition: make.literal(true),
        step: make.call('_?_:_', body, make.call('_+_', result(), make.literal(1)), result()),
        result: make.call('_==_', result(), make.literal(1)),
      });
    case 'map':
    case 'filter': {
      const filter = name === 'filter' ? body : predicate;
      const value = name === 'filter' ? variable : body;
      return () => {
        const added = make.call('_+_', result(), make.list(value));
        return {
          init: make.list(),
          condition: make.literal(true),
          step: filter === undefined ? added : make.call('_?_:_', filter, added, result()),
          result: result(),
        };
      };
    }
    default:
      return undefined;
  }
}

/** `x.optMap(v, e)`. The target is bound once; writing it twice would double the tree with every link of a chain. */
function optional(name: string, target: Expr, variable: Expr, body: Expr, make: Maker): Expr | MacroError {
  if (variable.kind !== 'ident') return fail(variable.at, `${name}() variable name must be a simple identifier`);
  const held = '@optional';
  const mapped = bind(make, variable.name, make.member(make.ident(held), 'value'), body);
  const present = name === 'optMap' ? make.call('optional.of', mapped) : mapped;
  const choice = make.call('_?_:_', make.member(make.ident(held), 'hasValue'), present, make.call('optional.none'));
  return bind(make, held, target, choice);
}

/** `result` with `name` standing for `value`: a loop that never runs. */
function bind(make: Maker, name: string, value: Expr, result: Expr): Expr {
  return make.loop({
    variable: '#unused',
    range: make.list(),
    accumulator: name,
    init: value,
    condition: make.literal(false),
    step: make.ident(name),
    result,
  });
}

function overwrites(variable: Expr & { kind: 'ident' }): MacroError | undefined {
  return variable.name === '__result__'
    ? fail(variable.at, 'iteration variable overwrites accumulator variable')
    : undefined;
}

function fail(at: number, message: string): MacroError {
  return { kind: 'error', at, message };
}
