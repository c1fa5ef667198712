/**
 * What a gateway asks of a node through its tunnel. The tunnel is a WebSocket that the node dialled; over it runs plain
 * HTTP/2 with the roles turned round: the gateway is the client.
 *
 *   GET  /logs?QUERY                    the log's bytes
 *   POST /exec, /attach  SessionStart   starts a session; the answer's header names it, its body is standard output, its
 *                                       trailer the exit code. The session ends with this stream.
 *   GET  /sessions/ID/stderr            standard error
 *   PUT  /sessions/ID/stdin             standard input; its end is the program's end of file
 *   PUT  /sessions/ID/size?columns=&rows=
 *
 * A refusal is a Status as JSON with its code.
 */
import { badRequest } from '../../../api/status.ts';
import { at, listOf, textOf } from '../../../std/value.ts';

/** The WebSocket subprotocol of a tunnel. */
export const tunnelProtocol = 'v1.tunnel.gatehouse.dev';
/** Names the session in the answer to its start. */
export const sessionHeader = 'gatehouse-session';
/** The exit code, after the last byte of standard output. */
export const exitTrailer = 'gatehouse-exit-code';

/** A container of one particular pod: the uid keeps a namesake that came later from being taken for it. */
export interface ContainerRef {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
}

export interface LogQuery extends ContainerRef {
  readonly previous: boolean;
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  /** Before the node's own now: its clock stamped the lines. */
  readonly sinceSeconds?: number;
  /** Milliseconds since the epoch. */
  readonly sinceTime?: number;
  readonly limitBytes?: number;
}

export interface SessionStart extends ContainerRef {
  /** Empty for attach. */
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export type SessionKind = 'exec' | 'attach';

/** The path that asks for `query`. */
export function logPath(query: LogQuery): string {
  const params = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]);
  return `/logs?${new URLSearchParams(params).toString()}`;
}

/** The query behind `logPath`. Throws BadRequest. */
export function parseLogQuery(params: URLSearchParams): LogQuery {
  const count = (name: string): Record<string, number> => {
    const text = params.get(name);
    if (text === null) return {};
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw badRequest(`${name} is no whole number`);
    return { [name]: value };
  };
  return {
    ...containerRef((name) => params.get(name)),
    previous: params.get('previous') === 'true',
    follow: params.get('follow') === 'true',
    timestamps: params.get('timestamps') === 'true',
    ...count('tailLines'),
    ...count('sinceSeconds'),
    ...count('sinceTime'),
    ...count('limitBytes'),
  };
}

/** The session that `value`, a parsed body, asks for. Throws BadRequest. */
export function parseSessionStart(value: unknown): SessionStart {
  const flag = (name: string): boolean => at(value, name) === true;
  return {
    ...containerRef((name) => at(value, name)),
    command: listOf(at(value, 'command')).map(textOf),
    stdin: flag('stdin'),
    stdout: flag('stdout'),
    stderr: flag('stderr'),
    tty: flag('tty'),
  };
}

function containerRef(read: (name: string) => unknown): ContainerRef {
  const text = (name: string): string => {
    const value = textOf(read(name));
    if (value === '') throw badRequest(`${name} is missing`);
    return value;
  };
  return { namespace: text('namespace'), pod: text('pod'), uid: text('uid'), container: text('container') };
}
