import { describe, expect, test } from 'vitest';
import { unavailable } from '../../../src/api/status.ts';
import type { ConfigMap, Event } from '../../../src/api/types/core.ts';
import { createEventRecorder } from '../../../src/core/cluster/events.ts';
import { events } from '../../../src/core/cluster/resource-ref.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { testCluster } from '../../support/cluster.ts';
import type { TestCluster } from '../../support/cluster.ts';

const about: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'default', name: 'a', uid: 'u' },
};

async function recording(): Promise<TestCluster & { note(message: string): void; noted(): Promise<readonly Event[]> }> {
  const cluster = await testCluster();
  const { admin: client, clock } = cluster;
  const recorder = createEventRecorder({ client, component: 'tester', clock, log: silentLogger });
  return {
    ...cluster,
    note: (message) => recorder.event(about, 'Normal', 'Tested', message),
    noted: async () => {
      await cluster.settle();
      return (await client.list(events, { namespace: 'default' })).items;
    },
  };
}

describe('event recorder', () => {
  test('equal events are one that counts, with the times of the first and the last', async () => {
    const c = await recording();
    c.note('same');
    await c.advance(60_000);
    for (let times = 0; times < 4; times++) c.note('same');
    const [event, ...others] = await c.noted();
    expect(others).toEqual([]);
    expect(event).toMatchObject({ count: 5, reason: 'Tested', firstTimestamp: '2026-01-01T00:00:00Z' });
    expect(event?.lastTimestamp).toBe('2026-01-01T00:01:00Z');
  });

  test('events that differ are told apart', async () => {
    const c = await recording();
    c.note('one');
    c.note('two');
    expect((await c.noted()).map(({ message }) => message ?? '').toSorted()).toEqual(['one', 'two']);
  });

  test('an event that was removed meanwhile is begun anew', async () => {
    const c = await recording();
    c.note('same');
    for (const { metadata } of await c.noted()) await c.admin.delete(events, metadata);
    c.note('same');
    expect((await c.noted()).map(({ count }) => count)).toEqual([1]);
  });

  test('an outage fails nobody, and the next event is recorded', async () => {
    const c = await recording();
    c.fault.before = () => {
      throw unavailable('away');
    };
    c.note('same');
    await c.settle();
    c.fault.before = undefined;
    c.note('same');
    expect(await c.noted()).toHaveLength(1);
  });
});
