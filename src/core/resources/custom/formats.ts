/**
 * The formats of strings that schemas may ask for. Any other name of a format means nothing.
 * Source: apiextensions.k8s.io/v1 JSONSchemaProps.format. Each pattern here takes time linear in the text.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { parseInstant } from '../../../std/clock.ts';

const uuid = (version: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i');

const pattern =
  (regexp: RegExp) =>
  (text: string): boolean =>
    text.length <= 4096 && regexp.test(text);

const formats: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['bsonobjectid', pattern(/^[0-9a-f]{24}$/i)],
  ['uri', (text) => (/^[a-z][a-z0-9+.-]*:/i.test(text) ? URL.canParse(text) : text.startsWith('/'))],
  ['email', pattern(/^[^\s@<>]+@[^\s@<>]+$/)],
  ['hostname', pattern(/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i)],
  ['ipv4', isIPv4],
  ['ipv6', isIPv6],
  ['cidr', isCidr],
  ['mac', pattern(/^(([0-9a-f]{2}:){5}|([0-9a-f]{2}-){5})[0-9a-f]{2}$/i)],
  ['uuid', pattern(uuid('[0-9a-f]'))],
  ['uuid3', pattern(uuid('3'))],
  ['uuid4', pattern(uuid('4'))],
  ['uuid5', pattern(uuid('5'))],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCardNumber],
  ['ssn', pattern(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ['hexcolor', pattern(/^#?([0-9a-f]{3}|[0-9a-f]{6})$/i)],
  [
    'rgbcolor',
    (text) => {
      const parts = text.length > 64 ? null : /^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(text);
      return parts !== null && parts.slice(1).every((part) => Number(part) <= 255);
    },
  ],
  ['byte', (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)],
  ['password', () => true],
  ['date', (text) => /^\d{4}-\d\d-\d\d$/.test(text) && isDay(text)],
  ['duration', pattern(/^[-+]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)\s*)+$|^0$/)],
  ['datetime', isDateTime],
  ['date-time', isDateTime],
]);

/** Whether `text` is of `format`. True for a format that is not known. */
export function hasFormat(format: string, text: string): boolean {
  return formats.get(format)?.(text) ?? true;
}

function isDay(text: string): boolean {
  const instant = parseInstant(`${text}T00:00:00Z`);
  return instant !== undefined && new Date(instant).toISOString().startsWith(text);
}

function isDateTime(text: string): boolean {
  const parts = /^(\d{4}-\d\d-\d\d)[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.exec(text.slice(0, 64));
  return parts?.[1] !== undefined && isDay(parts[1]) && parseInstant(text.replace(' ', 'T')) !== undefined;
}

function isCidr(text: string): boolean {
  const [address = '', length = '', more] = text.split('/');
  if (more !== undefined || !/^\d{1,3}$/.test(length)) return false;
  return isIPv4(address) ? Number(length) <= 32 : isIPv6(address) && Number(length) <= 128;
}

function digitsOf(text: string): string {
  return text.length > 64 ? '' : text.replaceAll(/[- ]/g, '');
}

function isIsbn10(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = digits
    .split('')
    .reduce((total, digit, index) => total + (digit === 'X' ? 10 : Number(digit)) * (10 - index), 0);
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^\d{13}$/.test(digits)) return false;
  return (
    digits.split('').reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0) % 10 === 0
  );
}

/** Length, and the check digit. */
function isCardNumber(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^\d{13,19}$/.test(digits)) return false;
  const sum = digits
    .split('')
    .toReversed()
    .reduce((total, digit, index) => {
      const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
      return total + (value > 9 ? value - 9 : value);
    }, 0);
  return sum % 10 === 0;
}
