/** The query of `pods/exec` and `pods/attach` (v1 PodExecOptions, PodAttachOptions). */
import { badRequest } from '../../api/status.ts';
import type { SessionKind, SessionStart } from '../../core/node/streams/wire.ts';
import { isTrue } from '../request-info.ts';

export type SessionOptions = Pick<SessionStart, 'command' | 'stdin' | 'stdout' | 'stderr' | 'tty'>;

/** What is to be run and connected. Throws BadRequest when that is nothing. */
export function parseSessionOptions(kind: SessionKind, query: URLSearchParams): SessionOptions {
  const flag = (name: string): boolean => isTrue(query.get(name));
  const tty = flag('tty');
  const command = kind === 'exec' ? query.getAll('command') : [];
  if (kind === 'exec' && command.length === 0)
    throw badRequest('you must specify at least one command for the container');
  const [stdin, stdout] = [flag('stdin'), flag('stdout')];
  const stderr = flag('stderr') && !tty; // a terminal has one stream
  if (!stdin && !stdout && !stderr) throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  return { command, stdin, stdout, stderr, tty };
}
