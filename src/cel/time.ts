/**
 * Instants and spans. An instant is whole seconds since 1970 and nanoseconds within the second; a span is nanoseconds in
 * 64 bits. Source: cel-spec, doc/langdef.md, "Timestamps and durations"; RFC 3339.
 */
const nanosPerSecond = 1_000_000_000n;
/** 0001-01-01T00:00:00Z. */
const minSeconds = -62_135_596_800;
/** 9999-12-31T23:59:59Z. */
const maxSeconds = 253_402_300_799;
const maxNanos = 2n ** 63n - 1n;

/** An instant between the years 1 and 9999. */
export class Timestamp {
  /** Since 1970, rounded down. */
  readonly seconds: number;
  readonly nanos: number;

  private constructor(seconds: number, nanos: number) {
    this.seconds = seconds;
    this.nanos = nanos;
  }

  /** Undefined outside the years 1 to 9999. */
  static of(seconds: number, nanos = 0): Timestamp | undefined {
    return seconds < minSeconds || seconds > maxSeconds ? undefined : new Timestamp(seconds, nanos);
  }

  /** In nanoseconds since 1970; undefined outside the years 1 to 9999. */
  static ofNanos(nanos: bigint): Timestamp | undefined {
    const rest = ((nanos % nanosPerSecond) + nanosPerSecond) % nanosPerSecond;
    return Timestamp.of(Number((nanos - rest) / nanosPerSecond), Number(rest));
  }

  get allNanos(): bigint {
    return BigInt(this.seconds) * nanosPerSecond + BigInt(this.nanos);
  }

  /** In UTC, as RFC 3339, without needless zeros. */
  toString(): string {
    const { year, month, day, hour, minute, second } = civil(this, 0);
    const fraction = this.nanos === 0 ? '' : `.${pad(this.nanos, 9).replace(/0+$/, '')}`;
    return `${pad(year, 4)}-${pad(month + 1)}-${pad(day)}T${pad(hour)}:${pad(minute)}:${pad(second)}${fraction}Z`;
  }
}

export class Duration {
  readonly nanos: bigint;

  private constructor(nanos: bigint) {
    this.nanos = nanos;
  }

  /** Undefined outside 64 bits, which are 292 years. */
  static of(nanos: bigint): Duration | undefined {
    return nanos > maxNanos || nanos < -maxNanos - 1n ? undefined : new Duration(nanos);
  }

  /** In seconds: `90.5s`. */
  toString(): string {
    const negative = this.nanos < 0n;
    const nanos = negative ? -this.nanos : this.nanos;
    const fraction = (nanos % nanosPerSecond).toString().padStart(9, '0').replace(/0+$/, '');
    return `${negative ? '-' : ''}${nanos / nanosPerSecond}${fraction === '' ? '' : `.${fraction}`}s`;
  }
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** The instant an RFC 3339 text names, or undefined. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const parts = rfc3339.exec(text);
  if (parts === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(Number);
  const days = daysOf(year, month, day);
  if (days === undefined || hour > 23 || minute > 59 || second > 59) return undefined;
  const [offsetHours, offsetMinutes] = [Number(parts[9] ?? 0), Number(parts[10] ?? 0)];
  if (offsetHours > 24 || offsetMinutes > 60) return undefined;
  const offset = (offsetHours * 60 + offsetMinutes) * 60 * (parts[8] === '-' ? -1 : 1);
  const nanos = Number((parts[7] ?? '').slice(0, 9).padEnd(9, '0'));
  return Timestamp.of(days * 86_400 + hour * 3600 + minute * 60 + second - offset, nanos);
}

/** Midnight UTC of the day `2006-01-02`, or undefined. */
export function parseDate(text: string): Timestamp | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (parts === null) return undefined;
  const days = daysOf(Number(parts[1]), Number(parts[2]), Number(parts[3]));
  return days === undefined ? undefined : Timestamp.of(days * 86_400);
}

const units: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1000n],
  ['µs', 1000n],
  ['μs', 1000n],
  ['ms', 1_000_000n],
  ['s', nanosPerSecond],
  ['m', 60n * nanosPerSecond],
  ['h', 3600n * nanosPerSecond],
]);

/** The span a text like `1h30m`, `-1.5s` or `0` names, or undefined when it is none or needs more than 64 bits. */
export function parseDuration(text: string): Duration | undefined {
  if (text.length > 200) return undefined; // nobody means it, and long digits cost
  const sign = text.startsWith('-') ? -1n : 1n;
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return Duration.of(0n);
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(body)) return undefined;
  let nanos = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of body.matchAll(/(\d*)\.?(\d*)([a-zµμ]+)/g)) {
    const scale = units.get(unit) ?? 0n;
    nanos += BigInt(whole === '' ? 0 : whole) * scale;
    if (fraction !== '') nanos += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  return Duration.of(sign * nanos);
}

/** A moment as a calendar shows it. Months and weekdays count from 0 (January, Sunday), days of the month from 1. */
export interface Civil {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly dayOfYear: number;
  readonly dayOfWeek: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** `time` as calendars show it `offset` seconds east of UTC. */
export function civil(time: Timestamp, offset: number): Civil {
  const local = time.seconds + offset;
  const days = Math.floor(local / 86_400);
  const seconds = local - days * 86_400;
  const date = new Date(days * 86_400_000);
  const year = date.getUTCFullYear();
  const january = daysOf(year, 1, 1) ?? days;
  return {
    year,
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    dayOfYear: days - january,
    dayOfWeek: date.getUTCDay(),
    hour: Math.floor(seconds / 3600),
    minute: Math.floor(seconds / 60) % 60,
    second: seconds % 60,
  };
}

/** How far east of UTC, in seconds, the zone (`Europe/Berlin`, `-08:00`, `UTC`) is at `time`; undefined for no zone. */
export function zoneOffset(zone: string, time: Timestamp): number | undefined {
  if (zone === '' || zone === 'UTC') return 0;
  const fixed = /^([+-]?)(\d{1,2}):(\d{2})$/.exec(zone);
  if (fixed !== null) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3]);
    return minutes * 60 * (fixed[1] === '-' ? -1 : 1);
  }
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,60}$/.test(zone)) return undefined;
  try {
    const parts = new Map(
      calendar(zone)
        .formatToParts(new Date(time.seconds * 1000))
        .map((part) => [part.type, Number(part.value)]),
    );
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    const days = daysOf(part('year'), part('month'), part('day')) ?? 0;
    return days * 86_400 + part('hour') * 3600 + part('minute') * 60 + part('second') - time.seconds;
  } catch (error) {
    if (error instanceof RangeError) return undefined; // what Intl throws for a zone it does not know
    throw error;
  }
}

/** Zones whose calendars are kept. Chosen: there are about 600, and one takes a tenth of a millisecond to make. */
const keptZones = 100;
const calendars = new Map<string, Intl.DateTimeFormat>();

function calendar(zone: string): Intl.DateTimeFormat {
  const known = calendars.get(zone);
  if (known !== undefined) return known;
  const numeric = 'numeric';
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  });
  const [oldest] = calendars.keys();
  if (calendars.size >= keptZones && oldest !== undefined) calendars.delete(oldest);
  calendars.set(zone, made);
  return made;
}

/** Days since 1970 of a date that exists. */
function daysOf(year: number, month: number, day: number): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists ? Math.floor(date.getTime() / 86_400_000) : undefined;
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, '0');
}
