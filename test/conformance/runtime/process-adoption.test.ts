/** A killed agent's containers go on, and its successor finds them: here one runtime is let go and another made. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, describe, expect, test } from 'vitest';
import { createProcessRuntime } from '../../../src/core/node/runtimes/process/process.ts';
import type { Runtime } from '../../../src/core/node/runtimes/runtime.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { needs } from '../../support/needs.ts';
import { containerSpec, logsOf, podSpec, within } from './contract.ts';

const can = needs(
  're-adoption by the process runtime',
  ['root', 'ip', 'setpriv'],
  'apt-get install iproute2 util-linux, and run as root (an ordinary user: process-rootless.test.ts)',
);

describe.skipIf(!can)('after the agent is gone', () => {
  const state = can ? mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-adoption-`) : '';
  const create = (): Promise<Runtime> =>
    createProcessRuntime({ state, hide: [], cgroup: 'gatehouse-adoption', clock: systemClock, log: silentLogger });
  afterAll(() => rmSync(state, { recursive: true, force: true }));

  test('a container runs on under its successor: same process, same log, its exit code seen', async () => {
    const first = await create();
    const sandbox = await first.createSandbox(podSpec());
    const script = 'echo one; sleep 0.6; echo two; sleep 0.6; echo three; exit 9';
    const started = await first.startContainer(containerSpec(sandbox, script));
    await first.stop();
    await systemClock.sleep(700); // "two" is written while nobody looks
    const second = await create();
    const { containers } = await second.list();
    expect(containers.map(({ id, pid }) => ({ id, pid }))).toEqual([{ id: started.id, pid: started.pid }]);
    expect((await second.wait(started.id, within(10_000))).state).toMatchObject({ kind: 'exited', exitCode: 9 });
    expect(await logsOf(second, started.id)).toBe('one\ntwo\nthree\n');
    await second.removeSandbox(sandbox.id);
    await second.stop();
  });

  test('the exit code of a container that ended meanwhile is kept', async () => {
    const first = await create();
    const sandbox = await first.createSandbox(podSpec());
    const { id } = await first.startContainer(containerSpec(sandbox, 'sleep 0.3; echo last words; exit 4'));
    await first.stop();
    await systemClock.sleep(800);
    const second = await create();
    expect((await second.wait(id, within(5000))).state).toMatchObject({ kind: 'exited', exitCode: 4 });
    expect(await logsOf(second, id)).toBe('last words\n');
    await second.removeSandbox(sandbox.id);
    await second.stop();
  });

  test('an adopted container can be stopped and entered', async () => {
    const first = await create();
    const sandbox = await first.createSandbox(podSpec());
    const { id } = await first.startContainer(containerSpec(sandbox, 'sleep 60'));
    await first.stop();
    const second = await create();
    const session = await second.exec(id, { command: ['sh', '-c', 'exit 6'], stdin: false, tty: false });
    session.stdout.resume();
    session.stderr.resume();
    expect(await session.exit).toBe(6);
    expect((await second.stopContainer(id, 50)).state).toMatchObject({ kind: 'exited', exitCode: 137 });
    await second.removeSandbox(sandbox.id);
    await second.stop();
  });
});
