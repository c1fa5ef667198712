import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCaller } from '../../bench/support/caller.ts';
import { readKubeconfig } from '../../src/app/credentials.ts';
import { systemClock as clock } from '../../src/std/clock.ts';
import { eventually, isRunning, startUp } from './support/up.ts';
import type { Up } from './support/up.ts';

const path = '/api/v1/namespaces/default/configmaps';
const args = ['--nodes', '1', '--runtime', 'hollow'];
const parts = ['gateway', 'controllers', 'node-1', 'postgres'];

let up: Up;

beforeAll(async () => {
  up = await startUp(args);
});

afterAll(async () => {
  await up.stop();
});

/** Creates an object; the answer's code. */
async function write(): Promise<number> {
  const caller = createCaller(readKubeconfig(up.kubeconfig));
  try {
    const body = { metadata: { generateName: 'fault-', namespace: 'default' } };
    return (await caller.call('POST', path, body)).code;
  } finally {
    caller.stop();
  }
}

describe('faults', () => {
  test('after the database is killed a write is answered within 15 s, and soon taken again', async () => {
    const postgres = up.pid('postgres');
    process.kill(postgres, 'SIGKILL');
    const began = clock.monotonic();
    const code = await write();
    expect([201, 503]).toContain(code);
    expect(clock.monotonic() - began).toBeLessThan(15_000);
    await eventually('writes are taken again', 20_000, async () => (await write()) === 201);
    expect(up.pid('postgres')).not.toBe(postgres);
  });

  test.for(['gateway', 'controllers', 'node-1'])('a killed %s is started again, and writes are taken', async (part) => {
    const pid = up.pid(part);
    process.kill(pid, 'SIGKILL');
    await eventually(`${part} runs`, 20_000, () => up.pid(part) !== pid && isRunning(up.pid(part)));
    await eventually('writes are taken', 20_000, async () => (await write()) === 201);
  });

  test('when up is killed its parts end, and the next up goes on with what there was', async () => {
    const before = parts.slice(0, 3).map((part) => up.pid(part));
    up.program.signal('SIGKILL');
    await up.program.ended;
    up = await startUp(args, up);
    expect(before.filter((pid) => isRunning(pid))).toEqual([]);
    expect(await write()).toBe(201);
  });

  test('told to stop, it ends within 20 s with code 0 and leaves no process', async () => {
    const pids = parts.map((part) => up.pid(part));
    const began = clock.monotonic();
    up.program.signal('SIGINT');
    const { code } = await up.program.ended;
    expect(clock.monotonic() - began).toBeLessThan(20_000);
    expect(code).toBe(0);
    expect(pids.filter((pid) => isRunning(pid))).toEqual([]);
  });
});
