/**
 * Suites that need root, run once more by an ordinary user as the root of a user namespace: by a test runner of its own,
 * because a process cannot enter a namespace and come back. Where root runs the tests, an account without rights does it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { userNamespace } from './needs.ts';

const isRoot = process.getuid?.() === 0;
const nobody = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
const packageRoot = join(import.meta.dirname, '../..');
const limitMs = 300_000;

/** The command that runs `command` as an ordinary user's root. */
function inUserNamespace(...command: readonly string[]): readonly [string, readonly string[]] {
  const [program = '', ...args] = [...nobody, ...userNamespace, ...command];
  return [program, args];
}

/** Runs the files `suites` of the project `integration` so, only the tests that `only` matches; what the runner said, and its code. */
export async function runSuites(
  suites: readonly string[],
  only?: string,
): Promise<{ readonly output: string; readonly code: number | null }> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-rootless-'));
  chmodSync(folder, 0o777);
  const runner = join(packageRoot, 'node_modules/vitest/vitest.mjs');
  const chosen = [...suites, ...(only === undefined ? [] : ['--testNamePattern', only])];
  const vitest = [process.execPath, runner, 'run', '--configLoader=runner', '--project=integration', ...chosen];
  // A /run of its own: it is where `ip netns` keeps names.
  const withRun = ['sh', '-c', 'mount -t tmpfs none /run && exec "$@"', 'run', ...vitest];
  const [program, args] = inUserNamespace(...withRun);
  try {
    const child = spawn(program, args, {
      cwd: packageRoot,
      env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limitMs,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
    const [code] = (await once(child, 'close')) as [number | null];
    return { output, code };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
