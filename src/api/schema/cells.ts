/** What table cells are made of: values by path, ages, counts, lists of names. Absent is `<none>`, as kubectl users know it. */
import { parseInstant } from '../../std/clock.ts';
import type { Fields } from './conform.ts';
import { listIn, structIn } from './rules.ts';

export type Value = string | number | boolean;

/** A cell of one object; `now` is the instant that ages are counted to, in milliseconds. */
export type Cell = (object: Fields, now: number) => Value;

export const none = '<none>';
export const unset = '<unset>';
export const unknown = '<unknown>';

/** The value at `path` (`spec.nodeName`), or undefined. */
export function valueAt(object: Fields | undefined, path: string): unknown {
  let value: unknown = object;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Fields)[part];
  }
  return value;
}

export function textAt(object: Fields | undefined, path: string): string {
  const value = valueAt(object, path);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

export function numberAt(object: Fields | undefined, path: string): number {
  const value = valueAt(object, path);
  return typeof value === 'number' ? value : 0;
}

/** A cell with the text at `path`, or `otherwise`. */
export function textOf(path: string, otherwise = none): Cell {
  return (object) => textAt(object, path) || otherwise;
}

export function numberOf(path: string): Cell {
  return (object) => numberAt(object, path);
}

/** How many entries the list or map at `path` has. */
export function sizeOf(path: string): Cell {
  return (object) => {
    const value = valueAt(object, path);
    return typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
  };
}

/** How long ago the time at `path` was. */
export function ageOf(path = 'metadata.creationTimestamp', otherwise = unknown): Cell {
  return (object, now) => age(textAt(object, path), now, otherwise);
}

export function age(time: string, now: number, otherwise = unknown): string {
  const then = time === '' ? undefined : parseInstant(time);
  return then === undefined ? otherwise : humanDuration(now - then);
}

/** `a,b,c`, or `<none>`. */
export function joined(values: readonly string[], separator = ','): string {
  return values.length === 0 ? none : values.join(separator);
}

/** `a,b,c + 2 more...`, at most `max` shown. */
export function shortened(values: readonly string[], max: number): string {
  return values.length <= max ? joined(values) : `${values.slice(0, max).join(',')} + ${values.length - max} more...`;
}

/** `a=b,c=d` in order of keys, or `<none>`. */
export function labelsText(labels: Fields | undefined): string {
  return joined(
    Object.entries(labels ?? {})
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}=${String(value)}`),
  );
}

/** Names, or images, of the containers of the pod template at `path`. */
export function containersOf(path: string, what: 'name' | 'image'): Cell {
  return (object) => {
    const spec = valueAt(object, path);
    return listIn(spec as Fields | undefined, 'containers')
      .map((container) => textAt(container, what))
      .join(',');
  };
}

/** The status (`True`) of a condition, or ''. */
export function conditionStatus(object: Fields, type: string): string {
  const condition = listIn(structIn(object, 'status'), 'conditions').find((one) => one['type'] === type);
  return textAt(condition, 'status');
}

/** A span of time in two units at most, as the API prints ages: 59s, 4m7s, 3h20m, 5d, 2y30d. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 120) return `${Math.max(seconds, 0)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return two(days, 'd', hours % 24, 'h');
  if (days < 365 * 2) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 ? two(years, 'y', days % 365, 'd') : `${years}y`;
}

function two(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;
}
