import { describe, expect, test } from 'vitest';
import {
  SpdyError,
  createFrameReader,
  dataFrame,
  goAwayFrame,
  pingFrame,
  replyFrame,
  resetFrame,
  windowUpdateFrame,
} from '../../../../src/gateway/streams/spdy/frames.ts';
import type { Frame } from '../../../../src/gateway/streams/spdy/frames.ts';
import { failureOf, isSpdyOrNone } from './failure.ts';
import { execBytes, forwardBytes } from './recorded.ts';

/** The frames of `bytes`, cut into chunks of the given sizes in turn, with the pieces of data put together. */
function framesOf(bytes: Buffer, sizes: readonly number[]): readonly Frame[] {
  const read = createFrameReader();
  const frames: Frame[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    for (const frame of read(bytes.subarray(at, at + size))) {
      const before = frames.at(-1);
      if (frame.kind === 'data' && before?.kind === 'data' && before.stream === frame.stream && !before.last)
        frames.splice(-1, 1, { ...frame, bytes: Buffer.concat([before.bytes, frame.bytes]) });
      else frames.push(frame);
    }
    at += size;
  }
  return frames;
}

/** The same numbers for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('what kubectl sends', () => {
  test('for exec is read frame by frame', () => {
    const frames = framesOf(execBytes, [execBytes.length]);
    expect(frames.map((frame) => [frame.kind, 'stream' in frame ? frame.stream : 0])).toEqual([
      ['open', 1],
      ['open', 3],
      ['open', 5],
      ['reset', 1],
      ['reset', 3],
      ['reset', 5],
      ['go-away', 0],
    ]);
  });

  test.for([
    ['exec', execBytes],
    ['port-forward', forwardBytes],
  ] as const)('for %s is the same however it is cut', ([, bytes]) => {
    const whole = framesOf(bytes, [bytes.length]);
    for (let size = 1; size < bytes.length; size++) expect(framesOf(bytes, [size])).toEqual(whole);
    const next = numbers(7);
    for (let round = 0; round < 200; round++) {
      const sizes = Array.from({ length: 10 }, () => 1 + next(40));
      expect(framesOf(bytes, sizes)).toEqual(whole);
    }
  });

  test('cut off anywhere gives a beginning of its frames and no error', () => {
    const whole = framesOf(forwardBytes, [forwardBytes.length]);
    for (let end = 0; end < forwardBytes.length; end++) {
      const frames = framesOf(forwardBytes.subarray(0, end), [forwardBytes.length]);
      for (const [index, frame] of frames.entries()) {
        expect(whole[index]).toMatchObject({ kind: frame.kind });
      }
    }
  });
});

describe('frames of the server', () => {
  test.for<[string, Buffer, string]>([
    ['data', dataFrame(3, Buffer.from('hi'), false), '00000003 00000002 6869'],
    ['the end of data', dataFrame(3, Buffer.alloc(0), true), '00000003 01000000'],
    ['a reply', replyFrame(5, Buffer.from([7])), '80030002 00000005 00000005 07'],
    ['a reset', resetFrame(5, 3), '80030003 00000008 00000005 00000003'],
    ['a ping', pingFrame(2), '80030006 00000004 00000002'],
    ['going away', goAwayFrame(7, 0), '80030007 00000008 00000007 00000000'],
    ['more window', windowUpdateFrame(0, 32_768), '80030009 00000008 00000000 00008000'],
  ])('%s', ([, frame, hex]) => {
    expect(frame.toString('hex')).toBe(hex.replaceAll(' ', ''));
  });
});

describe('what breaks the protocol is refused', () => {
  test.for<[string, string]>([
    ['a control frame of more than 16 KiB', '80030001 00004001'],
    ['another version', '80020006 00000004 00000001'],
    ['data of stream 0', '00000000 00000001 00'],
    ['a stream 0', '80030001 0000000a 00000000 00000000 0000'],
    ['a SYN_STREAM that is too short', '80030001 00000004 00000001'],
    ['a RST_STREAM that is too short', '80030003 00000004 00000001'],
    ['an empty ping', '80030006 00000000'],
  ])('%s', ([, hex]) => {
    expect(() => createFrameReader()(Buffer.from(hex.replaceAll(' ', ''), 'hex'))).toThrow(SpdyError);
  });

  test('frames that are not known are passed over', () => {
    const read = createFrameReader();
    const unknown = Buffer.from('80030005 00000003 aabbcc'.replaceAll(' ', ''), 'hex');
    expect(read(Buffer.concat([unknown, pingFrame(1)]))).toEqual([{ kind: 'ignored' }, { kind: 'ping', id: 1 }]);
  });

  test('a data frame of 16 MiB is handed on in pieces and never held', () => {
    const read = createFrameReader();
    expect(read(Buffer.from('0000000301ffffff', 'hex'))).toEqual([]);
    let got = 0;
    let last = false;
    for (let sent = 0; sent < 0xff_ffff; sent += 65_535) {
      for (const frame of read(Buffer.alloc(Math.min(65_535, 0xff_ffff - sent)))) {
        if (frame.kind !== 'data') throw new Error(frame.kind);
        got += frame.bytes.length;
        last = frame.last;
      }
    }
    expect([got, last]).toEqual([0xff_ffff, true]);
  });

  test('random bytes give frames or an error, at once', () => {
    const next = numbers(42);
    for (let round = 0; round < 2000; round++) {
      const read = createFrameReader();
      const failure = failureOf(() => {
        for (let chunk = 0; chunk < 20; chunk++) read(Buffer.from(Array.from({ length: next(64) }, () => next(256))));
      });
      expect(failure).toSatisfy(isSpdyOrNone);
    }
  });
});
