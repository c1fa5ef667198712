/** What a session's client is told at its end. Pure. */
import type { Status } from '../../api/types/meta.ts';

/** How a program ended, as a Status: kubectl takes its own exit code from it. */
export function exitStatus(code: number): Status {
  if (code === 0) return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

/** The text of the error stream, or undefined where there is nothing to say: before v4 success is silent and failure is a sentence. */
export function lastWords(protocol: string, status: Status): string | undefined {
  if (protocol === 'v5.channel.k8s.io' || protocol === 'v4.channel.k8s.io') return JSON.stringify(status);
  return status.status === 'Success' ? undefined : (status.message ?? '');
}
