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
 *   POST /forward?QUERY                 a connection to a port of the pod: the request's body is what goes in, the answer's
 *                                       what comes out
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

/** One particular pod: the uid keeps a namesake that came later from being taken for it. */
export interface PodRef {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
}

export interface ContainerRef extends PodRef {
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

/** The path that asks for a connection to `port` of `pod`. */
export function forwardPath({ namespace, pod, uid }: PodRef, port: number): string {
  return `/forward?${new URLSearchParams({ namespace, pod, uid, port: String(port) }).toString()}`;
}

/** The pod and port behind `forwardPath`. Throws BadRequest. */
export function parseForward(params: URLSearchParams): { readonly pod: PodRef; readonly port: number } {
  const port = Number(params.get('port'));
  if (!isPort(port)) throw badRequest('port must be a whole number from 1 to 65535');
  return { pod: podRef((name) => params.get(name)), port };
}

/** Whether `port` can be dialled. */
export function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65_536;
}

function containerRef(read: (name: string) => unknown): ContainerRef {
  return { ...podRef(read), container: required(read, 'container') };
}

function podRef(read: (name: string) => unknown): PodRef {
  return { namespace: required(read, 'namespace'), pod: required(read, 'pod'), uid: required(read, 'uid') };
}

function required(read: (name: string) => unknown, name: string): string {
  const value = textOf(read(name));
  if (value === '') throw badRequest(`${name} is missing`);
  return value;
}
