import { Duration, Timestamp } from './time.ts';
import { Dict, Double, Fields, List, Optional, Struct, Uint, type Value } from './values.ts';

/**
 * `value` as JSON; undefined where the field's API has no JSON for it (types, optionals that are none, opaque
 * values). Integers beyond 2^53 lose their last digits, as numbers of JSON do here. Timestamps and durations become text, bytes base64.
 */
export function toJson(value: Value): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string')
    return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Double) return value.value;
  if (value instanceof Uint) return Number(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof List) return [...value].map((item) => toJson(item) ?? null);
  if (value instanceof Fields) return value.raw;
  if (value instanceof Dict || value instanceof Struct) return members(value);
  if (value instanceof Timestamp || value instanceof Duration) return value.toString();
  if (value instanceof Optional) return value.value === undefined ? undefined : toJson(value.value);
  return undefined;
}

function members(value: Dict | Struct): Record<string, unknown> {
  const fields: [string, unknown][] = [];
  for (const key of value.keys()) {
    const name =
      value instanceof Struct && typeof key === 'string' ? (value.object.field(key)?.key ?? key) : String(key);
    const member = value.get(key);
    const json = member === undefined ? undefined : toJson(member);
    if (json !== undefined) fields.push([name, json]);
  }
  return Object.fromEntries(fields); // as own members, so that a key called __proto__ is only a key
}
