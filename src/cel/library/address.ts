import type { Functions } from '../environment.ts';
import { bool, int, string } from '../types.ts';
import { Failure, type Value } from '../values.ts';
import { global, library, member } from './define.ts';
import { opaqueKind } from './opaque.ts';

/**
 * IP addresses and blocks of them. Read strictly: no leading zeros, no zones, no IPv4 inside IPv6.
 * Source: Kubernetes, apiserver, cel/library/ip and cidr.
 */
interface Cidr {
  readonly address: Uint8Array;
  readonly length: number;
}

const ip = opaqueKind<Uint8Array>('net.IP', (a, b) => Buffer.compare(a, b) === 0);
const cidr = opaqueKind<Cidr>(
  'net.CIDR',
  (a, b) => a.length === b.length && Buffer.compare(a.address, b.address) === 0,
);
export const addressTypes = new Map([
  ['net.IP', ip.type],
  ['net.CIDR', cidr.type],
]);

const makeIp = (bytes: Uint8Array): ReturnType<typeof ip.of> => ip.of(bytes, bytes.length);
const makeCidr = (block: Cidr): ReturnType<typeof cidr.of> => cidr.of(block, Math.ceil(block.length / 8));
const badIp = (text: string): Failure =>
  new Failure(`IP Address ${JSON.stringify(text)} parse error during conversion from string: unable to parse IP`);
const badCidr = (text: string): Failure =>
  new Failure(`network address parse error during conversion from string: ${JSON.stringify(text)} is no CIDR address`);
const isV4 = (bytes: Uint8Array): boolean => bytes.length === 4;
const at = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0;
const about = (id: string, holds: (bytes: Uint8Array) => boolean) => [
  member(`ip_${id}`, [ip.type], bool, ([value]) => holds(ip.held(value))),
];

const isLinkLocal = (bytes: Uint8Array): boolean =>
  isV4(bytes) ? at(bytes, 0) === 169 && at(bytes, 1) === 254 : at(bytes, 0) === 0xfe && (at(bytes, 1) & 0xc0) === 0x80;
const isLoopback = (bytes: Uint8Array): boolean =>
  isV4(bytes) ? at(bytes, 0) === 127 : bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
const isUnspecified = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
const isMulticast = (bytes: Uint8Array): boolean =>
  isV4(bytes) ? (at(bytes, 0) & 0xf0) === 0xe0 : at(bytes, 0) === 0xff;
const isGlobal = (bytes: Uint8Array): boolean =>
  !isUnspecified(bytes) &&
  !isLoopback(bytes) &&
  !isMulticast(bytes) &&
  !isLinkLocal(bytes) &&
  !(isV4(bytes) && bytes.every((byte) => byte === 255));

export const addresses: Functions = library({
  ip: [
    global('string_to_ip', [string], ip.type, ([text]) => {
      const bytes = parseIp(text as string);
      return bytes === undefined ? badIp(text as string) : makeIp(bytes);
    }),
    member('cidr_ip', [cidr.type], ip.type, ([block]) => makeIp(cidr.held(block).address)),
  ],
  isIP: [global('is_ip', [string], bool, ([text]) => parseIp(text as string) !== undefined)],
  'ip.isCanonical': [
    global('ip_is_canonical', [string], bool, ([text]) => {
      const bytes = parseIp(text as string);
      return bytes === undefined ? badIp(text as string) : formatIp(bytes) === text;
    }),
  ],
  family: [member('ip_family', [ip.type], int, ([value]) => (isV4(ip.held(value)) ? 4 : 6))],
  isUnspecified: about('is_unspecified', isUnspecified),
  isLoopback: about('is_loopback', isLoopback),
  isLinkLocalMulticast: about('is_link_local_multicast', (bytes) =>
    isV4(bytes)
      ? at(bytes, 0) === 224 && at(bytes, 1) === 0 && at(bytes, 2) === 0
      : at(bytes, 0) === 0xff && (at(bytes, 1) & 0x0f) === 2,
  ),
  isLinkLocalUnicast: about('is_link_local_unicast', isLinkLocal),
  isGlobalUnicast: about('is_global_unicast', isGlobal),
  cidr: [
    global('string_to_cidr', [string], cidr.type, ([text]) => {
      const block = parseCidr(text as string);
      return block === undefined ? badCidr(text as string) : makeCidr(block);
    }),
  ],
  isCIDR: [global('is_cidr', [string], bool, ([text]) => parseCidr(text as string) !== undefined)],
  containsIP: [
    member('cidr_contains_ip_ip', [cidr.type, ip.type], bool, ([block, value]) =>
      contains(cidr.held(block), ip.held(value)),
    ),
    member('cidr_contains_ip_string', [cidr.type, string], bool, ([block, text]) => {
      const bytes = parseIp(text as string);
      return bytes === undefined ? badIp(text as string) : contains(cidr.held(block), bytes);
    }),
  ],
  containsCIDR: [
    member('cidr_contains_cidr', [cidr.type, cidr.type], bool, ([block, other]) =>
      covers(cidr.held(block), cidr.held(other)),
    ),
    member('cidr_contains_cidr_string', [cidr.type, string], bool, ([block, text]) => {
      const other = parseCidr(text as string);
      return other === undefined ? badCidr(text as string) : covers(cidr.held(block), other);
    }),
  ],
  masked: [
    member('cidr_masked', [cidr.type], cidr.type, ([value]) => {
      const block = cidr.held(value);
      return makeCidr({ ...block, address: mask(block.address, block.length) });
    }),
  ],
  prefixLength: [member('cidr_prefix_length', [cidr.type], int, ([value]) => cidr.held(value).length)],
  string: [
    global('ip_to_string', [ip.type], string, ([value]) => formatIp(ip.held(value))),
    global('cidr_to_string', [cidr.type], string, ([value]: readonly Value[]) => {
      const block = cidr.held(value);
      return `${formatIp(block.address)}/${block.length}`;
    }),
  ],
});

function parseIp(text: string): Uint8Array | undefined {
  if (text.includes(':')) return parseV6(text);
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return Uint8Array.from(parts, Number);
}

function parseV6(text: string): Uint8Array | undefined {
  if (!/^[0-9A-Fa-f:]{2,39}$/.test(text)) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return undefined;
  const bytes = Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return isMapped ? undefined : bytes;
}

function parseCidr(text: string): Cidr | undefined {
  const parts = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = parseIp(parts?.[1] ?? '');
  const length = Number(parts?.[2]);
  return address === undefined || length > address.length * 8 ? undefined : { address, length };
}

/** In the one spelling of RFC 5952. */
function formatIp(bytes: Uint8Array): string {
  if (isV4(bytes)) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((at(bytes, index * 2) << 8) | at(bytes, index * 2 + 1)).toString(16),
  );
  let [best, size] = [-1, 1];
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === '0') to++;
    if (to - from > size) [best, size] = [from, to - from];
  }
  if (best < 0) return groups.join(':');
  return `${groups.slice(0, best).join(':')}::${groups.slice(best + size).join(':')}`;
}

function mask(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, index) => byte & (0xff00 >> Math.min(8, Math.max(0, length - index * 8))));
}

function contains(block: Cidr, bytes: Uint8Array): boolean {
  if (block.address.length !== bytes.length) return false;
  return Buffer.compare(mask(block.address, block.length), mask(bytes, block.length)) === 0;
}

function covers(block: Cidr, other: Cidr): boolean {
  return other.length >= block.length && contains(block, other.address);
}
