/**
 * The same guarantees for an ordinary user: the suites of the process runtime, run once more as the root of a user
 * namespace, by a test runner of their own because a process cannot enter one and come back.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { needs } from '../../support/needs.ts';

const ordinary = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
const namespace = ['unshare', '--user', '--map-root-user', '--net', '--mount', '--propagation', 'private'];

function inNamespace(...command: readonly string[]): readonly [string, readonly string[]] {
  const [program = '', ...args] = [...ordinary, ...namespace, ...command];
  return [program, args];
}

const tools = needs(
  'the process runtime for an ordinary user',
  ['ip', 'setpriv', 'unshare'],
  'apt-get install iproute2 util-linux',
);
const can = tools && (spawnSync(...inNamespace('mount', '-t', 'tmpfs', 'none', '/mnt')).status === 0 || noNamespaces());

function noNamespaces(): boolean {
  return needs(
    'the process runtime for an ordinary user',
    ['user-namespaces'],
    'sysctl user.max_user_namespaces=10000',
  );
}

describe.skipIf(!can)('as an ordinary user', () => {
  test('the contract, the attacks and re-adoption hold in a user namespace', { timeout: 240_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-rootless-'));
    chmodSync(folder, 0o777);
    const runner = join(import.meta.dirname, '../../../node_modules/vitest/vitest.mjs');
    const suites = ['root', 'isolation', 'adoption'].map((name) => `test/conformance/runtime/process-${name}.test.ts`);
    const [program, args] = inNamespace(
      process.execPath,
      runner,
      'run',
      '--configLoader=runner',
      '--project=integration',
      ...suites,
    );
    const child = spawn(program, args, {
      cwd: join(import.meta.dirname, '../../..'),
      env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 200_000,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
    const [code] = (await once(child, 'close')) as [number | null];
    rmSync(folder, { recursive: true, force: true });
    expect(output).toMatch(/Tests {2}\d+ passed \(\d+\)/);
    expect(code).toBe(0);
  });
});
