/**
 * Audit ids are UUIDs of version 7: they begin with the millisecond of receipt. So one row is found by its id through the
 * index on time, and no index of random values has to be kept up for every request. Source: RFC 9562 §5.7.
 */
import { randomFillSync } from 'node:crypto';

// One call to the random source serves 256 ids: it costs more than all the rest.
const perFill = 256;
const digits = 20;
const pool = Buffer.alloc((perFill * digits) / 2);
let random = '';
let used = perFill;

// Many requests share their millisecond.
let [moment, time] = [-1, ''];

/** A fresh id for a request received at `receivedAt` (milliseconds since the epoch). */
export function newAuditId(receivedAt: number): string {
  if (used === perFill) {
    random = randomFillSync(pool).toString('hex');
    used = 0;
  }
  const from = digits * used++;
  if (receivedAt !== moment) [moment, time] = [receivedAt, timePart(receivedAt)];
  const variant = '89ab'[random.charCodeAt(from + 3) & 3] ?? '8';
  const [a, b] = [random.slice(from, from + 3), random.slice(from + 4, from + 7)];
  return `${time}-7${a}-${variant}${b}-${random.slice(from + 7, from + 19)}`;
}

function timePart(receivedAt: number): string {
  const hex = Math.floor(receivedAt).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

/** The millisecond that `id` was made at; undefined when it is no UUID of version 7. */
export function receivedAtOf(id: string): number | undefined {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)) return undefined;
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
