/**
 * Objects in protobuf, driven by the type table alone: no generated code. The layout is gogo's proto2: every field by
 * its number, maps as repeated entries {1: key, 2: value}, embedded structs as messages of their own. Values that JSON
 * spells otherwise are small messages: Time {1: seconds, 2: nanos}, Quantity {1: text}, IntOrString {1: which, 2: int,
 * 3: text}, free JSON {1: its bytes}. On the wire an object stands in an envelope: `k8s\0`, then {1: {1: apiVersion,
 * 2: kind}, 2: the object, 3: encoding, 4: content type}.
 */
import { parseInstant, rfc3339 } from '../../std/clock.ts';
import { badRequest } from '../status.ts';
import type { Field, ObjectSchema, ScalarSchema, Schema } from './form.ts';
import { Reader, Writer, wire } from './protobuf-wire.ts';

const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00]);
/** Far beyond any type of the API. */
const maxDepth = 100;
/** 0001-01-01, which Go calls the zero time. */
const zeroTimeSeconds = -62_135_596_800;

export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Buffer;
}

/** Opens the envelope. Throws BadRequest when it is none, or when what is inside is not plain protobuf. */
export function openEnvelope(bytes: Buffer): Envelope {
  if (!bytes.subarray(0, 4).equals(magic))
    throw badRequest('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  const envelope: { apiVersion: string; kind: string; raw: Buffer } = {
    apiVersion: '',
    kind: '',
    raw: Buffer.alloc(0),
  };
  for (const reader = new Reader(bytes.subarray(4)); reader.next();) {
    if (reader.number === 1) {
      for (const meta = new Reader(reader.bytes()); meta.next();) {
        if (meta.number === 1) envelope.apiVersion = meta.text();
        else if (meta.number === 2) envelope.kind = meta.text();
        else meta.skip();
      }
    } else if (reader.number === 2) envelope.raw = reader.bytes();
    else if (reader.number === 3 && reader.text() !== '')
      throw badRequest('the body is encoded in a way that is not supported');
    else if (reader.number !== 3) reader.skip();
  }
  return envelope;
}

/** `object` in its envelope. */
export function toProtobuf(schema: ObjectSchema, object: Readonly<Record<string, unknown>>): Buffer {
  const meta = new Writer();
  const { apiVersion, kind } = object;
  if (typeof apiVersion === 'string') meta.field(1, wire.bytes).text(apiVersion);
  if (typeof kind === 'string') meta.field(2, wire.bytes).text(kind);
  const envelope = new Writer();
  envelope.field(1, wire.bytes).bytes(meta.finish());
  envelope.field(2, wire.bytes).bytes(encode(schema, object));
  envelope.field(3, wire.bytes).text('');
  envelope.field(4, wire.bytes).text('');
  return Buffer.concat([magic, envelope.finish()]);
}

/** The message's fields as JSON would have them. Numbers it does not know are skipped. Throws BadRequest on malformed bytes. */
export function fromProtobuf(schema: ObjectSchema, bytes: Buffer): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  decodeInto(out, schema, bytes, 0);
  return out;
}

interface Numbered {
  readonly fields: ReadonlyMap<number, Field>;
  readonly embedded: ReadonlyMap<number, ObjectSchema>;
}

const numbered = new WeakMap<ObjectSchema, Numbered>();

function numbersOf(schema: ObjectSchema): Numbered {
  const known = numbered.get(schema);
  if (known !== undefined) return known;
  const made: Numbered = {
    fields: new Map(
      schema.own.flatMap((field) => (field.number === undefined ? [] : [[field.number, field] as const])),
    ),
    embedded: new Map(schema.embedded.map((part) => [part.number, part.schema])),
  };
  numbered.set(schema, made);
  return made;
}

function decodeInto(out: Record<string, unknown>, schema: ObjectSchema, bytes: Buffer, depth: number): void {
  if (depth > maxDepth) throw badRequest('the body nests too deep');
  const numbers = numbersOf(schema);
  for (const reader = new Reader(bytes); reader.next();) {
    const field = numbers.fields.get(reader.number);
    if (field !== undefined) {
      decodeField(out, field, reader, depth);
      continue;
    }
    const embedded = numbers.embedded.get(reader.number);
    if (embedded === undefined) reader.skip();
    else decodeInto(out, embedded, reader.bytes(), depth + 1);
  }
}

function decodeField(out: Record<string, unknown>, field: Field, reader: Reader, depth: number): void {
  const { name, schema } = field;
  if (schema.kind === 'list') {
    const list = (out[name] ??= []) as unknown[];
    if (reader.wire === wire.bytes && (schema.items.kind === 'integer' || schema.items.kind === 'boolean'))
      for (const packed = new Reader(reader.bytes()); packed.more();) list.push(number(schema.items, packed));
    else list.push(decodeValue(schema.items, reader, depth));
  } else if (schema.kind === 'map') {
    const map = (out[name] ??= {}) as Record<string, unknown>;
    let key = '';
    let value = emptyOf(schema.values);
    for (const entry = new Reader(reader.bytes()); entry.next();) {
      if (entry.number === 1) key = entry.text();
      else if (entry.number === 2) value = decodeMapValue(schema.values, entry, depth);
      else entry.skip();
    }
    Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true }); // also for __proto__
  } else {
    const value = decodeValue(schema, reader, depth);
    if (value !== undefined) out[name] = value;
  }
}

/** A list as a map's value is a message {1: items}: protobuf has no map of lists. */
function decodeMapValue(schema: Schema, reader: Reader, depth: number): unknown {
  if (schema.kind !== 'list') return decodeValue(schema, reader, depth);
  const items: unknown[] = [];
  for (const inner = new Reader(reader.bytes()); inner.next();) {
    if (inner.number === 1) items.push(decodeValue(schema.items, inner, depth));
    else inner.skip();
  }
  return items;
}

function emptyOf(schema: Schema): unknown {
  if (schema.kind === 'list') return [];
  if (schema.kind === 'object' || schema.kind === 'map') return {};
  return schema.kind === 'integer' ? 0 : schema.kind === 'boolean' ? false : schema.kind === 'quantity' ? '0' : '';
}

function decodeValue(schema: Schema, reader: Reader, depth: number): unknown {
  switch (schema.kind) {
    case 'object': {
      const out: Record<string, unknown> = {};
      decodeInto(out, schema, reader.bytes(), depth + 1);
      return out;
    }
    case 'list':
    case 'map':
      throw badRequest('the body has a list of lists, which protobuf cannot carry');
    case 'string':
      return reader.text();
    case 'bytes':
      return reader.bytes().toString('base64');
    case 'integer':
    case 'boolean':
      return number(schema, reader);
    case 'number':
      return reader.double();
    case 'any':
    case 'duration':
    case 'int-or-string':
    case 'microtime':
    case 'quantity':
    case 'raw':
    case 'time':
      return decodeSpecial(schema, new Reader(reader.bytes()));
  }
}

function number(schema: ScalarSchema, reader: Reader): number | boolean {
  const value = reader.varint();
  return schema.kind === 'boolean' ? value !== 0 : value;
}

/** The scalars that are messages of their own. */
function decodeSpecial(schema: ScalarSchema, reader: Reader): unknown {
  const numbers = new Map<number, number>();
  let bytes: Buffer | undefined;
  while (reader.next()) {
    if (reader.wire === wire.varint) numbers.set(reader.number, reader.varint());
    else if (reader.wire === wire.bytes) bytes = reader.bytes();
    else reader.skip();
  }
  switch (schema.kind) {
    case 'quantity':
      return bytes === undefined || bytes.length === 0 ? '0' : bytes.toString();
    case 'int-or-string':
      return (numbers.get(1) ?? 0) === 0 ? (numbers.get(2) ?? 0) : (bytes?.toString() ?? '');
    case 'time':
    case 'microtime': {
      const seconds = numbers.get(1);
      if (seconds === undefined && numbers.get(2) === undefined) return undefined;
      if (seconds === zeroTimeSeconds) return undefined;
      const whole = instantText(seconds ?? 0);
      if (schema.kind === 'time') return whole;
      const micros = Math.floor((numbers.get(2) ?? 0) / 1000);
      return `${whole.slice(0, -1)}.${String(micros).padStart(6, '0')}Z`;
    }
    case 'duration':
      return `${(numbers.get(1) ?? 0) / 1e9}s`;
    case 'any':
    case 'boolean':
    case 'bytes':
    case 'integer':
    case 'number':
    case 'raw':
    case 'string':
      return bytes === undefined || bytes.length === 0 ? undefined : parseJson(bytes);
  }
}

function instantText(seconds: number): string {
  if (Math.abs(seconds) > 8.64e12) throw badRequest('the body has a time that is out of range');
  return rfc3339(seconds * 1000);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    throw badRequest('the body holds a raw value that is not JSON', error);
  }
}

function encode(schema: ObjectSchema, object: Readonly<Record<string, unknown>>): Buffer {
  const out = new Writer();
  for (const field of schema.own) {
    const value = object[field.name];
    if (value !== undefined && value !== null && field.number !== undefined)
      encodeField(out, field.number, field.schema, value);
  }
  for (const part of schema.embedded) {
    const bytes = encode(part.schema, object);
    if (bytes.length > 0) out.field(part.number, wire.bytes).bytes(bytes);
  }
  return out.finish();
}

function encodeField(out: Writer, number: number, schema: Schema, value: unknown): void {
  if (schema.kind === 'list') {
    for (const item of value as readonly unknown[]) encodeValue(out, number, schema.items, item);
  } else if (schema.kind === 'map') {
    for (const [key, item] of Object.entries(value as object)) {
      const entry = new Writer();
      entry.field(1, wire.bytes).text(key);
      if (schema.values.kind === 'list') {
        const items = new Writer();
        for (const one of item as readonly unknown[]) encodeValue(items, 1, schema.values.items, one);
        entry.field(2, wire.bytes).bytes(items.finish());
      } else encodeValue(entry, 2, schema.values, item);
      out.field(number, wire.bytes).bytes(entry.finish());
    }
  } else encodeValue(out, number, schema, value);
}

function encodeValue(out: Writer, number: number, schema: Schema, value: unknown): void {
  switch (schema.kind) {
    case 'object':
      out.field(number, wire.bytes).bytes(encode(schema, value as Record<string, unknown>));
      return;
    case 'string':
      out.field(number, wire.bytes).text(String(value));
      return;
    case 'bytes':
      out.field(number, wire.bytes).bytes(Buffer.from(String(value), 'base64'));
      return;
    case 'integer':
    case 'boolean':
      out.field(number, wire.varint).varint(Number(value));
      return;
    case 'number':
      out.field(number, wire.fixed64).double(Number(value));
      return;
    case 'list':
    case 'map':
      throw new Error('a list of lists has no protobuf form');
    case 'any':
    case 'duration':
    case 'int-or-string':
    case 'microtime':
    case 'quantity':
    case 'raw':
    case 'time':
      out.field(number, wire.bytes).bytes(encodeSpecial(schema, value));
  }
}

function encodeSpecial(schema: ScalarSchema, value: unknown): Buffer {
  const out = new Writer();
  switch (schema.kind) {
    case 'quantity':
      out.field(1, wire.bytes).text(String(value));
      break;
    case 'int-or-string':
      out.field(1, wire.varint).varint(typeof value === 'string' ? 1 : 0);
      out.field(2, wire.varint).varint(typeof value === 'string' ? 0 : Number(value));
      out.field(3, wire.bytes).text(typeof value === 'string' ? value : '');
      break;
    case 'time':
    case 'microtime': {
      const text = String(value);
      const instant = parseInstant(`${text.slice(0, 19)}Z`) ?? 0;
      out.field(1, wire.varint).varint(instant / 1000);
      out.field(2, wire.varint).varint(schema.kind === 'time' ? 0 : Number(text.slice(20, 26)) * 1000);
      break;
    }
    case 'duration':
      out.field(1, wire.varint).varint(Math.round(Number.parseFloat(String(value)) * 1e9));
      break;
    case 'any':
    case 'boolean':
    case 'bytes':
    case 'integer':
    case 'number':
    case 'raw':
    case 'string':
      out.field(1, wire.bytes).text(JSON.stringify(value));
  }
  return out.finish();
}
