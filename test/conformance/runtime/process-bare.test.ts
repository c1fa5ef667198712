/**
 * The same guarantees without namespaces, for an ordinary user, and what is different there. Root runs this file once more as
 * such a user, by a test runner of its own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chooseRuntime } from '../../../src/core/node/runtimes/choose.ts';
import { createBareRuntime } from '../../../src/core/node/runtimes/process/bare.ts';
import type { BareRuntime } from '../../../src/core/node/runtimes/process/bare.ts';
import type { ContainerSpec } from '../../../src/core/node/runtimes/runtime.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { needs } from '../../support/needs.ts';
import { containerSpec, logsOf, podSpec, readAll, runScript, runtimeContract, within } from './contract.ts';

const isRoot = process.getuid?.() === 0;
const can = needs(
  'the process runtime without isolation',
  ['setpriv', 'setsid', 'prlimit'],
  'apt-get install util-linux',
);

if (isRoot) {
  describe.runIf(can)('as an ordinary user', () => {
    asOrdinaryUser();
  });
} else {
  describe.runIf(can)('without isolation', () => {
    withoutIsolation();
  });
}

function asOrdinaryUser(): void {
  test('the contract holds without namespaces', { timeout: 240_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bare-'));
    chmodSync(folder, 0o777);
    const runner = join(import.meta.dirname, '../../../node_modules/vitest/vitest.mjs');
    const [program, ...user] = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const suite = ['--configLoader=runner', '--project=integration', 'test/conformance/runtime/process-bare.test.ts'];
    const child = spawn(program ?? '', [...user, process.execPath, runner, 'run', ...suite], {
      cwd: join(import.meta.dirname, '../../..'),
      env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 200_000,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
    const [code] = (await once(child, 'close')) as [number | null];
    rmSync(folder, { recursive: true, force: true });
    expect(output).toMatch(/Tests {2}\d+ passed/);
    expect(code).toBe(0);
  });
}

function withoutIsolation(): void {
  const state = mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-bare-`);
  const create = (): Promise<BareRuntime> =>
    createBareRuntime({ state: `${state}/runtime`, clock: systemClock, log: silentLogger });
  let runtime: BareRuntime;
  beforeAll(async () => {
    runtime = await create();
    mkdirSync(`${state}/volume`);
    writeFileSync(`${state}/volume/hello`, 'from the volume');
  });
  afterAll(async () => {
    await runtime.prune(new Set());
    await runtime.stop();
    rmSync(state, { recursive: true, force: true });
  });
  const volume = { hostPath: `${state}/volume`, path: '/app/data', readOnly: true };
  const mounts = [volume];

  runtimeContract({
    name: 'process, bare',
    executes: true,
    ownEnv: ['GATEHOUSE_ROOT', 'GATEHOUSE_CONTAINER'],
    create: () => createBareRuntime({ state: `${state}/contract`, clock: systemClock, log: silentLogger }),
  });

  test('a volume is found below GATEHOUSE_ROOT, by words that begin with its mount path, and by exec', async () => {
    const script =
      'cat "$GATEHOUSE_ROOT/app/data/hello"; echo; cat "$0"; echo; cat "${1#--file=}"; echo; cat "$CONFIG"';
    const changes: Partial<ContainerSpec> = {
      mounts,
      args: ['/app/data/hello', '--file=/app/data/hello'],
      env: [{ name: 'CONFIG', value: '/app/data/hello' }],
    };
    const { code, output } = await runScript(runtime, script, changes);
    expect({ code, output: output.split('\n') }).toEqual({ code: 0, output: Array(4).fill('from the volume') });
    const sandbox = await runtime.createSandbox(podSpec());
    const { id } = await runtime.startContainer(containerSpec(sandbox, 'sleep 60', { mounts }));
    const session = await runtime.exec(id, { command: ['cat', '/app/data/hello'], stdin: false, tty: false });
    expect(await readAll(session.stdout)).toBe('from the volume');
    await runtime.removeSandbox(sandbox.id);
  });

  test.for<readonly [string, Partial<ContainerSpec>, string]>([
    ['another user', { user: 0 }, 'runAsUser 0'],
    ['another group', { group: 12 }, 'runAsGroup 12'],
    ['a volume inside a volume', { mounts: [...mounts, { ...volume, path: '/app/data/more' }] }, 'lies inside'],
    ['a folder that is not there', { workingDir: '/no/such/folder' }, 'workingDir /no/such/folder'],
  ])('%s is refused with what to do', async ([, changes, message]) => {
    const sandbox = await runtime.createSandbox(podSpec());
    await expect(runtime.startContainer(containerSpec(sandbox, 'true', changes))).rejects.toMatchObject({
      reason: 'Unsupported',
      message: expect.stringMatching(new RegExp(`${message}.*(leave it out|give it another)`)),
    });
    await runtime.removeSandbox(sandbox.id);
  });

  test('what a container leaves running ends with it, also what left its session', async () => {
    const script = '(setsid sleep 4712 &) ; setsid sh -c "sleep 4712 & exit" ; exit 3';
    const { code } = await runScript(runtime, script);
    expect(code).toBe(3);
    const { output } = await runScript(runtime, 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "');
    expect(output).not.toContain('sleep 4712 ');
  });

  test('memory beyond the limit is not had', async () => {
    const script = 'Buffer.alloc(600 * 1024 * 1024, 1); console.log("had it")';
    const command = [process.execPath, '-e', script];
    const { output } = await runScript(runtime, '', { command, limits: { memoryBytes: 512 * 1024 * 1024 } });
    expect(output).not.toContain('had it');
  });

  test('a program cannot get other rights by a set-user-id file', async () => {
    const { output } = await runScript(runtime, 'grep NoNewPrivs /proc/self/status');
    expect(output).toMatch(/NoNewPrivs:\s+1/);
  });

  test("a process is known for its pod's: its program, a child, an orphan in its own session, an exec", async () => {
    const sandbox = await runtime.createSandbox(podSpec());
    const script =
      'sh -c "echo child \\$\\$; exec sleep 60" & (setsid sh -c "echo orphan \\$\\$; exec sleep 60" &); wait';
    const { id, pid = 0 } = await runtime.startContainer(containerSpec(sandbox, script));
    const session = await runtime.exec(id, { command: ['sh', '-c', 'echo $$; sleep 60'], stdin: false, tty: false });
    const [line] = (await once(session.stdout, 'data')) as [Buffer];
    let logs = '';
    while (!/child[\s\S]*orphan|orphan[\s\S]*child/.test(logs)) {
      await systemClock.sleep(50);
      logs = await logsOf(runtime, id);
    }
    const inside = [...logs.matchAll(/\d+/g)].map(Number);
    for (const one of [pid, ...inside, Number(String(line))])
      expect(await runtime.ownerOf(one)).toEqual({ kind: 'pod', uid: sandbox.id });
    expect(await runtime.ownerOf(process.pid)).toEqual({ kind: 'account' });
    expect(await runtime.ownerOf(1)).toEqual({ kind: 'unknown' });
    await runtime.removeSandbox(sandbox.id);
  });

  test('it is not chosen by itself: where it is all there is, containers are pretended, and the warning names it', async () => {
    const warnings: string[] = [];
    const { runtime: chosen, mode } = await chooseRuntime({
      kind: 'auto',
      isolation: 'auto',
      state: `${state}/auto`,
      hide: [],
      cgroup: 'gatehouse-bare',
      clock: systemClock,
      log: { ...silentLogger, warn: (message: string) => void warnings.push(message) },
    });
    expect({ mode, name: chosen.name }).toEqual({ mode: 'hollow', name: 'hollow' });
    expect(warnings.join()).toContain('--isolation none');
  });

  test('usage counts all of a container', async () => {
    const sandbox = await runtime.createSandbox(podSpec());
    const command = [process.execPath, '-e', 'const kept = Buffer.alloc(64e6, 1); setInterval(() => kept, 1000)'];
    const { id } = await runtime.startContainer(containerSpec(sandbox, '', { command }));
    let used = await runtime.usage(id);
    for (const late = within(10_000); (used?.workingSetBytes ?? 0) < 64e6; used = await runtime.usage(id)) {
      late.throwIfAborted();
      await systemClock.sleep(50);
    }
    expect(used?.cpuNanoseconds).toBeGreaterThan(0);
    await runtime.removeSandbox(sandbox.id);
  });

  test('after the agent is gone a container runs on under its successor: same process, log and exit code', async () => {
    const folder = `${state}/adoption`;
    const first = await createBareRuntime({ state: folder, clock: systemClock, log: silentLogger });
    const sandbox = await first.createSandbox(podSpec());
    const started = await first.startContainer(
      containerSpec(sandbox, 'echo one; sleep 0.6; echo two; sleep 0.6; exit 9'),
    );
    const lasting = await first.startContainer(containerSpec(sandbox, 'sleep 60', { name: 'lasting' }));
    await first.stop();
    await systemClock.sleep(700); // "two" is written while nobody looks
    const second = await createBareRuntime({ state: folder, clock: systemClock, log: silentLogger });
    expect((await second.list()).containers).toContainEqual(
      expect.objectContaining({ id: started.id, pid: started.pid }),
    );
    expect(await second.ownerOf(lasting.pid ?? 0)).toEqual({ kind: 'pod', uid: sandbox.id });
    expect((await second.wait(started.id, within(10_000))).state).toMatchObject({ kind: 'exited', exitCode: 9 });
    expect(await logsOf(second, started.id)).toBe('one\ntwo\n');
    expect((await second.stopContainer(lasting.id, 50)).state).toMatchObject({ kind: 'exited' });
    await second.removeSandbox(sandbox.id);
    await second.stop();
  });
}
