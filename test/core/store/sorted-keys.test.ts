import { expect, test } from 'vitest';
import { byUnits, SortedKeys } from '../../../src/core/store/sorted-keys.ts';

const all = (keys: SortedKeys): (string | undefined)[] => Array.from({ length: keys.size }, (_, i) => keys.at(i));

test.for([{ flood: 1 }, { flood: 5 }, { flood: 100 }])(
  'keys are in order whatever came in between looks: $flood at a time',
  ({ flood }) => {
    const keys = new SortedKeys();
    const expected = new Set<string>();
    let random = 7;
    const next = (): string => `k${(random = (random * 48_271) % 2_147_483_647) % 1000}`;
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < flood; i++) {
        const key = next();
        if (!expected.has(key)) keys.add(key);
        expected.add(key);
      }
      const gone = next();
      keys.remove(gone);
      expected.delete(gone);
      expect(all(keys)).toEqual([...expected].toSorted(byUnits));
    }
  },
);

test('a key that was just added is found', () => {
  const keys = new SortedKeys();
  for (const key of ['d', 'b', 'c']) keys.add(key);
  expect(keys.size).toBe(3);
  expect(keys.lowerBound('c')).toBe(1);
});
