import { expect, test } from 'vitest';
import { createSealing, formatSealingKeys, newSealingKey, parseSealingKeys } from '../../../src/core/store/sealing.ts';

const key = { resource: 'secrets', namespace: 'shop', name: 'password' };
const plain = Buffer.from('{"data":{"password":"aHVudGVyMg=="}}');
const [old, active] = [newSealingKey(), newSealingKey()];
const seal = createSealing([active, old]);

test('what was sealed opens to the same bytes, and shows none of them', () => {
  const sealed = seal.seal(key, plain);
  expect(seal.open(key, sealed).equals(plain)).toBe(true);
  expect(sealed.includes('aHVudGVyMg')).toBe(false);
});

test('sealing twice gives different bytes', () => {
  expect(seal.seal(key, plain).equals(seal.seal(key, plain))).toBe(false);
});

test('after a rotation old objects still open, and new ones no longer with the old key', () => {
  const before = createSealing([old]).seal(key, plain);
  expect(seal.open(key, before).equals(plain)).toBe(true);
  expect(() => createSealing([old]).open(key, seal.seal(key, plain))).toThrow('a key that is not among ours');
});

test('one object does not open as another', () => {
  expect(() => seal.open({ ...key, name: 'other' }, seal.seal(key, plain))).toThrow();
});

test('no byte can be changed, added or left out', () => {
  const sealed = seal.seal(key, plain);
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => seal.open(key, changed), `byte ${at}`).toThrow();
  }
  expect(() => seal.open(key, sealed.subarray(0, -1))).toThrow();
  expect(() => seal.open(key, Buffer.concat([sealed, Buffer.from('x')]))).toThrow();
});

test('plain bytes in the place of sealed ones are refused', () => {
  expect(() => seal.open(key, plain)).toThrow();
});

test('a key file reads as it was written, the active key first', () => {
  expect(parseSealingKeys(formatSealingKeys([active, old]))).toEqual([active, old]);
});

test.for([
  { guarantees: 'an empty file', text: '\n' },
  { guarantees: 'a key that is too short', text: 'a c2hvcnQ=' },
  { guarantees: 'an id that comes twice', text: formatSealingKeys([old, old]) },
  { guarantees: 'a line with more on it', text: `${formatSealingKeys([old]).trim()} more` },
])('no key file: $guarantees', ({ text }) => {
  expect(() => parseSealingKeys(text)).toThrow('sealing key file');
});
