import type { RE2JS } from 're2js';
import { compilePattern, findsPattern, isPatternKept } from '../../std/pattern.ts';
import type { Meter } from '../meter.ts';
import { matchingCost } from '../run-cost.ts';
import { Failure, type Result } from '../values.ts';

/** How many steps of the matcher are taken for one unit of cost. Chosen so that a whole limit lasts seconds. */
const stepsPerUnit = 200;

/** `pattern` for use on `text`; charges what compiling and the match ask for beyond what the call was charged. */
export function patternFor(text: string, pattern: string, meter: Meter): RE2JS | Failure {
  const known = isPatternKept(pattern);
  const made = compilePattern(pattern);
  const compiling = known ? 0 : made.size;
  const matching = made.kind === 'refused' ? 0 : (text.length * made.size) / stepsPerUnit;
  meter.charge(Math.max(0, Math.floor(compiling + matching) - matchingCost(text, pattern)));
  return made.kind === 'refused' ? new Failure(made.why) : made.regex;
}

/** Whether the pattern occurs anywhere in `text`. */
export function matchesPattern(text: string, pattern: string, meter: Meter): Result {
  const regex = patternFor(text, pattern, meter);
  return regex instanceof Failure ? regex : findsPattern(regex, text);
}
