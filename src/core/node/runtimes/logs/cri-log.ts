/**
 * The log format that kubelets and container runtimes share, one line for each line of output:
 * `2026-01-02T03:04:05.000000Z stdout F text`. F ends a line of output, P is a part of one that goes on.
 * Source: Kubernetes CRI log format.
 */
import { parseInstant, rfc3339Micro } from '../../../../std/clock.ts';

export type LogStream = 'stdout' | 'stderr';

/** One entry; `text` has no newline at its end. */
export interface LogEntry {
  /** As written. */
  readonly time: string;
  readonly stream: LogStream;
  readonly full: boolean;
  readonly text: Buffer;
}

/** Longer lines are kept in parts of this many bytes. */
const longestPart = 16 * 1024;

/** The lines of log for `bytes` of output, and what remains: an unfinished line, which `flush` writes out as a part. */
export function formatEntries(
  bytes: Buffer,
  stream: LogStream,
  now: number,
  flush: boolean,
): { readonly lines: Buffer; readonly rest: Buffer } {
  const head = Buffer.from(`${rfc3339Micro(now)} ${stream} `);
  const newline = Buffer.from('\n');
  const parts: Buffer[] = [];
  let from = 0;
  while (from < bytes.length) {
    const end = bytes.indexOf(10, from);
    const length = (end === -1 ? bytes.length : end) - from;
    if (length > longestPart || (end === -1 && flush)) {
      const to = from + Math.min(length, longestPart);
      parts.push(head, Buffer.from('P '), bytes.subarray(from, to), newline);
      from = to;
    } else if (end === -1) {
      break;
    } else {
      parts.push(head, Buffer.from('F '), bytes.subarray(from, end), newline);
      from = end + 1;
    }
  }
  return { lines: Buffer.concat(parts), rest: bytes.subarray(from) };
}

/** The entry in one line of log (without its newline), or undefined when it is none. */
export function parseEntry(line: Buffer): LogEntry | undefined {
  const first = line.indexOf(32);
  const second = line.indexOf(32, first + 1);
  const third = line.indexOf(32, second + 1);
  if (first === -1 || second === -1 || third === -1) return undefined;
  const time = line.toString('latin1', 0, first);
  const stream = line.toString('latin1', first + 1, second);
  const tag = line.toString('latin1', second + 1, third);
  if (parseInstant(time) === undefined || (stream !== 'stdout' && stream !== 'stderr')) return undefined;
  return { time, stream, full: tag === 'F', text: line.subarray(third + 1) };
}

/** How many bytes of output an entry stands for. */
export function outputBytes(entry: LogEntry): number {
  return entry.text.length + (entry.full ? 1 : 0);
}

/** Splits at newlines; `rest` is what follows the last. */
export function splitLines(bytes: Buffer): { readonly lines: readonly Buffer[]; readonly rest: Buffer } {
  const lines: Buffer[] = [];
  let from = 0;
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, from)) {
    lines.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return { lines, rest: bytes.subarray(from) };
}
