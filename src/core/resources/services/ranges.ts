/** The addresses and ports that services get theirs from. Pure. */

export interface ServiceRanges {
  /** An IPv4 block, such as 10.96.0.0/16. */
  readonly clusterCIDR: string;
  readonly nodePorts: { readonly first: number; readonly last: number };
}

/** Source: the ranges kubeadm and kube-apiserver begin with. */
export const defaultRanges: ServiceRanges = {
  clusterCIDR: '10.96.0.0/16',
  nodePorts: { first: 30_000, last: 32_767 },
};

/** A block of IPv4 addresses as numbers. `first` and `last` can be given out: network and broadcast cannot. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** The addresses of `cidr`. Throws an Error for what is no IPv4 block of at least four addresses: it is configuration. */
export function addressRange(cidr: string): AddressRange {
  const match = /^([\d.]+)\/(\d+)$/.exec(cidr);
  const base = match?.[1] === undefined ? undefined : toNumber(match[1]);
  const bits = Number(match?.[2]);
  if (base === undefined || !(bits >= 8 && bits <= 30)) throw new Error(`${cidr} is no IPv4 block of services`);
  const size = 2 ** (32 - bits);
  const start = Math.floor(base / size) * size;
  return { first: start + 1, last: start + size - 2 };
}

/** An IPv4 address as a number, undefined for any other text. */
export function toNumber(address: string): number | undefined {
  const parts = address.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The address that `value` is. */
export function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/**
 * The order in which numbers from `first` to `last` are tried: from a random start above the band kept for those that
 * are asked for by number, round, the band last. Source: kube-apiserver, static bands of service ranges.
 */
export function* candidates(first: number, last: number, random: number): Generator<number> {
  const size = last - first + 1;
  const band = Math.min(Math.max(16, Math.floor(size / 16)), 256, Math.floor(size / 2));
  const upper = size - band;
  for (let step = 0; step < upper; step++) yield first + band + ((random + step) % upper);
  for (let step = 0; step < band; step++) yield first + step;
}
