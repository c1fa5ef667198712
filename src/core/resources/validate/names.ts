/** How names, labels and ports are spelled, each with the text that says so. Source: apimachinery, util/validation. */
import { isLabelKey, isLabelValue } from '../../../api/selector.ts';

const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const dns1035Text =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const qualifiedText =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const valueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/** Why a text is not of a spelling; undefined when it is. */
export type Spelling = (text: string) => string | undefined;

function atMost(limit: number): string {
  return `must be no more than ${limit} characters`;
}

/** A DNS label: at most 63 characters. */
export const dnsLabel: Spelling = (text) => {
  if (text.length > 63) return atMost(63);
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text) ? undefined : labelText;
};

/** DNS labels joined by dots: at most 253 characters. */
export const dnsSubdomain: Spelling = (text) => {
  if (text.length > 253) return atMost(253);
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text) ? undefined : subdomainText;
};

/** A DNS label that begins with a letter, as service names do. */
export const dns1035Label: Spelling = (text) => {
  if (text.length > 63) return atMost(63);
  return /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(text) ? undefined : dns1035Text;
};

/** What may stand as one segment of a path. */
export const pathSegment: Spelling = (text) => {
  if (text === '.' || text === '..') return `may not be '${text}'`;
  if (text.includes('/')) return "may not contain '/'";
  return text.includes('%') ? "may not contain '%'" : undefined;
};

/** A label key, or another name with an optional domain before a slash. */
export const qualifiedName: Spelling = (text) => (isLabelKey(text) ? undefined : qualifiedText);

/** A label's value. */
export const labelValue: Spelling = (text) => {
  if (text.length > 63) return atMost(63);
  return isLabelValue(text) ? undefined : valueText;
};

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
