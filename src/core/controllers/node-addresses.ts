/** Ranges of pod addresses, one per node. */
import ipaddr from 'ipaddr.js';
import type { Node } from '../../api/types/core.ts';

// As upstream: 254 pods a node are enough for everyone who has asked.
const bitsPerNode = { ipv4: 24, ipv6: 64 } as const;

/** The first range of `clusterCIDR` that no node has and that is not `reserved`; undefined when all are used up. */
export function planPodCIDR(
  clusterCIDR: string,
  nodes: readonly Node[],
  reserved: readonly string[],
): string | undefined {
  const [base, prefix] = ipaddr.parseCIDR(clusterCIDR);
  const bits = bitsPerNode[base.kind()];
  const used = new Set([...reserved, ...nodes.flatMap(({ spec }) => [spec.podCIDR ?? '', ...(spec.podCIDRs ?? [])])]);
  const most = 2 ** Math.min(bits - prefix, 16);
  for (let index = 0; index < most; index++) {
    const range = `${addressAt(base, index, bits)}/${bits}`;
    if (!used.has(range)) return range;
  }
  return undefined;
}

/** The first address of the range number `index` of size /`bits`. */
function addressAt(base: ipaddr.IPv4 | ipaddr.IPv6, index: number, bits: number): string {
  const bytes = base.toByteArray();
  let carry = BigInt(index) << BigInt(bytes.length * 8 - bits);
  for (let at = bytes.length - 1; at >= 0; at--) {
    const sum = BigInt(bytes[at] ?? 0) + (carry & 0xffn);
    bytes[at] = Number(sum & 0xffn);
    carry = (carry >> 8n) + (sum >> 8n);
  }
  return ipaddr.fromByteArray(bytes).toString();
}
