/**
 * Source text into tokens. White space and `//` comments separate tokens and are dropped. A character that begins no
 * token is reported and skipped, so that one stray character costs one issue.
 * Source: cel-spec, doc/langdef.md, "Syntax".
 */
export type TokenKind = 'ident' | 'quoted' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'symbol' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** As written, quotes and prefixes included; `<EOF>` at the end. */
  readonly text: string;
  /** UTF-16 offset in the source. */
  readonly at: number;
}

export interface LexError {
  readonly at: number;
  readonly message: string;
}

const blank = /(?:[\t \r\n\f]+|\/\/[^\n]*)+/y;
const float = /(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)/y;
const integer = /(?:0x[0-9a-fA-F]+|\d+)/y;
const word = /[A-Za-z_][A-Za-z0-9_]*/y;
const quoted = /`[A-Za-z0-9_.\-/ ]+`/y;
const symbol = /(?:==|!=|<=|>=|&&|\|\||[<>[\]{}().,\-!?:+*/%])/y;
const stringStart = /(?:[bB][rR]?|[rR])?(?:"""|'''|"|')/y;

/** The tokens of `source`, closed by one of kind `end`, and what could not be read. Time is linear in the length. */
export function lex(source: string): { readonly tokens: readonly Token[]; readonly errors: readonly LexError[] } {
  const tokens: Token[] = [];
  const errors: LexError[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  const push = (kind: TokenKind, text: string): void => {
    tokens.push({ kind, text, at });
    at += text.length;
  };
  for (;;) {
    at += match(blank)?.length ?? 0;
    if (at >= source.length) break;
    const opening = match(stringStart);
    if (opening !== undefined) {
      const end = stringEnd(source, at, opening);
      if (end.closed) push(/^[bB]/.test(opening) ? 'bytes' : 'string', source.slice(at, end.at));
      else {
        errors.push({ at, message: unrecognized(source.slice(at, end.at)) });
        at = end.at;
      }
      continue;
    }
    const number = match(float);
    if (number !== undefined) {
      push('double', number);
      continue;
    }
    const digits = match(integer);
    if (digits !== undefined) {
      const unsigned = /^[uU]/.test(source.charAt(at + digits.length));
      push(unsigned ? 'uint' : 'int', unsigned ? source.slice(at, at + digits.length + 1) : digits);
      continue;
    }
    const name = match(word);
    if (name !== undefined) {
      push('ident', name);
      continue;
    }
    const escaped = match(quoted);
    if (escaped !== undefined) {
      push('quoted', escaped);
      continue;
    }
    const sign = match(symbol);
    if (sign !== undefined) {
      push('symbol', sign);
      continue;
    }
    // A lone & or | takes the character after it along, as the field's lexer does.
    const point = String.fromCodePoint(source.codePointAt(at) ?? 0);
    const skipped = point === '&' || point === '|' || point === '=' ? source.slice(at, at + 2) : point;
    errors.push({ at, message: unrecognized(skipped) });
    at += skipped.length;
  }
  tokens.push({ kind: 'end', text: '<EOF>', at: source.length });
  return { tokens, errors };
}

function unrecognized(text: string): string {
  return `Syntax error: token recognition error at: '${text.replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')}'`;
}

/** Where the string that begins at `from` with `opening` ends; not closed when it breaks off or holds an unknown escape. */
function stringEnd(source: string, from: number, opening: string): { at: number; closed: boolean } {
  const raw = /[rR]/.test(opening);
  const quote = opening.endsWith(`"""`) || opening.endsWith("'''") ? opening.slice(-3) : opening.slice(-1);
  let at = from + opening.length;
  while (at < source.length) {
    if (source.startsWith(quote, at)) return { at: at + quote.length, closed: true };
    const char = source.charAt(at);
    if (quote.length === 1 && (char === '\n' || char === '\r')) return { at, closed: false };
    if (char === '\\' && !raw) {
      const length = escapeLength(source, at);
      if (length === 0) return { at: Math.min(at + 2, source.length), closed: false };
      at += length;
    } else at++;
  }
  return { at: source.length, closed: false };
}

const escape = /\\(?:[abfnrtv"'\\?`]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/y;

function escapeLength(source: string, at: number): number {
  escape.lastIndex = at;
  return escape.exec(source)?.[0].length ?? 0;
}
