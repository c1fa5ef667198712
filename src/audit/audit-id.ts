/**
 * Audit ids are UUIDs of version 7: they begin with the millisecond of receipt. So one row is found by its id through the
 * index on time, and no index of random values has to be kept up for every request. Source: RFC 9562 §5.7.
 */
import { randomFillSync } from 'node:crypto';

// One call to the random source serves 256 ids: it costs more than all the rest.
const pool = Buffer.alloc(10 * 256);
let used = pool.length;

/** A fresh id for a request received at `receivedAt` (milliseconds since the epoch). */
export function newAuditId(receivedAt: number): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const time = Math.floor(receivedAt).toString(16).padStart(12, '0');
  const random = pool.toString('hex', used, used + 10);
  used += 10;
  const variant = '89ab'[Number.parseInt(random[3] ?? '0', 16) & 3] ?? '8';
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`;
}

/** The millisecond that `id` was made at; undefined when it is no UUID of version 7. */
export function receivedAtOf(id: string): number | undefined {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)) return undefined;
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
