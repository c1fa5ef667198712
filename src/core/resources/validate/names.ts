/** How names, labels and ports are spelled, each with the text that says so. Source: apimachinery, util/validation. */
import { isLabelKey } from '../../../api/selector.ts';
import {
  dns1035LabelFormat,
  dnsLabelFormat,
  dnsSubdomainFormat,
  labelValueFormat,
  namePartFormat,
  type NameFormat,
} from '../../../std/name-format.ts';

/** Why a text is not of a spelling; undefined when it is. */
export type Spelling = (text: string) => string | undefined;

function atMost(limit: number): string {
  return `must be no more than ${limit} characters`;
}

function spelled({ pattern, limit, text }: NameFormat): Spelling {
  return (given) => {
    if (given.length > limit) return atMost(limit);
    return pattern.test(given) ? undefined : text;
  };
}

/** A DNS label: at most 63 characters. */
export const dnsLabel = spelled(dnsLabelFormat);

/** DNS labels joined by dots: at most 253 characters. */
export const dnsSubdomain = spelled(dnsSubdomainFormat);

/** A DNS label that begins with a letter, as service names do. */
export const dns1035Label = spelled(dns1035LabelFormat);

/** What may stand as one segment of a path. */
export const pathSegment: Spelling = (text) => {
  if (text === '.' || text === '..') return `may not be '${text}'`;
  if (text.includes('/')) return "may not contain '/'";
  return text.includes('%') ? "may not contain '%'" : undefined;
};

/** A label key, or another name with an optional domain before a slash. */
export const qualifiedName: Spelling = (text) => (isLabelKey(text) ? undefined : namePartFormat.text);

/** A label's value. */
export const labelValue = spelled(labelValueFormat);

/** The name of a port: at most 15 of a-z, 0-9 and '-', a letter among them. */
export const portName: Spelling = (text) => {
  if (text.length > 15) return 'must be no more than 15 characters';
  if (!/^[-a-z0-9]+$/.test(text)) return 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)';
  if (!/[a-z]/.test(text)) return 'must contain at least one letter (a-z)';
  if (text.includes('--')) return 'must not contain consecutive hyphens';
  return text.startsWith('-') || text.endsWith('-') ? 'must not begin or end with a hyphen' : undefined;
};

/** Keys of ConfigMaps and Secrets. */
export const dataKey: Spelling = (text) => {
  if (text.length > 253) return atMost(253);
  if (text === '.' || text === '..' || text.startsWith('..')) return `must not be or start with '..'`;
  return /^[-._a-zA-Z0-9]+$/.test(text)
    ? undefined
    : "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
};

/** Names of environment variables: anything printable without '='. */
export const envName: Spelling = (text) =>
  text !== '' && /^[ -<>-~]+$/.test(text)
    ? undefined
    : "a valid environment variable name must consist only of printable ASCII characters other than '='";

/** The text for a number that is no port. */
export const portRange = 'must be between 1 and 65535, inclusive';

/** Whether `value` is a port number. */
export function isPort(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
}
