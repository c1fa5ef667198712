import { expect, test } from 'vitest';
import { coalesced } from '../../../src/netpolicy/backends/coalesce.ts';

test('the first call runs at once, those that come meanwhile share the next run, and a failure reaches only its own', async () => {
  const ends: ((error?: Error) => void)[] = [];
  const call = coalesced(
    () => new Promise((resolve, reject) => ends.push((error) => (error === undefined ? resolve() : reject(error)))),
  );
  const first = call();
  const [second, third] = [call(), call()];
  expect([ends.length, second === third]).toEqual([1, true]);
  ends[0]?.(new Error('refused'));
  await expect(first).rejects.toThrow('refused');
  await Promise.resolve();
  ends[1]?.();
  await second;
  expect(ends.length).toBe(2);
});
