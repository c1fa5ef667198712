/**
 * Amounts as the API writes them: `500m`, `1.5Gi`, `2e3`. Exact to a billionth, as upstream: smaller parts round up.
 * The canonical form of a value has no fraction and the largest suffix that allows it; which family of suffixes
 * it uses is remembered from how it was written. Source: Kubernetes API, resource.Quantity.
 */
export interface Quantity {
  /** Billionths. */
  readonly nanos: bigint;
  readonly format: 'DecimalSI' | 'BinarySI' | 'DecimalExponent';
}

const nano = 1_000_000_000n;
/** The largest amount there is, in whole units; more is taken as this much. */
const max = (2n ** 63n - 1n) * nano;

const decimal: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const decimalSuffix = new Map([...decimal].map(([suffix, exponent]) => [exponent, suffix]));
const binary = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/** The amount `text` names, or undefined when it is none. */
export function parseQuantity(text: string): Quantity | undefined {
  const parts = /^([+-]?)(\d*)(?:\.(\d*))?([eE][+-]?\d{1,2}|[numkMGTPE]|[KMGTPE]i|)$/.exec(text);
  if (parts === null) return undefined;
  const [, sign = '', whole = '', fraction = '', suffix = ''] = parts;
  if (whole === '' && fraction === '') return undefined;
  if (whole.length + fraction.length > 100) return undefined; // nobody means it, and arithmetic on it costs
  const power = binary.indexOf(suffix);
  const exponent = decimal.get(suffix) ?? (power < 0 ? Number(suffix.slice(1)) : 0);
  const scale = exponent + 9 - fraction.length;
  const digits = BigInt(whole + fraction) * (power < 0 ? 1n : 1024n ** BigInt(power + 1));
  const nanos = scale >= 0 ? digits * 10n ** BigInt(scale) : divideUp(digits, 10n ** BigInt(-scale));
  const capped = nanos > max ? max : nanos;
  return {
    nanos: sign === '-' ? -capped : capped,
    format: power >= 0 ? 'BinarySI' : decimal.has(suffix) ? 'DecimalSI' : 'DecimalExponent',
  };
}

/** `quantity` in canonical form. */
export function formatQuantity(quantity: Quantity): string {
  const { nanos, format } = quantity;
  if (nanos === 0n) return '0';
  if (format === 'BinarySI' && (nanos >= 1024n * nano || nanos <= -1024n * nano) && nanos % nano === 0n) {
    let value = nanos / nano;
    let power = 0;
    for (; power < binary.length && value % 1024n === 0n; power++) value /= 1024n;
    return `${value}${power === 0 ? '' : binary[power - 1]}`;
  }
  let value = nanos;
  let exponent = -9;
  for (; exponent < 18 && value % 1000n === 0n; exponent += 3) value /= 1000n;
  if (format === 'DecimalExponent') return exponent === 0 ? `${value}` : `${value}e${exponent}`;
  return `${value}${decimalSuffix.get(exponent) ?? ''}`;
}

/** The canonical form of what a client wrote (`0.5` is `500m`, 1024Mi is `1Gi`), or undefined when it is no amount. */
export function canonicalQuantity(written: string | number): string | undefined {
  const text = String(written).trim();
  const plain = /^([1-9]\d{0,14})(m|Ki|Mi|Gi|)$/.exec(text); // nearly all of them are canonical already
  if (plain !== null) {
    const step = plain[2] === '' || plain[2] === 'm' ? 1000 : 1024;
    const value = Number(plain[1]);
    if (value % step !== 0) return text;
  }
  const quantity = parseQuantity(text);
  return quantity === undefined ? undefined : formatQuantity(quantity);
}

/** Negative, zero or positive, as a sort wants it. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
}

/** The sum, in the format of `a` (of `b` when `a` is zero). */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos + b.nanos, format: a.nanos === 0n ? b.format : a.format };
}

/** What is left of `a`; may be negative. */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos - b.nanos, format: a.nanos === 0n ? b.format : a.format };
}

/** Whole units (bytes, pods), parts rounded up. Exact up to 2^53. */
export function wholeUnits(quantity: Quantity): number {
  return Number(divideUp(quantity.nanos, nano));
}

/** Thousandths (of a CPU), parts rounded up. Exact up to 2^53. */
export function milliUnits(quantity: Quantity): number {
  return Number(divideUp(quantity.nanos, 1_000_000n));
}

/** Rounded away from zero, as upstream rounds what it cannot keep. */
function divideUp(value: bigint, by: bigint): bigint {
  const whole = value / by;
  if (value % by === 0n) return whole;
  return value < 0n ? whole - 1n : whole + 1n;
}
