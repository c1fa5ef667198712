import { beforeEach, describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../../../src/core/scheduler/framework.ts';
import { podFacts } from '../../../src/core/scheduler/pod-facts.ts';
import type { PodFacts } from '../../../src/core/scheduler/pod-facts.ts';
import { SchedulingQueue } from '../../../src/core/scheduler/queue.ts';
import { pod, testClock } from './support.ts';
import type { TestClock } from './support.ts';

const facts = (name: string, priority = 0): PodFacts => podFacts(pod(name, { priority }));
const room: ClusterEvent = { kind: 'room', pod: pod('left') };
const byFit = new Set(['NodeResourcesFit']);

let clock: TestClock;
let queue: SchedulingQueue;
let rings: number;

beforeEach(() => {
  clock = testClock();
  rings = 0;
  queue = new SchedulingQueue({
    clock,
    onActive: () => rings++,
    wakes: (plugin, event) => plugin === 'NodeResourcesFit' && event.kind === 'room',
    signal: new AbortController().signal,
  });
});

const next = (): string | undefined => queue.pop()?.facts.pod.metadata.name;
const drain = (): readonly (string | undefined)[] => {
  const names: (string | undefined)[] = [];
  for (let name = next(); name !== undefined; name = next()) names.push(name);
  return names;
};

describe('the scheduling queue', () => {
  test('gives the highest priority first, and of one priority who came first', () => {
    for (const [name, priority] of [
      ['a', 0],
      ['b', 10],
      ['c', -5],
      ['d', 10],
      ['e', 0],
    ] as const)
      queue.add(facts(name, priority));
    expect(drain()).toEqual(['b', 'd', 'a', 'e', 'c']);
  });

  test('keeps its order whatever comes and goes in between', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    const inside = new Map<string, { priority: number; order: number }>();
    const given: (string | undefined)[] = [];
    const expected: (string | undefined)[] = [];
    for (let i = 0; i < 2_000; i++) {
      const name = `p${i}`;
      if (random(3) > 0) {
        const priority = random(5);
        queue.add(facts(name, priority));
        inside.set(name, { priority, order: i });
      } else if (random(2) === 0) {
        const gone = [...inside.keys()][random(Math.max(inside.size, 1))];
        if (gone === undefined) continue;
        queue.remove(`uid-${gone}`);
        inside.delete(gone);
      } else {
        const [best] = [...inside].toSorted(([, a], [, b]) => b.priority - a.priority || a.order - b.order);
        given.push(next());
        expected.push(best?.[0]);
        if (best !== undefined) inside.delete(best[0]);
      }
    }
    expect(given).toEqual(expected);
  });

  test('a pod taken out is not given twice', () => {
    queue.add(facts('a'));
    expect(drain()).toEqual(['a']);
    expect(queue.has('uid-a')).toBe(true);
  });

  test('a removed pod never comes back', () => {
    queue.add(facts('a'));
    queue.pop();
    queue.unschedulable('uid-a', byFit);
    queue.wake(room);
    queue.remove('uid-a');
    clock.advance(600_000);
    expect(drain()).toEqual([]);
  });

  test('an unschedulable pod waits for a change that may help it, and for no other', () => {
    queue.add(facts('a'));
    queue.pop();
    queue.unschedulable('uid-a', byFit);
    clock.advance(2_000);
    queue.wake({ kind: 'placed', pod: pod('other') });
    expect(drain()).toEqual([]);
    queue.wake(room);
    expect(drain()).toEqual(['a']);
  });

  test('a pod that no plugin rejected, because there was no node, is woken by anything', () => {
    queue.add(facts('a'));
    queue.pop();
    queue.unschedulable('uid-a', new Set());
    clock.advance(1_000);
    queue.wake({ kind: 'placed', pod: pod('other') });
    expect(drain()).toEqual(['a']);
  });

  test('backs off 1 s, doubling to 10 s, counted from the last attempt', () => {
    queue.add(facts('a'));
    for (const seconds of [1, 2, 4, 8, 10, 10]) {
      expect(drain()).toEqual(['a']);
      queue.unschedulable('uid-a', byFit);
      queue.wake(room);
      clock.advance(seconds * 1_000 - 1);
      expect(drain()).toEqual([]);
      clock.advance(1);
    }
    expect(drain()).toEqual(['a']);
  });

  test('a pod that failed for another reason backs off without waiting for a change', () => {
    queue.add(facts('a'));
    queue.pop();
    queue.retry('uid-a');
    expect(drain()).toEqual([]);
    clock.advance(1_000);
    expect(drain()).toEqual(['a']);
  });

  test('a change of the pod itself is reason to try again', () => {
    queue.add(facts('a'));
    queue.pop();
    queue.unschedulable('uid-a', byFit);
    clock.advance(1_000);
    queue.update(facts('a'), false);
    expect(drain()).toEqual([]);
    queue.update(facts('a'), true);
    expect(drain()).toEqual(['a']);
  });

  test('nobody waits much longer than five minutes', () => {
    queue.add(facts('a'));
    queue.pop();
    queue.unschedulable('uid-a', byFit);
    clock.advance(4 * 60_000);
    expect(drain()).toEqual([]);
    clock.advance(90_000);
    expect(drain()).toEqual(['a']);
  });

  test('a pod that keeps failing goes behind those of its priority that came meanwhile', () => {
    queue.add(facts('old'));
    queue.pop();
    queue.add(facts('new'));
    queue.unschedulable('uid-old', byFit);
    clock.advance(1_000);
    queue.wake(room);
    expect(drain()).toEqual(['new', 'old']);
  });

  test('rings whenever a pod becomes active', () => {
    queue.add(facts('a'));
    queue.pop();
    queue.retry('uid-a');
    expect(rings).toBe(1);
    clock.advance(1_000);
    expect(rings).toBe(2);
  });
});
