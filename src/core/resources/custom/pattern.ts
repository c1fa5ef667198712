/** Patterns of schemas: what one definition may declare, and how long one match may take. */
import { compilePattern, findsPattern } from '../../../std/pattern.ts';

/** Steps of one match, text times program. Chosen: about a second. */
const maxSteps = 50_000_000;
/** Instructions of all patterns that one definition declares. Chosen: some two seconds of compiling. */
const maxTogether = 200_000;

/** Why `pattern` cannot be used; undefined when it can. */
export function patternFault(pattern: string): string | undefined {
  const compiled = compilePattern(pattern);
  return compiled.kind === 'refused' ? compiled.why : undefined;
}

/** Whether all of `patterns` together are more than one definition may declare. Stops compiling when they are. */
export function areTooMany(patterns: ReadonlySet<string>): boolean {
  let size = 0;
  for (const pattern of patterns) {
    size += compilePattern(pattern).size;
    if (size > maxTogether) return true;
  }
  return false;
}

/** Steps that matching `text` may take. */
export function matchSteps(pattern: string, text: string): number {
  const compiled = compilePattern(pattern);
  return compiled.kind === 'refused' ? 0 : text.length * compiled.size;
}

/** Whether `pattern` is found in `text`. False also for what would take too long, or cannot be used. */
export function matchesPattern(pattern: string, text: string): boolean {
  const compiled = compilePattern(pattern);
  if (compiled.kind === 'refused' || text.length * compiled.size > maxSteps) return false;
  return findsPattern(compiled.regex, text);
}
