import type { CallExpr, Element, Entry, Expr, Field } from './ast.ts';
import { lex, type Token } from './lex.ts';
import { parseInteger, parseUnsigned, unquoteBytes, unquoteString } from './literals.ts';
import { expandMacro, type Maker } from './macros.ts';
import { textSize } from './run-cost.ts';
import { issueAt, type Issue } from './source.ts';
import { Double, Uint } from './values.ts';

/** Expressions nested deeper than this are refused. As upstream. */
const maxNesting = 250;
/** A chain of operators or selections makes a tree as deep as it is long; this is as deep as the stack bears. Chosen. */
const maxDepth = 1000;
/** In code points. As upstream. */
const maxLength = 100_000;
/** Further syntax errors are not reported. */
const maxErrors = 30;

const starters =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
const keywords = new Set(['in', 'true', 'false', 'null']);
const reserved = new Set(
  'as break const continue else false for function if import in let loop package namespace null return true var void while'.split(
    ' ',
  ),
);
const relations = new Set(['<', '<=', '>=', '>', '==', '!=', 'in']);

/** The tree of `source`, or what is wrong with it. Never throws; time is linear in the length. */
export function parse(source: string): { readonly expr: Expr } | { readonly issues: readonly Issue[] } {
  const length = source.length > maxLength ? textSize(source) : source.length;
  if (length > maxLength) {
    const message = `expression code point size exceeds limit: size: ${length}, limit ${maxLength}`;
    return { issues: [{ message, line: 1, column: 1 }] };
  }
  const { tokens, errors } = lex(source);
  const issues: Issue[] = errors.slice(0, maxErrors).map((error) => issueAt(source, error.at, error.message));
  const parser = createParser(tokens, (at, message) => {
    if (issues.length < 2 * maxErrors) issues.push(issueAt(source, at, message));
  });
  const expr = parser();
  return issues.length > 0 || expr === undefined ? { issues } : { expr };
}

/** Ends parsing at the first syntax error that cannot be stepped over. */
class Stop extends Error {}

function createParser(tokens: readonly Token[], report: (at: number, message: string) => void): () => Expr | undefined {
  let position = 0;
  let nesting = 0;
  let lastId = 0;
  const depths = new Map<number, number>();

  const peek = (offset = 0): Token => tokens[Math.min(position + offset, tokens.length - 1)] as Token;
  const is = (text: string, offset = 0): boolean => {
    const token = peek(offset);
    return token.text === text && (token.kind === 'symbol' || (token.kind === 'ident' && keywords.has(text)));
  };
  const take = (): Token => {
    const token = peek();
    position++;
    return token;
  };
  const stop = (at: number, message: string): never => {
    report(at, message);
    throw new Stop(message);
  };
  const expected = (what: string, accepts: (token: Token) => boolean): void => {
    const token = peek();
    if (token.kind !== 'end' && accepts(peek(1))) {
      report(token.at, `Syntax error: extraneous input '${token.text}' expecting ${what}`);
      position++;
      return;
    }
    stop(token.at, `Syntax error: mismatched input '${token.text}' expecting ${what}`);
  };
  const expect = (text: string, what = `'${text}'`): Token => {
    if (!is(text)) {
      if (peek().kind === 'end' && text !== ':') stop(peek().at, `Syntax error: missing '${text}' at '<EOF>'`);
      expected(what, (token) => token.kind === 'symbol' && token.text === text);
    }
    return take();
  };
  /** Checks that the tree stays shallow enough for those that walk it. */
  const node = <T extends Expr>(expr: T, ...children: readonly (Expr | undefined)[]): T => {
    let depth = 1;
    for (const child of children) {
      if (child !== undefined) depth = Math.max(depth, (depths.get(child.id) ?? 0) + 1);
    }
    if (depth > maxDepth) stop(expr.at, `expression recursion limit exceeded: ${maxDepth}`);
    depths.set(expr.id, depth);
    return expr;
  };
  const id = (): number => ++lastId;
  const call = (at: number, name: string, args: readonly Expr[], target?: Expr): CallExpr =>
    node({ kind: 'call', id: id(), at, name, args, ...(target === undefined ? {} : { target }) }, target, ...args);

  const maker = (at: number): Maker => ({
    literal: (value) => node({ kind: 'literal', id: id(), at, value }),
    ident: (name) => node({ kind: 'ident', id: id(), at, name }),
    call: (name, ...args) => call(at, name, args),
    member: (target, name) => call(at, name, [], target),
    list: (...values) => {
      const elements = values.map((value) => ({ value, optional: false }));
      return node({ kind: 'list', id: id(), at, elements }, ...values);
    },
    map: () => node({ kind: 'map', id: id(), at, entries: [] }),
    has: (operand, field) => node({ kind: 'select', id: id(), at, operand, field, test: true }, operand),
    loop: (parts) =>
      node(
        { kind: 'comprehension', id: id(), at, ...parts },
        parts.range,
        parts.init,
        parts.condition,
        parts.step,
        parts.result,
      ),
  });
  const callOrMacro = (at: number, name: string, args: readonly Expr[], target?: Expr): Expr => {
    const expanded = expandMacro({ name, target, args, at }, maker(at));
    if (expanded === undefined) return call(at, name, args, target);
    if (expanded.kind !== 'error') return expanded;
    report(expanded.at, expanded.message);
    return call(at, name, args, target);
  };

  const expression = (): Expr => {
    if (++nesting > maxNesting) stop(peek().at, `expression recursion limit exceeded: ${maxNesting}`);
    let expr = logical('||', '_||_', () => logical('&&', '_&&_', () => relation()));
    if (is('?')) {
      const { at } = take();
      const yes = logical('||', '_||_', () => logical('&&', '_&&_', () => relation()));
      expect(':');
      expr = call(at, '_?_:_', [expr, yes, expression()]);
    }
    nesting--;
    return expr;
  };
  /** A chain of one logical operator as a balanced tree, so that a thousand terms are ten levels. */
  const logical = (sign: string, name: string, term: () => Expr): Expr => {
    const terms = [term()];
    const places: number[] = [];
    while (is(sign)) {
      places.push(take().at);
      terms.push(term());
    }
    const balance = (from: number, to: number): Expr => {
      if (from === to) return terms[from] as Expr;
      const middle = (from + to) >> 1;
      return call(places[middle] ?? 0, name, [balance(from, middle), balance(middle + 1, to)]);
    };
    return balance(0, terms.length - 1);
  };
  const relation = (): Expr => {
    let left = sum();
    while (relations.has(peek().text) && is(peek().text)) {
      const { at, text } = take();
      left = call(at, text === 'in' ? '@in' : `_${text}_`, [left, sum()]);
    }
    return left;
  };
  const sum = (): Expr => {
    let left = product();
    while (is('+') || is('-')) {
      const { at, text } = take();
      left = call(at, `_${text}_`, [left, product()]);
    }
    return left;
  };
  const product = (): Expr => {
    let left = unary();
    while (is('*') || is('/') || is('%')) {
      const { at, text } = take();
      left = call(at, `_${text}_`, [left, unary()]);
    }
    return left;
  };
  const unary = (): Expr => {
    const sign = is('!') ? '!' : is('-') ? '-' : undefined;
    if (sign === undefined) return member(primary());
    const { at } = peek();
    let count = 0;
    while (is(sign)) {
      take();
      count++;
    }
    const next = peek().kind;
    if (sign === '-' && (next === 'int' || next === 'double')) {
      position--;
      count--;
    }
    const operand = member(primary());
    return count % 2 === 0 ? operand : call(at, sign === '!' ? '!_' : '-_', [operand]);
  };

  const member = (start: Expr): Expr => {
    let expr = start;
    for (;;) {
      if (is('.')) expr = selection(expr);
      else if (is('[')) {
        const { at } = take();
        const optional = is('?');
        if (optional) take();
        const index = expression();
        expect(']');
        expr = call(at, optional ? '_[?_]' : '_[_]', [expr, index]);
      } else return expr;
    }
  };
  const selection = (operand: Expr): Expr => {
    const { at } = take();
    const optional = is('?');
    if (optional) take();
    const name = peek();
    if (name.kind !== 'ident' || keywords.has(name.text)) {
      if (name.kind === 'end') return stop(name.at, `Syntax error: no viable alternative at input '.'`);
      return stop(name.at, `Syntax error: no viable alternative at input '.${name.text}'`);
    }
    take();
    if (!optional && is('(')) {
      const open = take();
      return callOrMacro(open.at, name.text, list(')'), operand);
    }
    if (!optional) return node({ kind: 'select', id: id(), at, operand, field: name.text, test: false }, operand);
    const field = node({ kind: 'literal', id: id(), at: name.at, value: name.text });
    return call(at, '_?._', [operand, field]);
  };
  const list = (close: string): Expr[] => {
    const values: Expr[] = [];
    if (!is(close)) {
      values.push(expression());
      while (is(',')) {
        take();
        values.push(expression());
      }
    }
    expect(close);
    return values;
  };

  const primary = (): Expr => {
    const token = peek();
    if (token.kind === 'symbol') {
      if (token.text === '(') {
        take();
        const inner = expression();
        expect(')');
        return inner;
      }
      if (token.text === '[') return listLiteral();
      if (token.text === '{') return mapLiteral();
      if (token.text === '.') return name();
      if (token.text === '-' && (peek(1).kind === 'int' || peek(1).kind === 'double')) {
        take();
        return number(take(), token);
      }
    }
    if (token.kind === 'ident') {
      const value = token.text === 'true' ? true : token.text === 'false' ? false : null;
      if (token.text === 'null' || typeof value === 'boolean') {
        return node({ kind: 'literal', id: id(), at: take().at, value });
      }
      if (!keywords.has(token.text)) return name();
    }
    if (token.kind === 'string' || token.kind === 'bytes') {
      take();
      const read = token.kind === 'string' ? unquoteString(token.text) : unquoteBytes(token.text);
      if ('error' in read) report(token.at, read.error);
      return node({ kind: 'literal', id: id(), at: token.at, value: 'error' in read ? '' : read.value });
    }
    if (token.kind === 'int' || token.kind === 'uint' || token.kind === 'double') return number(take());
    expected(starters, startsExpression);
    return primary();
  };
  const number = (token: Token, minus?: Token): Expr => {
    const at = minus?.at ?? token.at;
    const text = minus === undefined ? token.text : `-${token.text}`;
    const literal = (value: number | bigint | Uint | Double): Expr => node({ kind: 'literal', id: id(), at, value });
    if (token.kind === 'double') {
      const value = Number(text);
      if (!Number.isFinite(value)) report(at, 'invalid double literal');
      return literal(new Double(value));
    }
    const value = token.kind === 'int' ? parseInteger(text) : parseUnsigned(text);
    if (value === undefined) {
      report(at, `invalid ${token.kind} literal`);
      return literal(0);
    }
    return literal(token.kind === 'int' ? value : new Uint(BigInt(value)));
  };
  const name = (): Expr => {
    const dot = is('.') ? take() : undefined;
    const token = peek();
    if (token.kind !== 'ident' || keywords.has(token.text)) {
      return stop(
        token.at,
        `Syntax error: no viable alternative at input '.${token.kind === 'end' ? '' : token.text}'`,
      );
    }
    const length = structNameLength();
    if (length > 0) return structLiteral(dot === undefined ? '' : '.', length);
    take();
    const full = (dot === undefined ? '' : '.') + token.text;
    if (reserved.has(token.text)) report((dot ?? token).at, `reserved identifier: ${token.text}`);
    if (is('(')) {
      const open = take();
      return callOrMacro(open.at, full, list(')'));
    }
    return node({ kind: 'ident', id: id(), at: token.at, name: full });
  };
  /** How many tokens of `a.b.c` come before a `{`, or 0 when what follows names no type to construct. */
  const structNameLength = (): number => {
    let length = 1;
    while (is('.', length) && peek(length + 1).kind === 'ident') length += 2;
    return is('{', length) ? length : 0;
  };
  const structLiteral = (prefix: string, length: number): Expr => {
    let type = prefix;
    for (let i = 0; i < length; i++) type += take().text;
    const { at } = take();
    const fields: Field[] = [];
    while (!is('}') && !(is(',') && fields.length === 0)) {
      const optional = is('?');
      if (optional) take();
      const token = peek();
      if (token.kind !== 'ident' || keywords.has(token.text)) {
        expected(`{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}`, (next) => next.kind === 'ident');
        continue;
      }
      take();
      const colon = expect(':');
      fields.push({ name: token.text, at: colon.at, value: expression(), optional });
      if (!is(',')) break;
      take();
    }
    if (is(',')) take();
    expect('}', "{'}', ','}");
    return node({ kind: 'struct', id: id(), at, type, fields }, ...fields.map((field) => field.value));
  };
  const listLiteral = (): Expr => {
    const { at } = take();
    const elements: Element[] = [];
    while (!is(']') && !(is(',') && elements.length === 0)) {
      const optional = is('?');
      if (optional) take();
      elements.push({ value: expression(), optional });
      if (!is(',')) break;
      take();
    }
    if (is(',')) take();
    expect(']');
    return node({ kind: 'list', id: id(), at, elements }, ...elements.map((element) => element.value));
  };
  const mapLiteral = (): Expr => {
    const { at } = take();
    const entries: Entry[] = [];
    while (!is('}') && !(is(',') && entries.length === 0)) {
      const optional = is('?');
      if (optional) take();
      const key = expression();
      expect(':');
      entries.push({ key, value: expression(), optional });
      if (!is(',')) break;
      take();
    }
    if (is(',')) take();
    expect('}', "{'}', ','}");
    return node({ kind: 'map', id: id(), at, entries }, ...entries.flatMap((entry) => [entry.key, entry.value]));
  };

  return () => {
    try {
      const expr = expression();
      if (peek().kind !== 'end') expected('<EOF>', (token) => token.kind === 'end');
      return expr;
    } catch (error) {
      if (error instanceof Stop) return undefined;
      throw error;
    }
  };
}

function startsExpression(token: Token): boolean {
  if (token.kind === 'symbol') return ['[', '{', '(', '.', '-', '!'].includes(token.text);
  return token.kind !== 'end' && token.kind !== 'quoted' && token.text !== 'in';
}
