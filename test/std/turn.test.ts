import { describe, expect, test } from 'vitest';
import { atEndOfTurn } from '../../src/std/turn.ts';

describe('the end of a turn', () => {
  test('comes after all that was ready, and keeps the order', async () => {
    const done: string[] = [];
    atEndOfTurn(() => done.push('first'));
    await Promise.resolve();
    atEndOfTurn(() => done.push('second'));
    done.push('input');
    await new Promise(setImmediate);
    expect(done).toEqual(['input', 'first', 'second']);
  });

  test('what is put off meanwhile waits for the next one', async () => {
    const done: string[] = [];
    atEndOfTurn(() => {
      done.push('first');
      atEndOfTurn(() => done.push('later'));
    });
    await new Promise(setImmediate);
    expect(done).toEqual(['first']);
    await new Promise(setImmediate);
    expect(done).toEqual(['first', 'later']);
  });
});
