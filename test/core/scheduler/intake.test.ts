/** Watches report late, twice and in any order: what counts and what waits must come out right all the same. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Pod } from '../../../src/api/types/core.ts';
import { Intake } from '../../../src/core/scheduler/intake.ts';
import { NodeTable } from '../../../src/core/scheduler/node-table.ts';
import { podFacts } from '../../../src/core/scheduler/pod-facts.ts';
import { SchedulingQueue } from '../../../src/core/scheduler/queue.ts';
import { node, pod, requests, testClock } from './support.ts';

let table: NodeTable;
let queue: SchedulingQueue;
let intake: Intake;
let gated: Pod[];

beforeEach(() => {
  table = new NodeTable();
  queue = new SchedulingQueue({
    clock: testClock(),
    onActive: () => {},
    wakes: () => true,
    signal: new AbortController().signal,
  });
  gated = [];
  intake = new Intake({
    table,
    queue,
    schedulerName: 'default-scheduler',
    onGated: (held) => void gated.push(held),
  });
});

const cpu = requests({ cpu: '1' });
const set = (object: Pod, previous?: Pod): void => intake.pod({ kind: 'set', object, previous });
const bound = (name: string, on = 'n1', metadata: object = {}): Pod => pod(name, { ...cpu, nodeName: on }, metadata);
const taken = (on = 'n1'): number | undefined => {
  const entry = table.get(on);
  return entry && table.requested.column('cpu')[entry.row];
};

describe('the intake', () => {
  test('a pod counts on a node that is reported after it', () => {
    set(bound('a'));
    expect(table.nodes()).toEqual([]);
    intake.node({ kind: 'set', object: node('n1'), previous: undefined });
    expect(taken()).toBe(1000);
  });

  test('a node that comes back still has the pods that are bound to it', () => {
    intake.node({ kind: 'set', object: node('n1'), previous: undefined });
    set(bound('a'));
    intake.node({ kind: 'deleted', previous: node('n1') });
    expect(table.nodes()).toEqual([]);
    intake.node({ kind: 'set', object: node('n1'), previous: undefined });
    expect(taken()).toBe(1000);
  });

  test('a pod reported twice counts once', () => {
    intake.node({ kind: 'set', object: node('n1'), previous: undefined });
    set(bound('a'));
    set(bound('a'), bound('a'));
    expect(taken()).toBe(1000);
  });

  test('an older report of an assumed pod neither queues it again nor frees its room', () => {
    intake.node({ kind: 'set', object: node('n1'), previous: undefined });
    set(pod('a', cpu));
    const waiting = queue.pop();
    intake.assume(podFacts(pod('a', cpu)), 'n1');
    queue.remove('uid-a');
    set(pod('a', cpu, { labels: { late: 'report' } }), pod('a', cpu));
    expect(waiting?.facts.uid).toBe('uid-a');
    expect(queue.pop()).toBeUndefined();
    expect(taken()).toBe(1000);
  });

  test('the watch has the last word on where an assumed pod is', () => {
    for (const name of ['n1', 'n2']) intake.node({ kind: 'set', object: node(name), previous: undefined });
    intake.assume(podFacts(pod('a', cpu)), 'n1');
    set(bound('a', 'n2'));
    expect([taken('n1'), taken('n2')]).toEqual([0, 1000]);
    expect(intake.forget(podFacts(pod('a', cpu)))).toBe(false);
    expect(taken('n2')).toBe(1000);
  });

  test('an assumed pod that is deleted frees its room', () => {
    intake.node({ kind: 'set', object: node('n1'), previous: undefined });
    intake.assume(podFacts(pod('a', cpu)), 'n1');
    intake.pod({ kind: 'deleted', previous: pod('a', cpu) });
    expect(taken()).toBe(0);
  });

  test('a pod that was replaced by a namesake is gone', () => {
    intake.node({ kind: 'set', object: node('n1'), previous: undefined });
    set(bound('a'));
    set(pod('a', cpu, { uid: 'another' }), bound('a'));
    expect(taken()).toBe(0);
    expect(queue.pop()?.facts.uid).toBe('another');
  });

  test('a finished pod frees its room; one that is being deleted keeps it until it is gone', () => {
    intake.node({ kind: 'set', object: node('n1'), previous: undefined });
    set(bound('a'));
    set(bound('b'));
    set({ ...bound('a'), status: { phase: 'Failed' } }, bound('a'));
    set(bound('b', 'n1', { deletionTimestamp: '2026-01-01T00:00:00Z' }), bound('b'));
    expect(taken()).toBe(1000);
  });

  test('pods that are gated, being deleted or of another scheduler are not queued', () => {
    set(pod('held', { schedulingGates: [{ name: 'g' }] }));
    set(pod('leaving', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }));
    set(pod('theirs', { schedulerName: 'other' }));
    expect(queue.pop()).toBeUndefined();
    expect(gated.map(({ metadata }) => metadata.name)).toEqual(['held']);
  });

  test('a change of status alone does not bring an unschedulable pod back', () => {
    set(pod('a'));
    queue.pop();
    queue.unschedulable('uid-a', new Set(['NodeResourcesFit']));
    set({ ...pod('a'), status: { conditions: [] } }, pod('a'));
    expect(queue.pop()).toBeUndefined();
  });
});
