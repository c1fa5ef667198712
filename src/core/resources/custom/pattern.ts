/**
 * Patterns of schemas, matched by RE2: the time of a match is bounded by the length of the text times the size of the
 * program, whatever the pattern. Both are bounded here, because that product is not small for everybody.
 */
import { RE2JS } from 're2js';

/** Instructions of one compiled pattern. Chosen: ten times the largest seen in published definitions. */
const maxProgram = 10_000;
/** Characters of a pattern. Chosen likewise. */
const maxLength = 10_000;
/** Steps of one match, text times program. Chosen: about a second. */
const maxSteps = 50_000_000;
/** Instructions of all patterns that one definition declares. Chosen: some two seconds of compiling. */
const maxTogether = 200_000;
/** Instructions of all patterns kept compiled. Chosen: some hundred megabytes at worst. */
const maxKept = 1_000_000;

type Compiled = { readonly kind: 'pattern'; readonly re2: RE2JS } | { readonly kind: 'refused'; readonly why: string };

const kept = new Map<string, Compiled>();
let keptSize = 0;

/** Why `pattern` cannot be used; undefined when it can. */
export function patternFault(pattern: string): string | undefined {
  const compiled = compile(pattern);
  return compiled.kind === 'refused' ? compiled.why : undefined;
}

/** Whether all of `patterns` together are more than one definition may declare. Stops compiling when they are. */
export function areTooMany(patterns: ReadonlySet<string>): boolean {
  let size = 0;
  for (const pattern of patterns) {
    const compiled = compile(pattern);
    size += compiled.kind === 'refused' ? pattern.length : compiled.re2.programSize();
    if (size > maxTogether) return true;
  }
  return false;
}

/** Steps that matching `text` may take. */
export function matchSteps(pattern: string, text: string): number {
  const compiled = compile(pattern);
  return compiled.kind === 'refused' ? 0 : text.length * compiled.re2.programSize();
}

/** Whether `pattern` is found in `text`. False also for what would take too long, or cannot be used. */
export function matchesPattern(pattern: string, text: string): boolean {
  const compiled = compile(pattern);
  if (compiled.kind === 'refused') return false;
  if (text.length * compiled.re2.programSize() > maxSteps) return false;
  return compiled.re2.matcher(text).find();
}

function compile(pattern: string): Compiled {
  const before = kept.get(pattern);
  if (before !== undefined) return before;
  const made = compileNew(pattern);
  keptSize += made.kind === 'pattern' ? made.re2.programSize() : pattern.length;
  if (keptSize > maxKept) {
    kept.clear();
    keptSize = 0;
  }
  kept.set(pattern, made);
  return made;
}

function compileNew(pattern: string): Compiled {
  if (pattern.length > maxLength) return { kind: 'refused', why: `it is longer than ${maxLength} characters` };
  try {
    const re2 = RE2JS.compile(pattern);
    if (re2.programSize() <= maxProgram) return { kind: 'pattern', re2 };
    return { kind: 'refused', why: 'error parsing regexp: expression too large' };
  } catch (error) {
    return { kind: 'refused', why: error instanceof Error ? error.message : 'it does not compile' };
  }
}
