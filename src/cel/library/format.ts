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

const spelled = (what: string, example: string, pattern: string): string =>
  `${what} (e.g. ${example}, regex used for validation is '${pattern}')`;
const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const letterLabel = '[a-z]([-a-z0-9]*[a-z0-9])?';
const name = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const value = `(${name})?`;

const labelText = spelled(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  "'my-name',  or '123-abc'",
  label,
);
const subdomainText = spelled(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  "'example.com'",
  subdomain,
);
const letterText = spelled(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  "'my-name',  or 'abc-123'",
  letterLabel,
);
const nameText = spelled(
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  "'MyName',  or 'my.name',  or '123-abc'",
  name,
);
const valueText = spelled(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  "'MyValue',  or 'my_value',  or '12345'",
  value,
);

/** These patterns have no repetition inside a repetition that could start in two ways, so the engine's own matching is linear. */
const held =
  (pattern: RegExp, text: string, limit: number) =>
  (given: string): string[] => [
    ...(given.length > limit ? [`must be no more than ${limit} bytes`] : []),
    ...(pattern.test(given.slice(0, 1000)) && given.length <= 1000 ? [] : [text]),
  ];
/** What may be the beginning of a generated name: a dash at its end is not the last character. */
const prefix =
  (check: (text: string) => string[]) =>
  (text: string): string[] =>
    check(text.length > 1 && text.endsWith('-') ? `${text.slice(0, -1)}a` : text);

const dnsLabel = held(new RegExp(`^${label}$`), labelText, 63);
const dnsSubdomain = held(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, subdomainText, 253);
const dnsLetterLabel = held(new RegExp(`^${letterLabel}$`), letterText, 63);
const namePart = held(new RegExp(`^${name}$`), nameText, 63);

function qualifiedName(text: string): string[] {
  const parts = text.split('/');
  const [first = '', second] = parts;
  if (parts.length > 2) {
    return [
      `a qualified name ${nameText.replace('name part ', '')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
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
  labelValue: { problems: held(new RegExp(`^${value}$`), valueText, 63), size: 40 },
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
