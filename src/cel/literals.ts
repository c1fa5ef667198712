/**
 * What literals mean. Escapes in strings name code points; in bytes, `\x` and octal escapes name single bytes and
 * everything else its UTF-8. Source: cel-spec, doc/langdef.md, "String and Bytes Values".
 */
const maxInt = 2n ** 63n - 1n;
const minInt = -(2n ** 63n);
const maxUint = 2n ** 64n - 1n;

/** The integer as the evaluator holds it: a number where that is exact, a bigint beyond. Undefined outside 64 bits. */
export function intOf(value: bigint): number | bigint | undefined {
  if (value > maxInt || value < minInt) return undefined;
  return value <= 9007199254740991n && value >= -9007199254740991n ? Number(value) : value;
}

/** What an integer literal (decimal or 0x) with an optional minus means; undefined outside int64. */
export function parseInteger(text: string): number | bigint | undefined {
  return text.startsWith('-') ? intOf(-BigInt(text.slice(1))) : intOf(BigInt(text));
}

/** What an unsigned literal (its `u` included) means; undefined outside uint64. */
export function parseUnsigned(text: string): bigint | undefined {
  const value = BigInt(text.slice(0, -1));
  return value > maxUint ? undefined : value;
}

/** What a string literal means, or why it means nothing. */
export function unquoteString(text: string): { readonly value: string } | { readonly error: string } {
  const { body, raw } = unwrap(text);
  if (raw || !body.includes('\\')) return { value: body };
  let value = '';
  for (const part of parts(body)) {
    if (typeof part === 'string') value += part;
    else if (part.code > 0x10ffff || (part.code >= 0xd800 && part.code <= 0xdfff)) {
      return { error: 'invalid unicode code point' };
    } else value += String.fromCodePoint(part.code);
  }
  return { value };
}

/** What a bytes literal means, or why it means nothing. */
export function unquoteBytes(text: string): { readonly value: Uint8Array } | { readonly error: string } {
  const { body, raw } = unwrap(text.slice(1));
  const encoder = new TextEncoder();
  if (raw || !body.includes('\\')) return { value: encoder.encode(body) };
  const bytes: number[] = [];
  for (const part of parts(body)) {
    if (typeof part === 'string') bytes.push(...encoder.encode(part));
    else if (part.byte) bytes.push(part.code & 0xff);
    else if (part.code > 0x10ffff || (part.code >= 0xd800 && part.code <= 0xdfff)) {
      return { error: 'invalid unicode code point' };
    } else bytes.push(...encoder.encode(String.fromCodePoint(part.code)));
  }
  return { value: Uint8Array.from(bytes) };
}

function unwrap(text: string): { body: string; raw: boolean } {
  const raw = /^[rR]/.test(text);
  const rest = raw ? text.slice(1) : text;
  const quote = rest.startsWith('"""') || rest.startsWith("'''") ? 3 : 1;
  const inner = rest.slice(quote, rest.length - quote);
  return { body: quote === 3 ? inner.replaceAll('\r\n', '\n').replaceAll('\r', '\n') : inner, raw };
}

type Part = string | { readonly code: number; readonly byte: boolean };

const simple: ReadonlyMap<string, string> = new Map([
  ['a', '\u0007'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
]);

function* parts(body: string): Generator<Part> {
  let at = 0;
  while (at < body.length) {
    const next = body.indexOf('\\', at);
    if (next < 0) {
      yield body.slice(at);
      return;
    }
    if (next > at) yield body.slice(at, next);
    const kind = body.charAt(next + 1);
    const digits = kind === 'x' || kind === 'X' ? 2 : kind === 'u' ? 4 : kind === 'U' ? 8 : 0;
    if (digits > 0) {
      yield { code: Number.parseInt(body.slice(next + 2, next + 2 + digits), 16), byte: digits === 2 };
      at = next + 2 + digits;
    } else if (/[0-3]/.test(kind)) {
      yield { code: Number.parseInt(body.slice(next + 1, next + 4), 8), byte: true };
      at = next + 4;
    } else {
      yield simple.get(kind) ?? kind;
      at = next + 2;
    }
  }
}
