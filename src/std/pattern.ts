/**
 * Patterns of RE2, whose matching takes time linear in the text, whatever the pattern. The engine's own regular expressions
 * are not used on what users write: `^(a+)+$` keeps them busy for minutes. Linear still means text times the instructions
 * of the pattern, and `a{1000}` is a thousand of them, so a pattern's size is bounded, as well as can be told before it is
 * compiled. What a match may take is for the caller to bound: the length of the text times `size`.
 */
import { RE2JS } from 're2js';

/** What became of a pattern. `size` is its instructions, or what refusing it took. */
export type CompiledPattern =
  | { readonly kind: 'pattern'; readonly regex: RE2JS; readonly size: number }
  | { readonly kind: 'refused'; readonly why: string; readonly size: number };

/** Characters of a pattern. Chosen: ten times the longest seen in published definitions. */
const maxLength = 10_000;
/** Instructions of one pattern. Chosen likewise; compiling one of this size takes about 20 ms. */
const maxSize = 10_000;
/** Instructions of all patterns kept compiled; the oldest leaves first. Chosen: some hundred megabytes at worst. */
const maxKept = 1_000_000;
/** What keeping a pattern takes at least, however small it is. */
const leastKept = 100;

const compiled = new Map<string, CompiledPattern>();
let kept = 0;

/** Whether `pattern` would be answered without compiling it. */
export function isPatternKept(pattern: string): boolean {
  return compiled.has(pattern);
}

/** `pattern`, compiled, or why it cannot be used. Never throws. */
export function compilePattern(pattern: string): CompiledPattern {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const made = compile(pattern);
  compiled.set(pattern, made);
  kept += keptSize(made);
  for (const [oldest, old] of compiled) {
    if (kept <= maxKept) break;
    compiled.delete(oldest);
    kept -= keptSize(old);
  }
  return made;
}

/** Whether `regex` is found in `text`. Not by its `test`, which keeps up to 8 MB of states for each pattern. */
export function findsPattern(regex: RE2JS, text: string): boolean {
  return regex.matcher(text).find();
}

function keptSize({ size }: CompiledPattern): number {
  return Math.max(size, leastKept);
}

function compile(pattern: string): CompiledPattern {
  const size = pattern.length;
  if (size > maxLength) return { kind: 'refused', why: `it is longer than ${maxLength} characters`, size };
  const tooLarge = 'error parsing regexp: expression too large';
  if (estimate(pattern) > maxSize) return { kind: 'refused', why: tooLarge, size };
  try {
    const regex = RE2JS.compile(pattern);
    const exact = regex.programSize();
    return exact > maxSize ? { kind: 'refused', why: tooLarge, size: exact } : { kind: 'pattern', regex, size: exact };
  } catch (error) {
    return { kind: 'refused', why: error instanceof Error ? error.message : 'error parsing regexp', size };
  }
}

const repetition = /\{(\d+)(?:,(\d*))?\}/y;
const characterClass = /\[\^?\]?(?:\\.|[^\]\\])*\]/y;

/** About the instructions of a pattern: each character or class is one, and a repetition multiplies what it repeats. */
function estimate(pattern: string): number {
  const quotes = pattern.includes('\\Q'); // a bracket may then be text, and what follows it no class
  const groups: number[] = [];
  let [total, last] = [0, 0];
  for (let at = 0; at < pattern.length; at++) {
    const repeat = matchAt(repetition, pattern, at);
    if (repeat !== null) {
      const times = Math.max(Number(repeat[1]), Number(repeat[2] ?? 0), 1);
      total += last * (times - 1);
      last *= times;
      at += repeat[0].length - 1;
      continue;
    }
    const char = pattern.charAt(at);
    if (char === '(') {
      groups.push(total);
      total = 1;
      continue;
    }
    if (char === ')' && groups.length > 0) {
      last = total;
      total += groups.pop() ?? 0;
      continue;
    }
    if (char === '*' || char === '+' || char === '?') continue;
    if (char === '\\') at++;
    else if (char === '[' && !quotes) at += (matchAt(characterClass, pattern, at)?.[0].length ?? 1) - 1;
    last = 1;
    total++;
  }
  return groups.reduce((sum, group) => sum + group, total);
}

function matchAt(sticky: RegExp, text: string, at: number): RegExpExecArray | null {
  sticky.lastIndex = at;
  return sticky.exec(text);
}
