/** The kubectls of this machine: one for each minor version, beside each other as `kubectl.1.27` … or alone on PATH. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { at, textOf } from '../../src/std/value.ts';

export interface Kubectl {
  readonly path: string;
  /** As `1.29`. */
  readonly minor: string;
  /** As `v1.29.14`. */
  readonly version: string;
}

/**
 * Every minor version found, oldest first: in the folders of `KUBECTL_DIR`, or else in those of PATH and where their
 * kubectl's symbolic link leads. Empty where there is none. What was found is printed once.
 */
export function findKubectls(): readonly Kubectl[] {
  found ??= look();
  return found;
}

let found: readonly Kubectl[] | undefined;

function look(): readonly Kubectl[] {
  const { KUBECTL_DIR: asked, PATH: path = '' } = process.env;
  const folders = (asked ?? path).split(':').filter((folder) => folder !== '' && existsSync(folder));
  const linked = folders.map((folder) => join(folder, 'kubectl')).filter(existsSync);
  const all = new Set([...folders, ...linked.map((file) => dirname(realpathSync(file)))]);
  const files = [...all].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /^kubectl([.-]v?1\.\d+(\.\d+)?)?$/.test(name))
      .map((name) => realpathSync(join(folder, name))),
  );
  const minors = new Map<string, Kubectl>();
  // Those with a version in their name first: a plain kubectl may be one that runs another.
  for (const file of new Set(files.toSorted((a, b) => b.length - a.length))) {
    const kubectl = ask(file);
    if (kubectl !== undefined && !minors.has(kubectl.minor)) minors.set(kubectl.minor, kubectl);
  }
  const sorted = [...minors.values()].toSorted((a, b) => Number(a.minor.slice(2)) - Number(b.minor.slice(2)));
  // eslint-disable-next-line no-console -- which versions ran belongs in the test's output
  console.log(`kubectl: ${sorted.map(({ version, path: file }) => `${version} (${file})`).join(', ') || 'none found'}`);
  return sorted;
}

function ask(path: string): Kubectl | undefined {
  try {
    const said = execFileSync(path, ['version', '--client', '-o', 'json'], { encoding: 'utf8', timeout: 30_000 });
    const version = textOf(at(at(JSON.parse(said), 'clientVersion'), 'gitVersion'));
    const minor = /^v(1\.\d+)\./.exec(version)?.[1];
    return minor === undefined ? undefined : { path, minor, version };
  } catch {
    return undefined; // no kubectl, or not for this machine
  }
}
