/** Two gateways on one database agree on which kinds there are. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/api/meta.ts';
import { definitionsName } from '../../../../src/core/resources/custom/definition-status.ts';
import { followKinds } from '../../../../src/core/resources/custom/kinds.ts';
import { createStore } from '../../../../src/core/store/create-store.ts';
import type { Store } from '../../../../src/core/store/store.ts';
import { systemClock as clock } from '../../../../src/std/clock.ts';
import { silentLogger } from '../../../../src/std/log.ts';
import type { Running } from '../../../../src/std/stop.ts';
import { cronTab, established } from '../../../support/definitions.ts';
import { startTestPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';

let postgres: TestPostgres;
const open: Running[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.stop();
});
afterAll(async () => {
  await postgres.stop();
});

async function store(url: string): Promise<Store> {
  const made = await createStore({ url, clock, log: silentLogger });
  open.push(made);
  return made;
}

test('a kind that one gateway has answered for is found by the other at once, and gone with its definition', async () => {
  const url = await postgres.createDatabase();
  const [first, second] = [await store(url), await store(url)];
  const kinds = await followKinds(second);
  const key = { resource: definitionsName, namespace: '', name: 'crontabs.stable.example.com' };
  const object = established(cronTab()) as unknown as KubeObject;
  expect(await kinds.findCurrent('stable.example.com', 'v1', 'crontabs')).toBeUndefined();
  const made = await first.write({ kind: 'create', key, object }, () => []);
  expect((await kinds.findCurrent('stable.example.com', 'v1', 'crontabs'))?.kind).toBe('CronTab');
  if (made.outcome !== 'committed') throw new Error(made.outcome);
  await first.write({ kind: 'delete', key, expected: made.stored.revision }, () => []);
  await second.get(key, { kind: 'current' });
  expect(kinds.find('stable.example.com', 'v1', 'crontabs')).toBeUndefined();
});
