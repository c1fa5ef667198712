import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { deadline, systemClock } from '../../src/std/clock.ts';

test('a deadline comes, whatever was collected in the meantime', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void; // what the flag puts there
  const caller = new AbortController();
  let reason: unknown;
  const wait = (): void => {
    const late = deadline(100, caller.signal);
    late.addEventListener('abort', () => (reason = late.reason));
  };
  wait();
  for (let round = 0; round < 10; round++) {
    await systemClock.sleep(5);
    collect();
  }
  await systemClock.sleep(300);
  expect(reason).toMatchObject({ name: 'TimeoutError' });
});

test('a deadline comes early with the signal of its caller', () => {
  const caller = new AbortController();
  const late = deadline(60_000, caller.signal);
  caller.abort(new Error('left'));
  expect(late.reason).toMatchObject({ message: 'left' });
});
