/**
 * Encryption at rest, by envelopes: each object is encrypted with a key of its own (AES-256-GCM), and that key with one
 * of the sealing keys, whose id stands in front. To rotate, put a new key first: what is written from then on uses it,
 * what is older still opens with the others.
 *
 *     version 1 | length of id | id | nonce 12, wrapped key 32, tag 16 | nonce 12, ciphertext, tag 16
 *
 * The object's own key (resource, namespace, name) and the header are authenticated too, so that whoever can write to the
 * database cannot pass one object's secret off as another's.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Seal } from './rows.ts';
import type { Key } from './store.ts';

/** One key that wraps others. `id` is stored in the clear; `secret` has 32 bytes. */
export interface SealingKey {
  readonly id: string;
  readonly secret: Buffer;
}

const version = 1;
const cipher = 'aes-256-gcm';
const [keyBytes, nonceBytes, tagBytes] = [32, 12, 16];
const wrappedBytes = nonceBytes + keyBytes + tagBytes;

/**
 * A seal over the resources `covered`; the first of `keys` is the one that new objects get. Opening throws when no key
 * fits, and when a single bit is not as it was.
 */
export function createSealing(keys: readonly SealingKey[], covered: ReadonlySet<string> = new Set(['secrets'])): Seal {
  const [active] = keys;
  if (active === undefined) throw new RangeError('sealing needs a key');
  const byId = new Map(keys.map((key) => [key.id, key.secret]));
  return {
    covers: (resource) => covered.has(resource),
    seal: (key, plain) => {
      const header = headerOf(active.id);
      const about = Buffer.concat([header, aboutOf(key)]);
      const own = randomBytes(keyBytes);
      return Buffer.concat([header, encrypt(active.secret, own, about), encrypt(own, plain, about)]);
    },
    open: (key, sealed) => {
      const headerEnd = 2 + (sealed[1] ?? 0);
      const id = sealed.subarray(2, headerEnd).toString();
      const secret = sealed[0] === version ? byId.get(id) : undefined;
      if (secret === undefined) {
        throw new Error(`${key.resource} ${key.namespace}/${key.name} is sealed with a key that is not among ours`);
      }
      const about = Buffer.concat([sealed.subarray(0, headerEnd), aboutOf(key)]);
      const own = decrypt(secret, sealed.subarray(headerEnd, headerEnd + wrappedBytes), about);
      return decrypt(own, sealed.subarray(headerEnd + wrappedBytes), about);
    },
  };
}

/** A new random key. */
export function newSealingKey(): SealingKey {
  return { id: randomBytes(4).toString('hex'), secret: randomBytes(keyBytes) };
}

/** The keys in a key file: a line each, `ID BASE64`, the active one first. Throws when the text is none. */
export function parseSealingKeys(text: string): readonly SealingKey[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const keys = lines.map((line, index) => {
    const [id = '', base64 = '', ...rest] = line.trim().split(/\s+/);
    const secret = Buffer.from(base64, 'base64');
    if (!/^[\w-]{1,64}$/.test(id) || secret.length !== keyBytes || rest.length > 0) {
      throw new Error(`line ${index + 1} of the sealing key file is no "ID BASE64" with 32 bytes`); // never the line itself
    }
    return { id, secret };
  });
  if (keys.length === 0) throw new Error('the sealing key file holds no key');
  if (new Set(keys.map((key) => key.id)).size < keys.length) throw new Error('the sealing key file holds an id twice');
  return keys;
}

/** The text that `parseSealingKeys` reads. */
export function formatSealingKeys(keys: readonly SealingKey[]): string {
  return keys.map(({ id, secret }) => `${id} ${secret.toString('base64')}\n`).join('');
}

function encrypt(secret: Buffer, plain: Buffer, about: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes);
  const encryption = createCipheriv(cipher, secret, nonce, { authTagLength: tagBytes });
  encryption.setAAD(about);
  return Buffer.concat([nonce, encryption.update(plain), encryption.final(), encryption.getAuthTag()]);
}

function decrypt(secret: Buffer, sealed: Buffer, about: Buffer): Buffer {
  if (sealed.length < nonceBytes + tagBytes) throw new Error('a sealed object is cut off');
  const decryption = createDecipheriv(cipher, secret, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decryption.setAAD(about);
  decryption.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  return Buffer.concat([decryption.update(sealed.subarray(nonceBytes, sealed.length - tagBytes)), decryption.final()]);
}

function headerOf(id: string): Buffer {
  const text = Buffer.from(id);
  return Buffer.concat([Buffer.from([version, text.length]), text]);
}

function aboutOf(key: Key): Buffer {
  return Buffer.from(JSON.stringify([key.resource, key.namespace, key.name]));
}
