import { Duration, Timestamp } from '../time.ts';
import type { Meter } from '../meter.ts';
import { traversal } from '../run-cost.ts';
import { typeName } from '../types.ts';
import { Double, Failure, isMap, List, TypeValue, typeOfValue, Uint, type Value } from '../values.ts';
import { formatDouble } from './number-text.ts';

/**
 * `text.format(args)`: %s %d %f %e %b %o %x %X and %%, with a precision for %f and %e. Source: cel-spec,
 * tests/simple/testdata/string_ext.
 */
export function formatText(text: string, args: List, meter: Meter): string | Failure {
  let [result, next, at] = ['', 0, 0];
  while (at < text.length) {
    const sign = text.indexOf('%', at);
    if (sign < 0) break;
    result += text.slice(at, sign);
    const clause = /^%(?:%|(?:\.(\d{1,9}))?([a-zA-Z]))/.exec(text.slice(sign, sign + 13));
    if (clause === null) return new Failure('could not parse formatting clause: unexpected end of string');
    at = sign + clause[0].length;
    if (clause[2] === undefined) {
      result += '%';
      continue;
    }
    if (next >= args.size) return new Failure(`index ${next} out of range`);
    const part = formatClause(clause[2], args.at(next++), clause[1]);
    if (part instanceof Failure) return part;
    meter.charge(traversal(part.length));
    result += part;
  }
  return result + text.slice(at);
}

/** Longer fractions are refused. Chosen: the longest that the language writes exactly. */
const maxPrecision = 100;

function formatClause(clause: string, value: Value, written: string | undefined): string | Failure {
  const precision = Number(written ?? 6);
  if (precision > maxPrecision) return new Failure(`precision ${precision} is out of range: at most ${maxPrecision}`);
  if (clause === 's') return textOf(value);
  const wrong = new Failure(
    `error during formatting: '%${clause}' does not apply to a value of type ${typeName(typeOfValue(value))}`,
  );
  const number = value instanceof Uint || value instanceof Double ? value.value : value;
  if (clause === 'x' || clause === 'X') {
    const text = hexadecimal(value);
    return text === undefined ? wrong : clause === 'X' ? text.toUpperCase() : text;
  }
  if (clause === 'b' && typeof value === 'boolean') return value ? '1' : '0';
  if (typeof number !== 'number' && typeof number !== 'bigint') return wrong;
  if (clause === 'b' || clause === 'o') {
    return value instanceof Double ? wrong : number.toString(clause === 'b' ? 2 : 8);
  }
  if (clause === 'd') return value instanceof Double ? decimal(value.value) : String(number);
  if (clause === 'f')
    return Number.isFinite(Number(number)) ? fixed(Number(number), precision) : decimal(Number(number));
  if (clause === 'e') {
    return Number.isFinite(Number(number)) ? scientific(Number(number), precision) : decimal(Number(number));
  }
  return new Failure(`could not parse formatting clause: unrecognized formatting clause "${clause}"`);
}

function decimal(value: number): string {
  return Number.isFinite(value) ? formatDouble(value) : String(value);
}

function hexadecimal(value: Value): string | undefined {
  if (typeof value === 'string') return Buffer.from(value, 'utf8').toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'number' || typeof value === 'bigint') return value.toString(16);
  return value instanceof Uint ? value.value.toString(16) : undefined;
}

/** As many as the language gives, all of them right. */
const exactDigits = 100;

/** Rounded to even where exactly in the middle. */
function fixed(value: number, precision: number): string {
  if (Math.abs(value) >= 1e21) {
    return `${BigInt(value)}${precision === 0 ? '' : `.${'0'.repeat(precision)}`}`;
  }
  const rounded = value.toFixed(precision);
  if (precision > 40) return rounded;
  const exact = value.toFixed(exactDigits);
  const cut = exact.slice(0, exact.length - exactDigits + precision).replace(/\.$/, '');
  const isMiddle = /^50*$/.test(exact.slice(exact.length - exactDigits + precision));
  return isMiddle && /[02468]$/.test(cut) ? cut : rounded;
}

function scientific(value: number, precision: number): string {
  return value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2');
}

function textOf(value: Value): string | Failure {
  if (typeof value === 'string') return value;
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint') {
    return String(value);
  }
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Double) return decimal(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (value instanceof Timestamp || value instanceof Duration) return value.toString();
  if (value instanceof TypeValue) return typeName(value.type);
  if (value instanceof List) {
    const parts: string[] = [];
    for (const item of value) {
      const text = textOf(item);
      if (text instanceof Failure) return text;
      parts.push(text);
    }
    return `[${parts.join(', ')}]`;
  }
  if (!isMap(value)) return new Failure(`no formatting function for ${typeName(typeOfValue(value))}`);
  const parts: string[] = [];
  for (const key of value.keys()) {
    const text = textOf(value.get(key) ?? null);
    if (text instanceof Failure) return text;
    parts.push(`${String(key)}: ${text}`);
  }
  return `{${parts.toSorted().join(', ')}}`;
}
