import { describe, expect, test } from 'vitest';
import { frame, readFrame } from '../../../src/gateway/streams/channels.ts';
import type { ChannelProtocol, ClientFrame } from '../../../src/gateway/streams/channels.ts';

const v5: ChannelProtocol = 'v5.channel.k8s.io';
const v4: ChannelProtocol = 'v4.channel.k8s.io';
const size = (text: string): Buffer => Buffer.from(`\u0004${text}`);

describe('frames of a client', () => {
  test.for<{ guarantees: string; protocol?: ChannelProtocol; message: Buffer; is: ClientFrame }>([
    { guarantees: 'channel 0 is input', message: Buffer.from('\0hi'), is: { kind: 'input', bytes: Buffer.from('hi') } },
    { guarantees: 'ff 00 ends the input in v5', message: Buffer.from([255, 0]), is: { kind: 'end-of-input' } },
    { guarantees: 'and means nothing in v4', protocol: v4, message: Buffer.from([255, 0]), is: { kind: 'ignored' } },
    { guarantees: 'ff of another channel means nothing', message: Buffer.from([255, 1]), is: { kind: 'ignored' } },
    { guarantees: 'ff alone means nothing', message: Buffer.from([255]), is: { kind: 'ignored' } },
    { guarantees: 'an empty message means nothing', message: Buffer.alloc(0), is: { kind: 'ignored' } },
    { guarantees: 'output from a client means nothing', message: Buffer.from('\u0001x'), is: { kind: 'ignored' } },
    {
      guarantees: 'channel 4 is the size of the terminal',
      message: size('{"Width":80,"Height":24}'),
      is: { kind: 'resize', columns: 80, rows: 24 },
    },
    { guarantees: 'a size of zero is none', message: size('{"Width":0,"Height":24}'), is: { kind: 'ignored' } },
    { guarantees: 'a size that is no JSON is none', message: size('{'), is: { kind: 'ignored' } },
    {
      guarantees: 'a size that is no number is none',
      message: size('{"Width":"8","Height":2}'),
      is: { kind: 'ignored' },
    },
  ])('$guarantees', ({ protocol = v5, message, is }) => {
    expect(readFrame(protocol, message)).toEqual(is);
  });
});

describe('frames of the server', () => {
  test('carry their channel in the first byte', () => {
    expect(frame(2, 'no')).toEqual(Buffer.from([2, 110, 111]));
  });
});
