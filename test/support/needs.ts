/** What only some machines have: looked for, and said aloud where it is missing. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/**
 * Whether everything in `wanted` is here: program names, or `root`. If not, prints what is skipped and how to get it.
 * With GATEHOUSE_NO_SKIPS=1 (continuous integration) it throws instead.
 */
export function needs(what: string, wanted: readonly string[], install: string): boolean {
  const missing = wanted.filter((one) => (one === 'root' ? process.getuid?.() !== 0 : !onPath(one)));
  if (missing.length === 0) return true;
  const line = `skipped: ${what}, needs ${missing.join(', ')}: ${install}`;
  if (process.env['GATEHOUSE_NO_SKIPS'] === '1') throw new Error(line);
  process.stderr.write(`${line}\n`);
  return false;
}

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
