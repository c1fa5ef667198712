import { describe, expect, test } from 'vitest';
import {
  formatEntries,
  outputBytes,
  parseEntry,
  splitLines,
} from '../../../../../src/core/node/runtimes/logs/cri-log.ts';

const now = Date.parse('2026-01-02T03:04:05.678Z');
const at = '2026-01-02T03:04:05.678000Z stdout';

interface Row {
  readonly guarantees: string;
  readonly output: string;
  readonly flush?: boolean;
  readonly lines: string;
  readonly rest: string;
}

describe('the container log format', () => {
  test.for<Row>([
    { guarantees: 'each line is an entry', output: 'a\nb\n', lines: `${at} F a\n${at} F b\n`, rest: '' },
    { guarantees: 'an unfinished line waits', output: 'a\nb', lines: `${at} F a\n`, rest: 'b' },
    { guarantees: 'an unfinished last line is a part', output: 'b', flush: true, lines: `${at} P b\n`, rest: '' },
    { guarantees: 'an empty line is kept', output: '\n', lines: `${at} F \n`, rest: '' },
    {
      guarantees: 'a long line is cut into parts of 16 KiB',
      output: `${'x'.repeat(16_385)}\n`,
      lines: `${at} P ${'x'.repeat(16_384)}\n${at} F x\n`,
      rest: '',
    },
  ])('$guarantees', ({ output, flush = false, lines, rest }) => {
    const formatted = formatEntries(Buffer.from(output), 'stdout', now, flush);
    expect([formatted.lines.toString(), formatted.rest.toString()]).toEqual([lines, rest]);
  });

  test('entries stand for exactly the bytes that were written', () => {
    const output = Buffer.from(`one\n\n${'y'.repeat(40_000)}\nlast`);
    const { lines } = splitLines(formatEntries(output, 'stderr', now, true).lines);
    const bytes = lines
      .map((line) => parseEntry(line))
      .reduce((sum, entry) => sum + (entry ? outputBytes(entry) : 0), 0);
    expect(bytes).toBe(output.length);
  });

  test.for(['', 'x', 'yesterday stdout F x', '2026-01-02T03:04:05Z stdin F x'])('%j is no entry', (line) => {
    expect(parseEntry(Buffer.from(line))).toBeUndefined();
  });
});
