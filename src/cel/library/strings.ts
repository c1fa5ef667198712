import { noOverload } from '../arithmetic.ts';
import type { Functions } from '../environment.ts';
import type { Meter } from '../meter.ts';
import { sizeOf, traversal } from '../run-cost.ts';
import { dyn, int, listOf, string } from '../types.ts';
import { Failure, List, type Result, type Value } from '../values.ts';
import { global, library, member } from './define.ts';
import { formatText } from './text-format.ts';

/**
 * Work on text, by code points. Source: cel-go, ext/strings, version 2. What a call makes longer than what it was given
 * costs its own length, so that no chain of calls can double its way out of the limit.
 */
const outOfRange = (index: number): Failure => new Failure(`index out of range: ${index}`);

export const strings: Functions = library({
  charAt: [
    member('string_char_at_int', [string, int], string, ([text, at]) => {
      const [whole, index] = [text as string, Number(at)];
      let [here, left] = [0, index];
      for (; left > 0 && here < whole.length; left--) here += (whole.charCodeAt(here) & 0xfc00) === 0xd800 ? 2 : 1;
      if (left !== 0) return outOfRange(index);
      return here < whole.length ? String.fromCodePoint(whole.codePointAt(here) ?? 0) : '';
    }),
  ],
  indexOf: [
    member('string_index_of_string', [string, string], int, ([text, part]) => find(text, part, 0)),
    member('string_index_of_string_int', [string, string, int], int, ([text, part, from]) =>
      find(text, part, Number(from)),
    ),
  ],
  lastIndexOf: [
    member('string_last_index_of_string', [string, string], int, ([text, part]) => findLast(text, part)),
    member('string_last_index_of_string_int', [string, string, int], int, ([text, part, from]) =>
      findLast(text, part, Number(from)),
    ),
  ],
  join: [
    member('list_join', [listOf(string)], string, ([list], meter) => join(list, '', meter)),
    member('list_join_string', [listOf(string), string], string, ([list, separator], meter) =>
      join(list, separator as string, meter),
    ),
  ],
  lowerAscii: [
    member('string_lower_ascii', [string], string, ([text]) =>
      (text as string).replace(/[A-Z]+/g, (part) => part.toLowerCase()),
    ),
  ],
  upperAscii: [
    member('string_upper_ascii', [string], string, ([text]) =>
      (text as string).replace(/[a-z]+/g, (part) => part.toUpperCase()),
    ),
  ],
  replace: [
    member('string_replace_string_string', [string, string, string], string, (args, meter) => replace(args, -1, meter)),
    member('string_replace_string_string_int', [string, string, string, int], string, (args, meter) =>
      replace(args, Number(args[3]), meter),
    ),
  ],
  split: [
    member('string_split_string', [string, string], listOf(string), ([text, by]) => split(text, by, -1)),
    member('string_split_string_int', [string, string, int], listOf(string), ([text, by, limit]) =>
      split(text, by, Number(limit)),
    ),
  ],
  substring: [
    member('string_substring_int', [string, int], string, ([text, from]) => substring(text, Number(from))),
    member('string_substring_int_int', [string, int, int], string, ([text, from, to]) =>
      substring(text, Number(from), Number(to)),
    ),
  ],
  trim: [member('string_trim', [string], string, ([text]) => trim(text as string))],
  format: [
    member('string_format', [string, listOf(dyn)], string, ([text, args], meter) =>
      formatText(text as string, args as List, meter),
    ),
  ],
  'strings.quote': [global('strings_quote', [string], string, ([text]) => quote(text as string))],
});

function pointsOf(text: Value | undefined): readonly string[] {
  return Array.from(text as string);
}

const hasSurrogates = (text: string): boolean => /[\ud800-\udfff]/.test(text);

function find(text: Value | undefined, part: Value | undefined, from: number): Result {
  const [whole, wanted] = [text as string, part as string];
  if (from < 0 || from > sizeOf(whole)) return outOfRange(from);
  if (!hasSurrogates(whole)) return whole.indexOf(wanted, from);
  const start = pointsOf(whole).slice(0, from).join('').length;
  const found = whole.indexOf(wanted, start);
  return found < 0 ? -1 : sizeOf(whole.slice(0, found));
}

function findLast(text: Value | undefined, part: Value | undefined, from?: number): Result {
  const [whole, wanted] = [text as string, part as string];
  if (from !== undefined && (from < 0 || from > sizeOf(whole))) return outOfRange(from);
  const start = from === undefined ? whole.length : pointsOf(whole).slice(0, from).join('').length;
  const found = whole.lastIndexOf(wanted, start);
  return found < 0 ? -1 : sizeOf(whole.slice(0, found));
}

function join(list: Value | undefined, separator: string, meter: Meter): Result {
  const parts: string[] = [];
  let size = 0;
  for (const part of list as List) {
    if (typeof part !== 'string') return noOverload;
    parts.push(part);
    size += part.length + separator.length;
    if (size > 1_000_000) meter.charge(traversal(size)); // before the memory is taken
  }
  return parts.join(separator);
}

function replace(args: readonly Value[], limit: number, meter: Meter): Result {
  const [text, part, by] = args as readonly string[];
  if (text === undefined || part === undefined || by === undefined || limit === 0) return text ?? '';
  const pieces = part === '' ? ['', ...Array.from(text), ''] : text.split(part);
  const most = part === '' ? pieces.length - 1 : pieces.length - 1;
  const count = limit < 0 ? most : Math.min(limit, most);
  const grown = count * Math.max(0, by.length - part.length);
  meter.charge(traversal(grown));
  const head = pieces.slice(0, count + 1).join(by);
  return count === most ? head : [head, ...pieces.slice(count + 1)].join(part);
}

function split(text: Value | undefined, by: Value | undefined, limit: number): Result {
  if (limit === 0) return List.of([]);
  const [whole, separator] = [text as string, by as string];
  const parts = separator === '' ? Array.from(whole) : whole.split(separator);
  if (limit < 0 || parts.length <= limit) return List.of(parts);
  return List.of([...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)]);
}

function substring(text: Value | undefined, from: number, to?: number): Result {
  const whole = text as string;
  const size = sizeOf(whole);
  const end = to ?? size;
  if (from < 0 || from > size) return outOfRange(from);
  if (end < 0 || end > size) return outOfRange(end);
  if (from > end) return new Failure(`invalid substring range. start: ${from}, end: ${end}`);
  return hasSurrogates(whole) ? pointsOf(whole).slice(from, end).join('') : whole.slice(from, end);
}

/** What Unicode calls white space; the language's own trim also takes U+FEFF, and leaves U+0085. */
const blank = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

function trim(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && blank.test(text.charAt(from))) from++;
  while (to > from && blank.test(text.charAt(to - 1))) to--;
  return text.slice(from, to);
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['\u0007', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
  ['\\', '\\\\'],
  ['"', '\\"'],
]);

/** `text` as a literal between double quotes. */
function quote(text: string): string {
  const escaped = Array.from(text.replace(/[\ud800-\udfff]/gu, '\ufffd'), (point) => escapes.get(point) ?? point);
  return `"${escaped.join('')}"`;
}
