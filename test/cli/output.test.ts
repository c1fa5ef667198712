import { describe, expect, test } from 'vitest';
import { printable, table, wantsColour } from '../../src/cli/output.ts';
import type { Column } from '../../src/cli/output.ts';

interface Row {
  readonly name: string;
  readonly code: number;
}

const columns: readonly Column<Row>[] = [
  { title: 'NAME', of: (row) => row.name },
  { title: 'SEEN', of: () => 'yes', wide: true },
  { title: 'CODE', of: (row) => String(row.code), alert: (row) => row.code === 403 },
];
const rows = [
  { name: 'a', code: 200 },
  { name: 'longer', code: 403 },
];

describe('a table', () => {
  test('lines its columns up under their titles', () => {
    expect(table(rows, columns, { wide: false, colour: false })).toBe('NAME     CODE\na        200\nlonger   403');
  });

  test('shows wide columns only when wide', () => {
    expect(table(rows, columns, { wide: true, colour: false })).toContain('SEEN');
    expect(table(rows, columns, { wide: false, colour: false })).not.toContain('SEEN');
  });

  test('colours what alerts, and nothing else', () => {
    const lines = table(rows, columns, { wide: false, colour: true }).split('\n');
    expect(lines.map((line) => line.includes('\u001B[31m403'))).toEqual([false, false, true]);
  });

  test('never lets a name drive the terminal', () => {
    const name = '\u001B[2Jx\ny';
    expect(table([{ name, code: 1 }], columns, { wide: false, colour: false })).toContain('\uFFFD[2Jx\uFFFDy');
    expect(printable('a\u202Eb')).toBe('a\uFFFDb');
  });
});

test.for([
  [{}, true, true],
  [{}, false, false],
  [{ NO_COLOR: '1' }, true, false],
  [{ TERM: 'dumb' }, true, false],
] as const)('environment %j with terminal %s: colour %s', ([env, terminal, colour]) => {
  expect(wantsColour(env, terminal)).toBe(colour);
});
