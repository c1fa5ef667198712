/** Protobuf's wire format: tagged fields of varints, fixed numbers and byte runs. */
import { badRequest } from '../status.ts';

export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Reads one message, field by field: `next()`, then exactly one of the readers or `skip()`. Throws BadRequest on malformed bytes. */
export class Reader {
  /** Of the field that `next` found. */
  number = 0;
  wire = 0;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Whether bytes are left, for runs of packed numbers. */
  more(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** Moves to the next field; false at the end. */
  next(): boolean {
    if (!this.more()) return false;
    const tag = this.varint(true);
    this.number = Math.floor(tag / 8);
    this.wire = tag % 8;
    if (this.number === 0) throw malformed();
    return true;
  }

  /** A signed 64 bit number. Throws BadRequest beyond 2^53, which JSON could not carry. `isTag`: whatever the field's wire type. */
  varint(isTag = false): number {
    if (!isTag && this.wire !== wire.varint && this.number !== 0) throw malformed();
    let low = 0; // 28 bits at a time: plain numbers are exact to 2^53
    let shift = 1;
    const start = this.#at;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || this.#at - start > 10) throw malformed();
      if (this.#at - start <= 7) low += (byte & 0x7f) * shift;
      shift *= 128;
      if (byte < 0x80) break;
    }
    return this.#at - start <= 7 ? low : this.#wide(start);
  }

  #wide(start: number): number {
    let value = 0n;
    for (let at = this.#at - 1; at >= start; at--) value = (value << 7n) | BigInt((this.#bytes[at] ?? 0) & 0x7f);
    const number = Number(BigInt.asIntN(64, value));
    if (!Number.isSafeInteger(number)) throw badRequest('the body has a number that is too large');
    return number;
  }

  bytes(): Buffer {
    if (this.wire !== wire.bytes) throw malformed();
    const length = this.varint(true);
    const end = this.#at + length;
    if (length < 0 || end > this.#bytes.length) throw malformed();
    const run = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return run;
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  double(): number {
    if (this.wire !== wire.fixed64) throw malformed();
    const at = this.#advance(8);
    return this.#bytes.readDoubleLE(at);
  }

  skip(): void {
    switch (this.wire) {
      case wire.varint:
        this.varint();
        return;
      case wire.fixed64:
        this.#advance(8);
        return;
      case wire.bytes:
        this.bytes();
        return;
      case wire.fixed32:
        this.#advance(4);
        return;
      default:
        throw malformed(); // groups: nobody writes them any more
    }
  }

  #advance(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length) throw malformed();
    return at;
  }
}

function malformed(): Error {
  return badRequest('the body is not well-formed protobuf');
}

/** Writes one message: `field(number, wire)`, then its value. */
export class Writer {
  readonly #parts: Buffer[] = [];

  field(number: number, kind: number): this {
    return this.varint(number * 8 + kind);
  }

  varint(value: number): this {
    const out: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
    out.push(Number(rest));
    this.#parts.push(Buffer.from(out));
    return this;
  }

  bytes(value: Buffer): this {
    this.varint(value.length);
    this.#parts.push(value);
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value, 'utf8'));
  }

  double(value: number): this {
    const out = Buffer.alloc(8);
    out.writeDoubleLE(value);
    this.#parts.push(out);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
