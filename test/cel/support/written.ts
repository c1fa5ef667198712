import { coreTypes } from '../../../src/cel/library/core.ts';
import { intOf } from '../../../src/cel/literals.ts';
import { Duration, Timestamp } from '../../../src/cel/time.ts';
import {
  dyn,
  duration,
  listOf,
  mapOf,
  nullType,
  opaque,
  timestamp,
  typeName,
  typeOf,
  type Type,
} from '../../../src/cel/types.ts';
import {
  Dict,
  Double,
  isMap,
  isOpaque,
  List,
  Optional,
  TypeValue,
  Uint,
  type Key,
  type Value,
} from '../../../src/cel/values.ts';

/** A value as the fixtures write it: `{"int":"1"}`. */
export type Written = Readonly<Record<string, unknown>>;

/** The value that `written` stands for. */
export function readValue(written: Written): Value {
  const [[kind, raw] = ['', undefined]] = Object.entries(written);
  switch (kind) {
    case 'null':
      return null;
    case 'bool':
      return raw === true;
    case 'string':
      return String(raw);
    case 'int':
      return intOf(BigInt(String(raw))) ?? null;
    case 'uint':
      return new Uint(BigInt(String(raw)));
    case 'double':
      return new Double(Number(raw));
    case 'bytes':
      return new Uint8Array(Buffer.from(String(raw), 'base64'));
    case 'list':
      return List.of((raw as Written[]).map(readValue));
    case 'map': {
      const dict = new Dict();
      for (const [key, value] of raw as [Written, Written][]) dict.add(readValue(key) as Key, readValue(value));
      return dict;
    }
    case 'timestamp': {
      const [seconds = 0, nanos = 0] = raw as number[];
      return Timestamp.of(seconds, nanos) ?? null;
    }
    case 'duration': {
      const [seconds = 0, nanos = 0] = raw as number[];
      return Duration.of(BigInt(seconds) * 1_000_000_000n + BigInt(nanos)) ?? null;
    }
    case 'type': {
      const name = String(raw);
      const known = coreTypes.get(name);
      return new TypeValue(known ?? { kind: 'opaque', name, params: [dyn] });
    }
    default:
      throw new Error(`unknown kind of value: ${kind}`);
  }
}

/** `value` with its types, for comparing and for reading: maps in the order of their keys. */
export function show(value: Value): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' || typeof value === 'bigint') return `int ${value}`;
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Uint) return `uint ${value.value}`;
  if (value instanceof Double) return `double ${Object.is(value.value, -0) ? '-0' : value.value}`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (value instanceof List) return `[${[...value].map(show).join(', ')}]`;
  if (isMap(value)) {
    const entries = value.keys().map((key) => `${show(key)}: ${show(value.get(key) ?? null)}`);
    return `{${entries.toSorted().join(', ')}}`;
  }
  if (value instanceof Timestamp || value instanceof Duration) return value.toString();
  if (value instanceof TypeValue) return `type ${typeName(value.type)}`;
  if (value instanceof Optional) return value.value === undefined ? 'none' : `optional ${show(value.value)}`;
  return isOpaque(value) ? `${value.type.name} ${JSON.stringify(value)}` : '?';
}

/** The type that `list(int)` and the like name. */
export function readType(text: string): Type {
  const parts = /^(\w+)\((.*)\)$/.exec(text);
  if (parts === null) {
    const known = coreTypes.get(text) ?? { timestamp, duration, null: nullType, dyn }[text];
    return known ?? opaque(text);
  }
  const [, name, inner = ''] = parts;
  if (name === 'list') return listOf(readType(inner));
  if (name === 'type') return typeOf(readType(inner));
  if (name !== 'map') return opaque(name ?? '', readType(inner));
  const comma = inner.indexOf(', ');
  return mapOf(readType(inner.slice(0, comma)), readType(inner.slice(comma + 2)));
}
