/**
 * The home folder: keys, data and kubeconfigs of one Gatehouse. Only its owner may enter it.
 *
 *   kubeconfig            cluster admin
 *   pki/                  certificate authority, serving certificate, token signing key, sealing key
 *   identities/           kubeconfigs of the core's own parts
 *   nodes/NAME/           what a node agent keeps: its key and certificate, the state of its pods
 *   postgres/             the embedded database
 *   run/                  pid files of what `gatehouse up` started
 */
import { accessSync, chmodSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { UsageError } from './usage-error.ts';

export interface Home {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly pki: string;
  readonly identities: string;
  readonly nodes: string;
  readonly postgres: string;
  readonly run: string;
}

/** The folder asked for, else GATEHOUSE_HOME, else ~/.gatehouse. */
export function homeFolder(asked: string | undefined, env: NodeJS.ProcessEnv): string {
  return resolve(asked ?? env['GATEHOUSE_HOME'] ?? join(homedir(), '.gatehouse'));
}

/** Makes the home and its folders where they are missing. Throws UsageError when that is not possible. */
export function openHome(folder: string): Home {
  const home: Home = {
    folder,
    kubeconfig: join(folder, 'kubeconfig'),
    pki: join(folder, 'pki'),
    identities: join(folder, 'identities'),
    nodes: join(folder, 'nodes'),
    postgres: join(folder, 'postgres'),
    run: join(folder, 'run'),
  };
  try {
    makeFolder(folder);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    chmodSync(folder, 0o700);
    for (const inner of [home.pki, home.identities, home.nodes, home.run])
      mkdirSync(inner, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new UsageError(
      `cannot use ${folder} as home (${codeOf(error)}): give a folder of your own with --home DIR or GATEHOUSE_HOME`,
      error,
    );
  }
  return home;
}

/** Makes `folder` and what is missing above it. Node's own recursive form never ends below /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) {
    if (!statSync(folder).isDirectory()) throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' });
    return;
  }
  makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
