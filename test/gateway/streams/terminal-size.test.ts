import { expect, test } from 'vitest';
import { createSizeReader, readTerminalSize } from '../../../src/gateway/streams/terminal-size.ts';

test('sizes are found however their stream is cut', () => {
  const text = '{"Width":80,"Height":24}\n{"Width":0,"Height":1}\n{"Width":120,"Height":40}\n';
  for (let size = 1; size <= text.length; size++) {
    const read = createSizeReader();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...read(Buffer.from(text.slice(at, at + size))));
    expect(found).toEqual([
      { columns: 80, rows: 24 },
      { columns: 120, rows: 40 },
    ]);
  }
});

test('text that never becomes a size is not collected', () => {
  const read = createSizeReader();
  for (let i = 0; i < 1000; i++) expect(read(Buffer.alloc(1024, 'x'))).toEqual([]);
  read(Buffer.from('}'));
  expect(read(Buffer.from('{"Width":80,"Height":24}'))).toEqual([{ columns: 80, rows: 24 }]);
});

test.for([
  { guarantees: 'kubectl tells a size', text: '{"Width":80,"Height":24}', gives: { columns: 80, rows: 24 } },
  {
    guarantees: 'the JavaScript client tells it small',
    text: '{"height":24,"width":80}',
    gives: { columns: 80, rows: 24 },
  },
  { guarantees: 'half a size is none', text: '{"Width":80}', gives: undefined },
  { guarantees: 'null is no size', text: 'null', gives: undefined },
])('$guarantees', ({ text, gives }) => {
  expect(readTerminalSize(text)).toEqual(gives);
});
