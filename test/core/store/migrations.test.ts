import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Journal {
  readonly entries: readonly { readonly tag: string; readonly when: number }[];
}

test('every migration is in the journal, in the order of its number and of its time', () => {
  const files = readdirSync('migrations').filter((name) => name.endsWith('.sql'));
  const { entries } = JSON.parse(readFileSync('migrations/meta/_journal.json', 'utf8')) as Journal;
  expect(entries.map(({ tag }) => `${tag}.sql`)).toEqual(files.toSorted());
  const times = entries.map(({ when }) => when);
  expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
});
