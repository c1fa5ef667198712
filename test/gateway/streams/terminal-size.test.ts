import { expect, test } from 'vitest';
import { createSizeReader } from '../../../src/gateway/streams/terminal-size.ts';

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
