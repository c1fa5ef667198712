/** What a successor finds of a start that its predecessor did not live to see: here the shim is a few lines of shell. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { wasStarted } from '../../../../../src/core/node/runtimes/process/unfinished.ts';
import { systemClock as clock } from '../../../../../src/std/clock.ts';
import { needs } from '../../../../support/needs.ts';

const here = needs('starts that a killed agent left half done', ['setpriv'], 'on Linux: apt-get install util-linux');
let folder: string;
let shim: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-unfinished-'));
});

afterEach(() => {
  shim?.kill('SIGKILL');
  shim = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `script` with the folder as its argument, at the head of a group of its own. */
async function startShim(script: string): Promise<ChildProcess> {
  shim = spawn('/bin/sh', ['-c', script, 'shim', folder], { detached: true, stdio: 'ignore' });
  await once(shim, 'spawn');
  return shim;
}

test.runIf(here)('one that is complete was started, whatever runs', async () => {
  writeFileSync(join(folder, 'pid'), '');
  expect(await wasStarted(folder, clock, 0)).toBe(true);
});

test.runIf(here)('one that nobody works at any more never was', async () => {
  expect(await wasStarted(folder, clock, 20_000)).toBe(false);
});

test.runIf(here)('a shim that is still at it is waited for', async () => {
  await startShim('sleep 0.4; : >"$1/pid"; sleep 60');
  expect(await wasStarted(folder, clock, 20_000)).toBe(true);
});

test.runIf(here)('a shim that fails has started nothing', async () => {
  await startShim('sleep 0.4; exit 1');
  expect(await wasStarted(folder, clock, 20_000)).toBe(false);
});

test.runIf(here)('a shim that hangs is killed with all that it has begun', async () => {
  const hanging = await startShim('sleep 60 & wait');
  const ended = once(hanging, 'exit');
  expect(await wasStarted(folder, clock, 200)).toBe(false);
  expect(await ended).toEqual([null, 'SIGKILL']);
});
