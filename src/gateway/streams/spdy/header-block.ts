/**
 * Header blocks of SPDY/3. All blocks of one direction are one zlib stream, primed with a dictionary, and each block ends
 * with a flush that fills its last byte. So a block can be inflated alone, as raw deflate whose dictionary is the last
 * 32 KiB of what came before: synchronously, and never to more than a limit, however much a small block claims to hold.
 *
 * Inflated: a count, then for each header the length and bytes of its name and of its value; all numbers have 32 bits.
 */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { SpdyError } from './frames.ts';

/** Names are in lower case. Values of a repeated name are joined by NUL. */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** Chosen: what clients send has a hundred bytes. */
const maxInflatedBytes = 16 * 1024;
const windowBytes = 32 * 1024;

/** The words that come first in the dictionary, each after its length. */
const words =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow ' +
  'authorization cache-control connection content-base content-encoding content-language content-length ' +
  'content-location content-md5 content-range content-type date etag expect expires from host if-match ' +
  'if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma ' +
  'proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade ' +
  'user-agent vary via warning www-authenticate method get status';
/** The words that follow: `status` with a value, and more in the same way. */
const pairs = ['200 OK', 'version', 'HTTP/1.1', 'url', 'public', 'set-cookie', 'keep-alive', 'origin'];
const codes =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden' +
  '404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable';
const texts =
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT' +
  'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,' +
  'publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

/** What both ends prime their zlib streams with. Source: SPDY protocol, draft 3, "Compression". */
export const headerDictionary: Buffer = Buffer.concat([
  ...[...words.split(' '), ...pairs].flatMap((word) => [length32(word), Buffer.from(word)]),
  Buffer.from(codes + texts),
]);
/** What zlib knows that dictionary by: its Adler-32. */
const dictionaryId = 0xe3c6_a7c2;

/** Reads the blocks of one direction, in their order. Throws SpdyError. */
export function createHeaderReader(): (block: Buffer) => SpdyHeaders {
  let window: Buffer | undefined;
  return (block) => {
    const first = window === undefined;
    if (first) checkZlibHead(block);
    const dictionary = window ?? headerDictionary;
    const inflated = inflate(first ? block.subarray(6) : block, dictionary);
    window = Buffer.concat([dictionary, inflated]).subarray(-windowBytes);
    return parseHeaders(inflated);
  };
}

/** The blocks of replies, none of which says anything: stored, not compressed, so that no state is kept. */
export function createEmptyBlocks(): () => Buffer {
  let first = true;
  return () => {
    const stored = deflateRawSync(Buffer.alloc(4), { level: 0, finishFlush: constants.Z_SYNC_FLUSH });
    const head = Buffer.from([0x78, 0x20, 0xe3, 0xc6, 0xa7, 0xc2]); // deflate, a dictionary, its id
    const block = first ? Buffer.concat([head, stored]) : stored;
    first = false;
    return block;
  };
}

function checkZlibHead(block: Buffer): void {
  if (block.length < 6) throw new SpdyError('the first header block is too short');
  const deflates = (block.readUInt8(0) & 0x0f) === 8 && block.readUInt16BE(0) % 31 === 0;
  const primed = (block.readUInt8(1) & 0x20) !== 0 && block.readUInt32BE(2) === dictionaryId;
  if (!deflates || !primed) throw new SpdyError('the header blocks are not compressed as SPDY/3 says');
}

function inflate(block: Buffer, dictionary: Buffer): Buffer {
  try {
    const finishFlush = constants.Z_SYNC_FLUSH;
    return inflateRawSync(block, { dictionary, finishFlush, maxOutputLength: maxInflatedBytes });
  } catch (error) {
    const large = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    throw new SpdyError(large ? `a header block of more than ${maxInflatedBytes} bytes` : 'a broken header block');
  }
}

function parseHeaders(bytes: Buffer): SpdyHeaders {
  let offset = 0;
  const number = (): number => {
    if (offset + 4 > bytes.length) throw new SpdyError('a header block ends too early');
    offset += 4;
    return bytes.readUInt32BE(offset - 4);
  };
  const text = (): string => {
    const length = number();
    if (offset + length > bytes.length) throw new SpdyError('a header is longer than its block');
    offset += length;
    return bytes.toString('utf8', offset - length, offset);
  };
  const headers = new Map<string, string>();
  for (let left = number(); left > 0; left--) {
    const name = text();
    if (name === '' || headers.has(name)) throw new SpdyError('a header has no name, or comes twice');
    headers.set(name, text());
  }
  return headers;
}

function length32(word: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(word.length);
  return length;
}
