/** What only some machines have: looked for, and said aloud where it is missing. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/**
 * Whether everything in `wanted` is here: program names, `root`, or `namespaces` (root, or an ordinary user who may be
 * root of a user namespace). If not, prints what is skipped and how to get it.
 * With GATEHOUSE_NO_SKIPS=1 (continuous integration) it throws instead.
 */
export function needs(what: string, wanted: readonly string[], install: string): boolean {
  const missing = wanted.filter((one) => !isHere(one));
  if (missing.length === 0) return true;
  const line = `skipped: ${what}, needs ${missing.join(', ')}: ${install}`;
  if (process.env['GATEHOUSE_NO_SKIPS'] === '1') throw new Error(line);
  process.stderr.write(`${line}\n`);
  return false;
}

function isHere(one: string): boolean {
  const isRoot = process.getuid?.() === 0;
  if (one === 'root') return isRoot;
  if (one === 'namespaces') return isRoot || mayHaveNamespaces();
  return onPath(one);
}

/** Found by doing: some systems allow the namespaces and deny what they are for. */
function mayHaveNamespaces(): boolean {
  const [program, ...args] = userNamespace;
  return spawnSync(program, [...args, 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
}

/** What makes a command of an ordinary user root of a user namespace with a network and mounts of its own. */
export const userNamespace: readonly [string, ...string[]] = [
  'unshare',
  '--user',
  '--map-root-user',
  '--net',
  '--mount',
  '--propagation',
  'private',
];

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
