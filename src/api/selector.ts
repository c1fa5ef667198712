/**
 * Label selectors, as text (`app=web,tier in (a,b),!canary`) and as objects ({ matchLabels, matchExpressions }).
 * Both become requirements that must all hold. Source: Kubernetes API concepts, "Labels and selectors"; messages as
 * the API words them.
 */
import { dnsSubdomainFormat, namePartFormat } from '../std/name-format.ts';
import { badRequest } from './status.ts';
import type { LabelSelector } from './types/meta.ts';

export type Labels = Readonly<Record<string, string>>;

/** One condition on one label. `In` needs the key; `NotIn` holds when it is absent. Gt and Lt compare integers. */
export interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values: readonly string[];
}

/** Requirements that must all hold; none selects everything, `nothing` selects no object. */
export type Selector = readonly Requirement[] | 'nothing';

/** Whether an object with `labels` is selected. */
export function matchesLabels(selector: Selector, labels: Labels | undefined): boolean {
  return selector !== 'nothing' && selector.every((requirement) => holds(requirement, labels ?? {}));
}

const objectOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

/** What a LabelSelector object selects: an absent one nothing, an empty one everything. An operator nobody knows selects nothing. */
export function selectorOf(selector: LabelSelector | undefined): Selector {
  if (selector === undefined) return 'nothing';
  const requirements: Requirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    operator: 'In',
    values: [value],
  }));
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = objectOperators.find((name) => name === operator);
    if (known === undefined) return 'nothing';
    requirements.push({ key, operator: known, values: values ?? [] });
  }
  return requirements;
}

/** The text form, keys sorted: `app=web,tier in (a,b)`. Everything is '', and so is nothing, as upstream prints it. */
export function formatSelector(selector: Selector): string {
  if (selector === 'nothing') return '';
  return selector
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(formatRequirement)
    .join(',');
}

/** The selector that `text` spells; '' selects everything. Throws BadRequest where it does not parse. */
export function parseLabelSelector(text: string): Selector {
  const tokens = tokenize(text);
  const requirements: Requirement[] = [];
  let at = 0;
  const peek = (): string => tokens[at] ?? '';
  const take = (): string => tokens[at++] ?? '';
  const fail = (found: string, expected: string): never => {
    throw badRequest(`unable to parse requirement: found '${found}', expected: ${expected}`);
  };
  while (at < tokens.length) {
    const absent = peek() === '!';
    if (absent) at++;
    const key = take();
    if (!isWord(key)) fail(key, absent || requirements.length > 0 ? 'identifier' : "!, identifier, or 'end of string'");
    checkKey(key);
    const operator = peek();
    if (absent || operator === '' || operator === ',')
      requirements.push({ key, operator: absent ? 'DoesNotExist' : 'Exists', values: [] });
    else {
      at++;
      const named = operators.get(operator);
      if (named === undefined) return fail(operator, 'in, notin, =, ==, !=, gt, lt');
      const values =
        operator === 'in' || operator === 'notin' ? takeSet(peek, take, fail) : [isWord(peek()) ? take() : ''];
      checkValues(key, named, values);
      requirements.push({ key, operator: named, values });
    }
    if (peek() === ',') {
      at++;
      if (at === tokens.length) fail('', "identifier after ','");
    } else if (peek() !== '') fail(peek(), "',' or 'end of string'");
  }
  return requirements;
}

const operators: ReadonlyMap<string, Requirement['operator']> = new Map([
  ['=', 'In'],
  ['==', 'In'],
  ['!=', 'NotIn'],
  ['in', 'In'],
  ['notin', 'NotIn'],
  ['>', 'Gt'],
  ['<', 'Lt'],
]);

function tokenize(text: string): readonly string[] {
  return text.match(/==|!=|[=<>!,()]|[^\s=<>!,()]+/g) ?? [];
}

function isWord(token: string): boolean {
  return token !== '' && !/^[=<>!,()]/.test(token);
}

function takeSet(peek: () => string, take: () => string, fail: (found: string, expected: string) => never): string[] {
  const open = take();
  if (open !== '(') fail(open, "'('");
  const values: string[] = [];
  for (;;) {
    values.push(isWord(peek()) ? take() : '');
    const next = take();
    if (next === ')') return [...new Set(values)].toSorted();
    if (next !== ',') fail(next, "',' or ')'");
  }
}

const namePart = namePartFormat.pattern;
const prefixPart = dnsSubdomainFormat.pattern;

/** Whether `key` may be a label key: an optional DNS name and a slash, then at most 63 characters. */
export function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  return (
    name.length <= 63 &&
    namePart.test(name) &&
    (prefix === undefined || (prefix.length <= 253 && prefixPart.test(prefix)))
  );
}

/** Whether `value` may be a label's value: empty, or at most 63 characters. */
export function isLabelValue(value: string): boolean {
  return value === '' || (value.length <= 63 && namePart.test(value));
}

function checkKey(key: string): void {
  if (isLabelKey(key)) return;
  throw badRequest(
    `unable to parse requirement: <nil>: Invalid value: ${JSON.stringify(key)}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`,
  );
}

function checkValues(key: string, operator: Requirement['operator'], values: readonly string[]): void {
  if (operator === 'Gt' || operator === 'Lt') {
    if (values.every((value) => /^-?\d+$/.test(value))) return;
    throw badRequest(
      `unable to parse requirement: values[0]: Invalid value: ${JSON.stringify(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer`,
    );
  }
  const wrong = values.findIndex((value) => !isLabelValue(value));
  if (wrong < 0) return;
  throw badRequest(
    `unable to parse requirement: values[${wrong}][${key}]: Invalid value: ${JSON.stringify(values[wrong])}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`,
  );
}

function holds({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      if (value === undefined || !/^-?\d+$/.test(value)) return false;
      const [own, bound] = [BigInt(value), BigInt(values[0] ?? '0')];
      return operator === 'Gt' ? own > bound : own < bound;
    }
  }
}

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(',')})`;
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${values.join(',')})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    case 'Gt':
      return `${key}>${values[0]}`;
    case 'Lt':
      return `${key}<${values[0]}`;
  }
}
