/**
 * Makes the addresses of services this machine's own, so that a process can listen on them: one `local` route for all
 * of the range. For pods with networks of their own, whose packets to a service reach the host by its default route.
 */
import { runCommand } from './command.ts';

export interface ServiceRangeRoute {
  /** Rejects when the route cannot be set. */
  take(): Promise<void>;
  give(): Promise<void>;
}

const deadlineMs = 10_000;

/** The route for `cidr`. One that an earlier agent left is taken over. */
export function serviceRangeRoute(cidr: string): ServiceRangeRoute {
  const route = (verb: 'replace' | 'del'): ReturnType<typeof runCommand> =>
    runCommand(['ip', 'route', verb, 'local', cidr, 'dev', 'lo'], '', AbortSignal.timeout(deadlineMs));
  return {
    take: async () => {
      const { code, stderr } = await route('replace');
      if (code !== 0) throw new Error(`services cannot have addresses on this machine: ${stderr.trim()}`);
    },
    give: async () => void (await route('del')),
  };
}
