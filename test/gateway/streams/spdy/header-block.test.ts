import { constants, createDeflate, deflateRawSync, inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { SpdyError, createFrameReader } from '../../../../src/gateway/streams/spdy/frames.ts';
import {
  createEmptyBlocks,
  createHeaderReader,
  headerDictionary,
} from '../../../../src/gateway/streams/spdy/header-block.ts';
import { failureOf, isSpdyOrNone } from './failure.ts';
import { execBytes, forwardBytes } from './recorded.ts';

const blocksOf = (bytes: Buffer): readonly Buffer[] =>
  createFrameReader()(bytes).flatMap((frame) => (frame.kind === 'open' ? [frame.block] : []));

function plain(headers: readonly (readonly [string, string])[]): Buffer {
  const parts = headers
    .flatMap(([name, value]) => [name, value])
    .flatMap((text) => [number(text.length), Buffer.from(text)]);
  return Buffer.concat([number(headers.length), ...parts]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Blocks as one zlib stream makes them, the way every client does. */
async function compress(texts: readonly Buffer[], level = 9): Promise<readonly Buffer[]> {
  const deflate = createDeflate({ level, dictionary: headerDictionary });
  const blocks: Buffer[] = [];
  for (const text of texts) {
    deflate.write(text);
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    const parts: Buffer[] = [];
    for (let part: unknown = deflate.read(); part !== null; part = deflate.read()) parts.push(part as Buffer);
    blocks.push(Buffer.concat(parts));
  }
  deflate.destroy();
  return blocks;
}

test('the dictionary is the one that zlib knows by the id of SPDY/3', async () => {
  const [block] = await compress([plain([])]);
  expect(block?.subarray(2, 6).toString('hex')).toBe('e3c6a7c2');
});

test('the headers of kubectl exec', () => {
  const read = createHeaderReader();
  expect(blocksOf(execBytes).map((block) => Object.fromEntries(read(block)))).toEqual([
    { streamtype: 'error' },
    { streamtype: 'stdout' },
    { streamtype: 'stderr' },
  ]);
});

test('the headers of kubectl port-forward', () => {
  const read = createHeaderReader();
  expect(blocksOf(forwardBytes).map((block) => Object.fromEntries(read(block)))).toEqual([
    { streamtype: 'error', port: '35349', requestid: '0' },
    { streamtype: 'data', port: '35349', requestid: '0' },
  ]);
});

test.for([0, 1, 6, 9])('a thousand blocks of one stream, compressed at level %i', async (level) => {
  const all = Array.from({ length: 1000 }, (_, i): [string, string][] => [
    ['streamtype', i % 2 === 0 ? 'error' : 'data'],
    ['port', String(8000 + (i % 7))],
    ['requestid', String(i >> 1)],
    [`x-${i % 13}`, 'y'.repeat(i)],
  ]);
  const read = createHeaderReader();
  for (const [i, block] of (await compress(all.map(plain), level)).entries()) {
    expect([...read(block)]).toEqual(all[i]);
  }
});

test('replies are blocks of no header, of one stream that begins with the dictionary', () => {
  const block = createEmptyBlocks();
  const [first, second] = [block(), block()];
  const stream = Buffer.concat([first, second]);
  const finishFlush = constants.Z_SYNC_FLUSH;
  expect(inflateSync(stream, { dictionary: headerDictionary, finishFlush })).toEqual(Buffer.alloc(8));
  expect(second.subarray(-4).toString('hex')).toBe('0000ffff'); // flushed: Go's reader gives nothing before
});

describe('refused', () => {
  test('a bomb: a small block that would become large', async () => {
    const [block = Buffer.alloc(0)] = await compress([Buffer.alloc(10_000_000)]);
    expect(block.length).toBeLessThan(16 * 1024);
    expect(() => createHeaderReader()(block)).toThrow(/more than 16384 bytes/);
  });

  test.for<[string, Buffer]>([
    ['more headers than there are', Buffer.concat([number(2), plain([['a', 'b']]).subarray(4)])],
    ['a count of four thousand million', number(0xffff_ffff)],
    ['a name longer than its block', Buffer.concat([number(1), number(0xffff_fff0), Buffer.from('name')])],
    [
      'a header twice',
      Buffer.concat([
        plain([
          ['a', '1'],
          ['a', '2'],
        ]),
      ]),
    ],
    ['a header without a name', plain([['', 'x']])],
    ['nothing', Buffer.alloc(0)],
  ])('%s', async ([, text]) => {
    const [block = Buffer.alloc(0)] = await compress([text]);
    expect(() => createHeaderReader()(block)).toThrow(SpdyError);
  });

  test.for<[string, Buffer]>([
    ['an empty block', Buffer.alloc(0)],
    ['no zlib', Buffer.from('streamtype: error')],
    ['zlib without the dictionary', Buffer.concat([Buffer.from([0x78, 0x9c]), deflateRawSync(plain([['a', 'b']]))])],
    ['garbage after the head', Buffer.from('78f9e3c6a7c2ffffffffffff', 'hex')],
  ])('%s', ([, block]) => {
    expect(() => createHeaderReader()(block)).toThrow(SpdyError);
  });

  test('a changed bit of a real block gives other headers or an error, nothing else', () => {
    const [block = Buffer.alloc(0)] = blocksOf(forwardBytes);
    for (let bit = 0; bit < block.length * 8; bit++) {
      const changed = Buffer.from(block);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(failureOf(() => createHeaderReader()(changed))).toSatisfy(isSpdyOrNone);
    }
  });
});
