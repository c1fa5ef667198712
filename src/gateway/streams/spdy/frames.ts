/**
 * The frames of SPDY/3.1. Pure. A frame has a head of eight bytes and a payload:
 *
 *   control: 1 bit set,   15 bits version (3), 16 bits type   | 8 bits flags, 24 bits length | payload
 *   data:    1 bit clear, 31 bits stream                      | 8 bits flags, 24 bits length | payload
 *
 * `80 03 00 06 00 00 00 04 00 00 00 01` is PING 1. Control frames are small and read whole; the payload of a data frame
 * is handed on in pieces as it comes, so that its length (up to 16 MiB) costs no memory.
 * Source: SPDY protocol, draft 3.1.
 */

/** What the connection cannot go on after. `code` is what GOAWAY says. */
export class SpdyError extends Error {
  readonly code: number;

  constructor(message: string, code: number = goAwayCode.protocolError) {
    super(message);
    this.name = 'SpdyError';
    this.code = code;
  }
}

export const goAwayCode = { ok: 0, protocolError: 1 } as const;
/** Why a stream ends before its time. */
export const resetCode = { protocolError: 1, refused: 3, cancel: 5 } as const;

export type Frame =
  | { readonly kind: 'open'; readonly stream: number; readonly last: boolean; readonly block: Buffer }
  /** SYN_REPLY and HEADERS: of no use to a server, but their block belongs to the one compressed stream of all blocks. */
  | { readonly kind: 'headers'; readonly stream: number; readonly last: boolean; readonly block: Buffer }
  | { readonly kind: 'reset'; readonly stream: number }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'go-away' }
  /** A piece of a data frame; `last` with the stream's last one, which may be empty. */
  | { readonly kind: 'data'; readonly stream: number; readonly last: boolean; readonly bytes: Buffer }
  /** SETTINGS, WINDOW_UPDATE and what later versions may add. */
  | { readonly kind: 'ignored' };

const type = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7, headers: 8, windowUpdate: 9 } as const;
const headBytes = 8;
const finFlag = 1;
/** Chosen: a client names a stream's type and port, a hundred bytes. */
const maxControlBytes = 16 * 1024;
const idMask = 0x7fff_ffff;

/** Reads one connection: each call takes the next bytes, however they are cut, and gives the frames that are complete. Throws SpdyError. */
export function createFrameReader(): (chunk: Buffer) => readonly Frame[] {
  let rest: Buffer = Buffer.alloc(0);
  let open: { readonly stream: number; readonly last: boolean; left: number } | undefined;

  return (chunk) => {
    const frames: Frame[] = [];
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      if (open !== undefined) {
        const piece = bytes.subarray(0, open.left);
        if (piece.length === 0 && open.left > 0) break;
        open.left -= piece.length;
        bytes = bytes.subarray(piece.length);
        const { stream, last, left } = open;
        frames.push({ kind: 'data', stream, last: last && left === 0, bytes: piece });
        if (left === 0) open = undefined;
        continue;
      }
      if (bytes.length < headBytes) break;
      const [word, flags, length] = [bytes.readUInt32BE(0), bytes.readUInt8(4), bytes.readUIntBE(5, 3)];
      if (word <= idMask) {
        if (word === 0) throw new SpdyError('a data frame of stream 0');
        open = { stream: word, last: (flags & finFlag) !== 0, left: length };
        bytes = bytes.subarray(headBytes);
        continue;
      }
      if (length > maxControlBytes) throw new SpdyError(`a control frame of ${length} bytes`);
      if (bytes.length < headBytes + length) break;
      frames.push(controlFrame(word, flags, bytes.subarray(headBytes, headBytes + length)));
      bytes = bytes.subarray(headBytes + length);
    }
    rest = bytes;
    return frames;
  };
}

function controlFrame(word: number, flags: number, payload: Buffer): Frame {
  const version = (word >>> 16) & 0x7fff;
  if (version !== 3) throw new SpdyError(`version ${version} of SPDY`);
  const last = (flags & finFlag) !== 0;
  switch (word & 0xffff) {
    case type.synStream:
      return { kind: 'open', stream: streamOf(payload, 10), last, block: payload.subarray(10) };
    case type.synReply:
    case type.headers:
      return { kind: 'headers', stream: streamOf(payload, 4), last, block: payload.subarray(4) };
    case type.rstStream:
      return { kind: 'reset', stream: streamOf(payload, 8) };
    case type.ping:
      atLeast(payload, 4);
      return { kind: 'ping', id: payload.readUInt32BE(0) };
    case type.goAway:
      return { kind: 'go-away' };
    default:
      return { kind: 'ignored' };
  }
}

function streamOf(payload: Buffer, needed: number): number {
  atLeast(payload, needed);
  const stream = payload.readUInt32BE(0) & idMask;
  if (stream === 0) throw new SpdyError('a control frame of stream 0');
  return stream;
}

function atLeast(payload: Buffer, bytes: number): void {
  if (payload.length < bytes) throw new SpdyError(`a control frame of ${payload.length} bytes, too short`);
}

/** `bytes` (less than 16 MiB) on `stream`; `last` closes our side of it. */
export function dataFrame(stream: number, bytes: Buffer, last: boolean): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(stream, 0);
  head.writeUInt8(last ? finFlag : 0, 4);
  head.writeUIntBE(bytes.length, 5, 3);
  return Buffer.concat([head, bytes]);
}

/** Accepts `stream`. */
export function replyFrame(stream: number, block: Buffer): Buffer {
  return control(type.synReply, [stream], block);
}

export function resetFrame(stream: number, code: number): Buffer {
  return control(type.rstStream, [stream, code]);
}

export function pingFrame(id: number): Buffer {
  return control(type.ping, [id]);
}

/** No stream after `lastStream` was taken. */
export function goAwayFrame(lastStream: number, code: number): Buffer {
  return control(type.goAway, [lastStream, code]);
}

/** The client may send `bytes` more on `stream`; 0 is the connection. */
export function windowUpdateFrame(stream: number, bytes: number): Buffer {
  return control(type.windowUpdate, [stream, bytes]);
}

function control(number: number, words: readonly number[], rest: Buffer = Buffer.alloc(0)): Buffer {
  const frame = Buffer.alloc(headBytes + 4 * words.length);
  frame.writeUInt32BE(0x8003_0000 + number, 0);
  frame.writeUInt32BE(4 * words.length + rest.length, 4);
  for (const [index, word] of words.entries()) frame.writeUInt32BE(word, headBytes + 4 * index);
  return Buffer.concat([frame, rest]);
}
