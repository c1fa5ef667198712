/**
 * Addresses and blocks as this room handles them: checked by ipaddr.js, spelled in one way, compared as numbers.
 * Everything that reaches the kernel as text passed through here.
 */
import ipaddr from 'ipaddr.js';

export type Family = 4 | 6;

/** One address: `text` is its only spelling here (RFC 5952; an IPv4-mapped IPv6 address is the IPv4 address it holds). */
export interface Address {
  readonly family: Family;
  readonly text: string;
  readonly value: bigint;
}

/** An inclusive run of addresses of one family. */
export interface AddressRange {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** The address `text` spells, or undefined: short and octal forms, zones and anything else that is no plain address. */
export function parseAddress(text: string): Address | undefined {
  if (text.includes('%')) return undefined;
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.process(text);
  return {
    family: address.kind() === 'ipv4' ? 4 : 6,
    text: address.kind() === 'ipv4' ? address.toString() : new ipaddr.IPv6(address.toByteArray()).toRFC5952String(),
    value: valueOf(address.toByteArray()),
  };
}

/** The addresses of a CIDR block; bits beyond its prefix are ignored. Undefined when `cidr` is no block. */
export function parseBlock(cidr: string): AddressRange | undefined {
  const match = /^(?<address>[^/]+)\/(?<prefix>\d{1,3})$/.exec(cidr);
  const address = parseAddress(match?.groups?.['address'] ?? '');
  if (match === null || address === undefined) return undefined;
  const mapped = address.family === 4 && cidr.includes(':');
  const bits = address.family === 4 ? 32 : 128;
  const prefix = Number(match.groups?.['prefix']) - (mapped ? 96 : 0);
  if (prefix < 0 || prefix > bits) return undefined;
  const host = (1n << BigInt(bits - prefix)) - 1n;
  const first = address.value & ~host;
  return { family: address.family, first, last: first | host };
}

/** `value` spelled as an address of `family`. */
export function formatAddress(family: Family, value: bigint): string {
  const size = family === 4 ? 4 : 16;
  const bytes = Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * (size - 1 - i))) & 0xffn));
  return family === 4 ? new ipaddr.IPv4(bytes).toString() : new ipaddr.IPv6(bytes).toRFC5952String();
}

/**
 * What the union of `blocks` covers when the exceptions of each are taken out of that one alone: disjoint ranges of
 * `family`, ascending, merged where they touch. A block with an exception that cannot be
 * read covers nothing.
 */
export function coverage(
  family: Family,
  blocks: readonly { readonly cidr: string; readonly except?: readonly string[] }[],
): readonly AddressRange[] {
  const pieces = blocks.flatMap((block) => {
    const whole = parseBlock(block.cidr);
    if (whole?.family !== family) return [];
    let left: readonly AddressRange[] = [whole];
    for (const hole of (block.except ?? []).map(parseBlock)) {
      if (hole === undefined) return [];
      if (hole.family === family) left = left.flatMap((range) => without(range, hole));
    }
    return left;
  });
  return merged(pieces);
}

/** Whether one of `ranges` (disjoint, ascending, of one family) holds `address`. */
export function covers(ranges: readonly AddressRange[], address: Address): boolean {
  let [low, high] = [0, ranges.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (range === undefined || range.family !== address.family) return false;
    if (address.value < range.first) high = middle - 1;
    else if (address.value > range.last) low = middle + 1;
    else return true;
  }
  return false;
}

function without(range: AddressRange, hole: AddressRange): readonly AddressRange[] {
  if (hole.last < range.first || hole.first > range.last) return [range];
  const left = range.first < hole.first ? [{ ...range, last: hole.first - 1n }] : [];
  const right = range.last > hole.last ? [{ ...range, first: hole.last + 1n }] : [];
  return [...left, ...right];
}

function merged(ranges: readonly AddressRange[]): readonly AddressRange[] {
  const result: AddressRange[] = [];
  for (const range of ranges.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const before = result.at(-1);
    if (before !== undefined && range.first <= before.last + 1n) {
      result[result.length - 1] = { ...before, last: range.last > before.last ? range.last : before.last };
    } else result.push(range);
  }
  return result;
}

function valueOf(bytes: readonly number[]): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
