import { RE2JS } from 're2js';
import type { Meter } from '../meter.ts';
import { matchingCost } from '../run-cost.ts';
import { Failure, type Result } from '../values.ts';

/**
 * Patterns of RE2, whose matching takes time linear in the text, whatever the pattern. The engine's own regular expressions
 * are not used on what users write: `^(a+)+$` keeps them busy for minutes. Linear still means text times the states of the
 * pattern, and `a{1000}` is a thousand of them, so a pattern's weight is bounded before it is compiled and a match
 * costs no less than both ask for.
 */
export interface Pattern {
  readonly regex: RE2JS;
  /** About how many states it has. */
  readonly weight: number;
}

/** Heavier patterns are refused. Chosen: compiling one of this weight takes about 20 ms. */
const maxWeight = 10_000;
/** Compiled patterns are kept up to this weight together; the oldest leaves first. Chosen, not measured. */
const keptWeight = 200_000;
/** How many steps of the matcher are taken for one unit of cost. Chosen so that a whole limit lasts seconds. */
const stepsPerUnit = 200;

const compiled = new Map<string, Pattern | Failure>();
let kept = 0;

/** `pattern`, compiled; a failure that says what is wrong with it. */
export function compilePattern(pattern: string): Pattern | Failure {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const made = compile(pattern);
  compiled.set(pattern, made);
  kept += weightOf(made);
  for (const [oldest, old] of compiled) {
    if (kept <= keptWeight) break;
    compiled.delete(oldest);
    kept -= weightOf(old);
  }
  return made;
}

function weightOf(pattern: Pattern | Failure): number {
  return pattern instanceof Failure ? 100 : Math.max(pattern.weight, 100);
}

function compile(pattern: string): Pattern | Failure {
  const weight = estimate(pattern);
  if (weight > maxWeight) return new Failure('error parsing regexp: expression too large');
  try {
    return { regex: RE2JS.compile(pattern), weight };
  } catch (error) {
    return new Failure(error instanceof Error ? error.message : 'error parsing regexp');
  }
}

/** The states of a pattern, counted from above: each character is one, and a repetition multiplies what it repeats. */
function estimate(pattern: string): number {
  const groups: number[] = [];
  let [total, last] = [0, 0];
  for (let at = 0; at < pattern.length; at++) {
    const repeat = /^\{(\d+)(?:,(\d*))?\}/.exec(pattern.slice(at, at + 12));
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
    if (char === '\\') at++;
    if (char === '*' || char === '+' || char === '?') continue;
    last = 1;
    total++;
  }
  return groups.reduce((sum, group) => sum + group, total);
}

/** `pattern` for use on `text`; charges what the match asks for beyond what its call was charged. */
export function patternFor(text: string, pattern: string, meter: Meter): RE2JS | Failure {
  const known = compiled.get(pattern);
  const made = known ?? compilePattern(pattern);
  if (made instanceof Failure) return made;
  const steps = (known === undefined ? made.weight : 0) + (text.length * made.weight) / stepsPerUnit;
  meter.charge(Math.max(0, Math.floor(steps) - matchingCost(text, pattern)));
  return made.regex;
}

/** Whether the pattern occurs anywhere in `text`. */
export function matchesPattern(text: string, pattern: string, meter: Meter): Result {
  const regex = patternFor(text, pattern, meter);
  return regex instanceof Failure ? regex : regex.test(text);
}
