import type { Functions } from '../environment.ts';
import { intOf } from '../literals.ts';
import { bool, int, string } from '../types.ts';
import { Failure, type Result, type Value } from '../values.ts';
import { global, library, member } from './define.ts';
import { opaqueKind } from './opaque.ts';

/** Semantic versions (semver.org, 2.0). Source: Kubernetes, apiserver, cel/library/semver. */
interface Version {
  readonly numbers: readonly bigint[];
  readonly before: readonly string[];
}

const kind = opaqueKind<Version>('kubernetes.Semver', (a, b) => compareVersions(a, b) === 0);
export const semverTypes = new Map([['kubernetes.Semver', kind.type]]);

const two = [kind.type, kind.type];
const compare = (a: Value | undefined, b: Value | undefined): number => compareVersions(kind.held(a), kind.held(b));
const part =
  (index: number) =>
  ([value]: readonly Value[]): Result =>
    intOf(kind.held(value).numbers[index] ?? 0n) ?? 0;
const make = ([text, normal]: readonly Value[]): Result => {
  const version = parse(text as string, normal === true);
  return version === undefined
    ? new Failure(`${JSON.stringify(text)} is not a valid semantic version`)
    : kind.of(version);
};
const is = ([text, normal]: readonly Value[]): Result => parse(text as string, normal === true) !== undefined;

export const semver: Functions = library({
  semver: [
    global('string_to_semver', [string], kind.type, make),
    global('string_bool_to_semver', [string, bool], kind.type, make),
  ],
  isSemver: [global('is_semver_string', [string], bool, is), global('is_semver_string_bool', [string, bool], bool, is)],
  major: [member('semver_major', [kind.type], int, part(0))],
  minor: [member('semver_minor', [kind.type], int, part(1))],
  patch: [member('semver_patch', [kind.type], int, part(2))],
  isGreaterThan: [member('semver_is_greater_than', two, bool, ([a, b]) => compare(a, b) > 0)],
  isLessThan: [member('semver_is_less_than', two, bool, ([a, b]) => compare(a, b) < 0)],
  compareTo: [member('semver_compare_to', two, int, ([a, b]) => compare(a, b))],
});

function parse(text: string, normal: boolean): Version | undefined {
  const parts = /^(\d{1,20})\.(\d{1,20})\.(\d{1,20})(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$/.exec(
    normal ? normalize(text) : text,
  );
  if (parts === null) return undefined;
  const numbers = parts.slice(1, 4);
  const before = parts[4]?.split('.') ?? [];
  const isPlain = (number: string): boolean => number === '0' || !number.startsWith('0');
  if (!numbers.every(isPlain) || numbers.some((number) => BigInt(number) >= 2n ** 64n)) return undefined;
  if (!before.every((name) => name !== '' && (!/^\d+$/.test(name) || isPlain(name)))) return undefined;
  if (parts[5]?.split('.').includes('') === true) return undefined;
  return { numbers: numbers.map(BigInt), before };
}

/** Without a leading v, without leading zeros, and with a minor and a patch number. */
function normalize(text: string): string {
  const [major = '', minor, ...rest] = text.replace(/^v/, '').split('.');
  const parts = [major, ...(minor === undefined ? [] : [minor]), ...(rest.length === 0 ? [] : [rest.join('.')])];
  if (parts.length < 3 && /[+-]/.test(parts.at(-1) ?? '')) return '';
  while (parts.length < 3) parts.push('0');
  return parts.map((one) => one.replace(/^0+(?=\d)/, '')).join('.');
}

function compareVersions(a: Version, b: Version): number {
  for (const [index, number] of a.numbers.entries()) {
    const other = b.numbers[index] ?? 0n;
    if (number !== other) return number < other ? -1 : 1;
  }
  if (a.before.length === 0 || b.before.length === 0) return Math.sign(b.before.length - a.before.length);
  for (const [index, name] of a.before.entries()) {
    const other = b.before[index];
    if (other === undefined) return 1;
    if (name !== other) return compareNames(name, other);
  }
  return Math.sign(a.before.length - b.before.length);
}

/** Numbers by worth and before words; words by their bytes. */
function compareNames(a: string, b: string): number {
  const [aNumber, bNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (aNumber && bNumber) return BigInt(a) < BigInt(b) ? -1 : 1;
  if (aNumber !== bNumber) return aNumber ? -1 : 1;
  return a < b ? -1 : 1;
}
