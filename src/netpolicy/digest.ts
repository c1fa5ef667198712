import { createHash } from 'node:crypto';

/**
 * The first 128 bits of the SHA-256 of `text`, in hexadecimal: an id for contents. Whoever wants two contents to share
 * one would have to try 2^64 of them.
 */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
