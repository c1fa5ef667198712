/**
 * Arrays as Postgres takes them in binary: one parameter for a column of many rows. As text every element would be
 * escaped here and parsed character by character there, which for a thousand rows costs more than inserting them.
 *
 *     dimensions 1 | has nulls | element type | length | lower bound 1 | (bytes of element, element)…
 *
 * Source: array_recv in Postgres' src/backend/utils/adt/arrayfuncs.c; the types' numbers are those of pg_type.
 */
const types = { bool: 16, bytea: 17, int8: 20, int2: 21, text: 25, timestamptz: 1184 } as const;

const headerBytes = 20;
const nullLength = -1;
/** 2000-01-01 in ms since the Unix epoch: Postgres counts from there, in microseconds. */
const postgresEpochMs = 946_684_800_000;

/** `values` as text[]. The server refuses a NUL. */
export function textArray(values: readonly string[]): Buffer {
  let size = headerBytes + 4 * values.length;
  for (const value of values) size += Buffer.byteLength(value);
  const array = opened('text', values.length, size);
  let at = headerBytes;
  for (const value of values) {
    const length = array.write(value, at + 4);
    array.writeInt32BE(length, at);
    at += 4 + length;
  }
  return array;
}

/** `values` as bytea[]. */
export function byteaArray(values: readonly Buffer[]): Buffer {
  let size = headerBytes + 4 * values.length;
  for (const value of values) size += value.length;
  const array = opened('bytea', values.length, size);
  let at = headerBytes;
  for (const value of values) {
    array.writeInt32BE(value.length, at);
    value.copy(array, at + 4);
    at += 4 + value.length;
  }
  return array;
}

/** `values` as bigint[]; undefined is null. */
export function int8Array(values: readonly (bigint | undefined)[]): Buffer {
  return wideArray('int8', values);
}

/** Instants, in milliseconds since the Unix epoch (fractions are cut off), as timestamptz[]. */
export function timestamptzArray(values: readonly number[]): Buffer {
  return wideArray(
    'timestamptz',
    values.map((value) => BigInt(Math.trunc(value) - postgresEpochMs) * 1000n),
  );
}

function wideArray(type: 'int8' | 'timestamptz', values: readonly (bigint | undefined)[]): Buffer {
  const nulls = values.filter((value) => value === undefined).length;
  const array = opened(type, values.length, headerBytes + 12 * values.length - 8 * nulls);
  if (nulls > 0) array.writeInt32BE(1, 4);
  let at = headerBytes;
  for (const value of values) {
    if (value === undefined) {
      at = array.writeInt32BE(nullLength, at);
    } else {
      array.writeInt32BE(8, at);
      at = array.writeBigInt64BE(value, at + 4);
    }
  }
  return array;
}

/** `values` as smallint[]. */
export function int2Array(values: readonly number[]): Buffer {
  const array = opened('int2', values.length, headerBytes + 6 * values.length);
  let at = headerBytes;
  for (const value of values) at = array.writeInt16BE(value, array.writeInt32BE(2, at));
  return array;
}

/** `values` as boolean[]. */
export function boolArray(values: readonly boolean[]): Buffer {
  const array = opened('bool', values.length, headerBytes + 5 * values.length);
  let at = headerBytes;
  for (const value of values) at = array.writeUInt8(value ? 1 : 0, array.writeInt32BE(1, at));
  return array;
}

function opened(type: keyof typeof types, length: number, sizeBytes: number): Buffer {
  const array = Buffer.allocUnsafe(sizeBytes);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(0, 4);
  array.writeInt32BE(types[type], 8);
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16);
  return array;
}
