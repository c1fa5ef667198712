/** How names are spelled, each with the text that says so. Source: apimachinery, util/validation. */

export interface NameFormat {
  /** Of the whole text. No repetition in it could start in two ways, so the engine's own matching is linear. */
  readonly pattern: RegExp;
  /** Characters, all of them ASCII, at the most. The pattern does not count them. */
  readonly limit: number;
  /** What a text that the pattern does not match is told. */
  readonly text: string;
}

function format(limit: number, what: string, example: string, source: string): NameFormat {
  const text = `${what} (e.g. ${example}, regex used for validation is '${source}')`;
  return { pattern: new RegExp(`^${source}$`), limit, text };
}

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const name = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

export const dnsLabelFormat = format(
  63,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  "'my-name',  or '123-abc'",
  label,
);

/** Labels joined by dots. */
export const dnsSubdomainFormat = format(
  253,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  "'example.com'",
  `${label}(\\.${label})*`,
);

/** A label that begins with a letter. */
export const dns1035LabelFormat = format(
  63,
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  "'my-name',  or 'abc-123'",
  '[a-z]([-a-z0-9]*[a-z0-9])?',
);

/** What follows the slash of a label's key, or is all of it. */
export const namePartFormat = format(
  63,
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  "'MyName',  or 'my.name',  or '123-abc'",
  name,
);

/** A label's value; it may be empty. */
export const labelValueFormat = format(
  63,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  "'MyValue',  or 'my_value',  or '12345'",
  `(${name})?`,
);
