import {
  dns1035LabelFormat,
  dnsLabelFormat,
  dnsSubdomainFormat,
  labelValueFormat,
  namePartFormat,
  type NameFormat,
} from '../../std/name-format.ts';
import type { Functions } from '../environment.ts';
import { parseDate, parseTimestamp } from '../time.ts';
import { listOf, optionalOf, string } from '../types.ts';
import { List, Optional } from '../values.ts';
import { global, library, member } from './define.ts';
import { opaqueKind } from './opaque.ts';
import { parseUrl } from './url.ts';

/** Named spellings that texts may be held to. Source: Kubernetes, apiserver, cel/library/format; apimachinery, validation. */
interface Format {
  /** What is wrong with a text; empty when nothing is. */
  readonly problems: (text: string) => readonly string[];
  /** As a pattern of how many characters it counts in costs. */
  readonly size: number;
}

const kind = opaqueKind<Format>('kubernetes.NamedFormat', (a, b) => a === b);
export const formatTypes = new Map([['kubernetes.NamedFormat', kind.type]]);

const held =
  ({ pattern, limit, text }: NameFormat) =>
  (given: string): string[] => [
    ...(given.length > limit ? [`must be no more than ${limit} bytes`] : []),
    ...(given.length <= 1000 && pattern.test(given) ? [] : [text]),
  ];
/** What may be the beginning of a generated name: a dash at its end is not the last character. */
const prefix =
  (check: (text: string) => string[]) =>
  (text: string): string[] =>
    check(text.length > 1 && text.endsWith('-') ? `${text.slice(0, -1)}a` : text);

const dnsLabel = held(dnsLabelFormat);
const dnsSubdomain = held(dnsSubdomainFormat);
const dnsLetterLabel = held(dns1035LabelFormat);
const namePart = held(namePartFormat);

function qualifiedName(text: string): string[] {
  const parts = text.split('/');
  const [first = '', second] = parts;
  if (parts.length > 2) {
    return [
      `a qualified name ${namePartFormat.text.replace('name part ', '')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const part = second ?? first;
  const before =
    second === undefined
      ? []
      : first === ''
        ? ['prefix part must be non-empty']
        : dnsSubdomain(first).map((problem) => `prefix part ${problem}`);
  return [...before, ...(part === '' ? ['name part must be non-empty'] : []), ...namePart(part)];
}

const one =
  (holds: (text: string) => boolean, problem: string) =>
  (text: string): string[] =>
    holds(text) ? [] : [problem];

const formats: Readonly<Record<string, Format>> = {
  dns1123Label: { problems: dnsLabel, size: 30 },
  dns1123Subdomain: { problems: dnsSubdomain, size: 60 },
  dns1035Label: { problems: dnsLetterLabel, size: 30 },
  qualifiedName: { problems: qualifiedName, size: 60 },
  dns1123LabelPrefix: { problems: prefix(dnsLabel), size: 30 },
  dns1123SubdomainPrefix: { problems: prefix(dnsSubdomain), size: 60 },
  dns1035LabelPrefix: { problems: prefix(dnsLetterLabel), size: 30 },
  labelValue: { problems: held(labelValueFormat), size: 40 },
  uri: {
    problems: (text) => {
      const parsed = parseUrl(text);
      return typeof parsed === 'string' ? [parsed] : [];
    },
    size: 1500,
  },
  uuid: {
    problems: one(
      (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
      'does not match the UUID format',
    ),
    size: 80,
  },
  byte: {
    problems: one((text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text), 'invalid base64'),
    size: 80,
  },
  date: { problems: one((text) => parseDate(text) !== undefined, 'invalid date'), size: 80 },
  datetime: { problems: one((text) => parseTimestamp(text) !== undefined, 'invalid datetime'), size: 80 },
};

const values = new Map(Object.entries(formats).map(([key, format]) => [key, kind.of(format, format.size)]));

export const namedFormats: Functions = library({
  'format.named': [
    global('format-named', [string], optionalOf(kind.type), ([key]) => new Optional(values.get(key as string))),
  ],
  ...Object.fromEntries(
    [...values].map(([key, format]) => [`format.${key}`, [global(`format.${key}`, [], kind.type, () => format)]]),
  ),
  validate: [
    member('format-validate', [kind.type, string], optionalOf(listOf(string)), ([format, text]) => {
      const problems = kind.held(format).problems(text as string);
      return new Optional(problems.length === 0 ? undefined : List.of([...problems]));
    }),
  ],
});
