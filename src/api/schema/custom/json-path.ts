/**
 * The JSONPath of printer columns and of scale and selectable fields: `.spec.replicas`, `.metadata.labels.a\.b`,
 * `.status.conditions[?(@.type=="Ready")].status`, `.spec.hosts[*]`, `[0]`, `[-1:]`, `['key']`, `..name`.
 * Source: Kubernetes reference, "JSONPath Support". Evaluation looks at each value of an object at most once for each
 * step, and stops after `maxValues` of them.
 */
import { isFields } from '../../../std/value.ts';

/** Values one evaluation may touch. Chosen: a page of output shows one of them. */
const maxValues = 10_000;
const maxSteps = 64;

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'slice'; readonly from: number | undefined; readonly to: number | undefined }
  | { readonly kind: 'every' }
  | { readonly kind: 'deep' }
  | { readonly kind: 'filter'; readonly path: JsonPath; readonly operator: string; readonly value: unknown };

/** A path that was parsed; made by `parseJsonPath`. */
export interface JsonPath {
  readonly steps: readonly Step[];
}

/** The path that `text` spells, with or without the braces of a template; undefined where it spells none. */
export function parseJsonPath(text: string): JsonPath | undefined {
  const bare = text.startsWith('{') && text.endsWith('}') ? text.slice(1, -1) : text;
  const steps: Step[] = [];
  let at = bare.startsWith('$') || bare.startsWith('@') ? 1 : 0;
  while (at < bare.length) {
    const next = stepAt(bare, at);
    if (next === undefined || steps.length >= maxSteps) return undefined;
    if (next.step !== undefined) steps.push(next.step);
    at = next.end;
  }
  return { steps };
}

/** The values that `path` finds in `value`, in order. */
export function valuesAt(path: JsonPath, value: unknown): readonly unknown[] {
  let found: readonly unknown[] = [value];
  let left = maxValues;
  for (const step of path.steps) {
    const next: unknown[] = [];
    for (const one of found) {
      for (const inner of follow(step, one)) {
        if (--left < 0) return [];
        next.push(inner);
      }
    }
    found = next;
  }
  return found;
}

/** The names of a path that is fields alone (`.spec.replicas`); undefined for any other. */
export function fieldNames(path: JsonPath): readonly string[] | undefined {
  const names = path.steps.map((step) => (step.kind === 'field' ? step.name : undefined));
  return names.every((name) => name !== undefined) ? names : undefined;
}

interface Next {
  /** undefined for a lone dot. */
  readonly step: Step | undefined;
  readonly end: number;
}

function stepAt(text: string, at: number): Next | undefined {
  if (text.startsWith('..', at)) return { step: { kind: 'deep' }, end: at + (text[at + 2] === '[' ? 2 : 1) };
  if (text[at] === '[') return bracketAt(text, at);
  const start = text[at] === '.' ? at + 1 : at;
  if (start === at && at > 0) return undefined;
  if (start >= text.length) return text.length === 1 ? { step: undefined, end: start } : undefined;
  if (text[start] === '[') return bracketAt(text, start);
  if (text[start] === '*') return { step: { kind: 'every' }, end: start + 1 };
  let name = '';
  let end = start;
  for (; end < text.length && text[end] !== '.' && text[end] !== '['; end++) {
    if (text[end] === '\\') end++;
    name += text[end] ?? '';
  }
  return name === '' ? undefined : { step: { kind: 'field', name }, end };
}

function bracketAt(text: string, at: number): Next | undefined {
  const close = closingBracket(text, at);
  if (close === undefined) return undefined;
  const step = bracketStep(text.slice(at + 1, close).trim());
  return step === undefined ? undefined : { step, end: close + 1 };
}

/** Where the bracket that opens at `at` closes, quotes and inner brackets passed over. */
function closingBracket(text: string, at: number): number | undefined {
  let depth = 0;
  let quote = '';
  for (let here = at; here < text.length; here++) {
    const char = text[here];
    if (char === '\\') here++;
    else if (quote !== '') quote = char === quote ? '' : quote;
    else if (char === '"' || char === "'") quote = char;
    else if (char === '[') depth++;
    else if (char === ']' && --depth === 0) return here;
  }
  return undefined;
}

function bracketStep(inside: string): Step | undefined {
  if (inside === '*') return { kind: 'every' };
  const quoted = literal(inside);
  if (typeof quoted === 'string') return { kind: 'field', name: quoted };
  if (/^-?\d{1,9}$/.test(inside)) return { kind: 'index', index: Number(inside) };
  const slice = /^(-?\d{1,9})?:(-?\d{1,9})?$/.exec(inside);
  if (slice !== null) return { kind: 'slice', from: numberOr(slice[1]), to: numberOr(slice[2]) };
  if (!inside.startsWith('?(') || !inside.endsWith(')')) return undefined;
  return filterStep(inside.slice(2, -1).trim());
}

function numberOr(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** `@.type=="Ready"`, or `@.name`: that it is there. One filter in another is not looked into. */
function filterStep(inside: string): Step | undefined {
  const operator = ['==', '!=', '<=', '>=', '<', '>'].find((one) => inside.includes(one));
  const cut = operator === undefined ? inside.length : inside.indexOf(operator);
  const left = inside.slice(0, cut).trim();
  if (!left.startsWith('@') || left.includes('?(')) return undefined;
  const path = parseJsonPath(left);
  if (path === undefined) return undefined;
  if (operator === undefined) return { kind: 'filter', path, operator: 'exists', value: undefined };
  const value = literal(inside.slice(cut + operator.length).trim());
  return value === undefined ? undefined : { kind: 'filter', path, operator, value };
}

/** A quoted text, a number, true or false; undefined for anything else. */
function literal(text: string): string | number | boolean | undefined {
  const quote = text[0];
  if ((quote === '"' || quote === "'") && text.length >= 2 && text.endsWith(quote)) {
    return text.slice(1, -1).replaceAll(/\\(.)/g, '$1');
  }
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function follow(step: Step, value: unknown): readonly unknown[] {
  switch (step.kind) {
    case 'field':
      if (Array.isArray(value)) return [];
      return isFields(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case 'index': {
      if (!Array.isArray(value)) return [];
      const index = step.index < 0 ? value.length + step.index : step.index;
      return index >= 0 && index < value.length ? [value[index]] : [];
    }
    case 'slice':
      return Array.isArray(value) ? value.slice(step.from, step.to) : [];
    case 'every':
      return children(value);
    case 'deep':
      return descendants(value);
    case 'filter':
      return (Array.isArray(value) ? value : []).filter((item) => holds(step, item));
  }
}

function children(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isFields(value) ? Object.values(value) : [];
}

function descendants(value: unknown): readonly unknown[] {
  const found: unknown[] = [];
  const queue: unknown[] = [value];
  for (let one = queue.pop(); found.length < maxValues && one !== undefined; one = queue.pop()) {
    found.push(one);
    queue.push(...children(one).filter((inner) => typeof inner === 'object' && inner !== null));
  }
  return found;
}

function holds({ path, operator, value }: Extract<Step, { kind: 'filter' }>, item: unknown): boolean {
  const [found] = valuesAt(path, item);
  switch (operator) {
    case 'exists':
      return found !== undefined;
    case '==':
      return found === value;
    case '!=':
      return found !== value;
    case '<':
    case '<=':
    case '>':
    case '>=':
      return compares(found, operator, value);
    default:
      return false;
  }
}

function compares(found: unknown, operator: string, value: unknown): boolean {
  if (typeof found !== typeof value || (typeof found !== 'number' && typeof found !== 'string')) return false;
  const [a, b] = [found, value as typeof found]; // of one type, as just checked
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}
