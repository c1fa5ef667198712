/** Follows the trail over as many connections as it takes: each next one continues at the cursor of the last line seen. */
import type { AuditRecord } from '../audit/record.ts';
import type { Clock } from '../std/clock.ts';
import type { ApiClient } from './client.ts';
import { CommandError, printable } from './output.ts';

const giveUpMs = 60_000; // a server that is gone for longer is not merely restarting; chosen, not measured
const retryMs = { first: 250, most: 5000 };

/**
 * Every record committed from now on, once each, until `signal` aborts. Throws CommandError when the server refuses, or
 * cannot be reached for a minute (at the very first try: at once).
 */
export async function* followTrail(options: {
  readonly client: ApiClient;
  /** The path of the trail with its filters and these parameters. */
  readonly path: (parameters: URLSearchParams) => string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): AsyncIterable<AuditRecord> {
  const { client, path, clock, signal } = options;
  let cursor = '';
  let waitMs = retryMs.first;
  let heardAt: number | undefined;
  while (!signal.aborted) {
    const parameters = new URLSearchParams({ watch: 'true', ...(cursor === '' ? {} : { resourceVersion: cursor }) });
    try {
      for await (const line of client.lines(path(parameters), signal)) {
        const item = readLine(line);
        cursor = item.cursor;
        heardAt = clock.monotonic();
        waitMs = retryMs.first;
        if (item.record !== undefined) yield item.record;
      }
    } catch (error) {
      if (signal.aborted) return;
      const lately = heardAt !== undefined && clock.monotonic() - heardAt < giveUpMs;
      if (!lately || !(error instanceof CommandError)) throw error;
    }
    await pause(clock, waitMs, signal);
    waitMs = Math.min(waitMs * 2, retryMs.most);
  }
}

function readLine(line: unknown): { readonly cursor: string; readonly record: AuditRecord | undefined } {
  const { type, object } = members(line);
  if (type === 'ERROR') {
    const { message } = members(object);
    throw new CommandError(`the server ended the stream: ${printable(typeof message === 'string' ? message : '')}`, 1);
  }
  const { resourceVersion } = members(members(object)['metadata']);
  if (typeof resourceVersion !== 'string') throw new CommandError('the server sent a line without a cursor', 1);
  return { cursor: resourceVersion, record: type === 'ADDED' ? (object as AuditRecord) : undefined };
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new CommandError('the server sent a line that is no event', 1);
  return value as Readonly<Record<string, unknown>>;
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
