/** Pod addresses of one node: which are free in its range, and who has which. */
import ipaddr from 'ipaddr.js';

export interface PodAddresses {
  /** The address of pod `uid`: the one it has, or a free one; undefined when the range is used up. */
  take(uid: string): string | undefined;
  release(uid: string): void;
}

// An address that was just given back may still be in other nodes' allow-lists: the longest unused one is given next.
const reservedAtStart = 2; // the network itself, and the first address by custom the node's

/** The addresses of `cidr`. `held` are those of pods that an earlier agent started. */
export function createPodAddresses(cidr: string, held: ReadonlyMap<string, string>): PodAddresses {
  const [base, prefix] = ipaddr.IPv4.parseCIDR(cidr);
  const size = 2 ** (32 - prefix);
  const first = base.toByteArray().reduce((sum, byte) => sum * 256 + byte, 0);
  const taken = new Map(held);
  const used = new Set(taken.values());
  const free: string[] = [];
  for (let offset = reservedAtStart; offset < size - 1; offset++) {
    const value = first + offset;
    const address = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
    if (!used.has(address)) free.push(address);
  }
  return {
    take: (uid) => {
      const known = taken.get(uid);
      if (known !== undefined) return known;
      const address = free.shift();
      if (address !== undefined) taken.set(uid, address);
      return address;
    },
    release: (uid) => {
      const address = taken.get(uid);
      if (address === undefined) return;
      taken.delete(uid);
      free.push(address);
    },
  };
}
