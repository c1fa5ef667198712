/**
 * As whom Postgres runs. It refuses to be root. Root therefore gives it a user namespace in which root's own files belong
 * to an ordinary user: no rights are added, and a home that only root can enter works. Where user namespaces are
 * closed, it runs as another user, in a folder which that user can reach.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { DatabaseUnusable } from './outage.ts';

const run = promisify(execFile);

export type PostgresUser =
  | { readonly kind: 'self' }
  /** Start programs with this in front. */
  | { readonly kind: 'namespace'; readonly prefix: readonly string[] }
  | { readonly kind: 'dropped'; readonly uid: number; readonly gid: number };

/** How this process can start Postgres. */
export async function choosePostgresUser(): Promise<PostgresUser> {
  if (process.getuid?.() !== 0) return { kind: 'self' };
  const account = ordinaryAccount(await readFile('/etc/passwd', 'utf8'));
  if (account === undefined) {
    throw new DatabaseUnusable(
      'not-startable',
      'Postgres does not run as root and /etc/passwd knows nobody else: use --database-url',
    );
  }
  const prefix = ['unshare', '--user', `--map-user=${account.uid}`, `--map-group=${account.gid}`, '--'];
  try {
    await run('unshare', [...prefix.slice(1), 'true'], { timeout: 5000 });
    return { kind: 'namespace', prefix };
  } catch {
    return { kind: 'dropped', ...account }; // no unshare, an old one, or namespaces are closed
  }
}

/** The account to be: `postgres` or `daemon` where they exist (initdb needs one with a name), else the first that is not root. */
export function ordinaryAccount(passwd: string): { readonly uid: number; readonly gid: number } | undefined {
  const accounts = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => Number.isInteger(uid) && Number.isInteger(gid) && uid > 0 && gid > 0);
  const found =
    accounts.find(({ name }) => name === 'postgres') ?? accounts.find(({ name }) => name === 'daemon') ?? accounts[0];
  return found === undefined ? undefined : { uid: found.uid, gid: found.gid };
}
