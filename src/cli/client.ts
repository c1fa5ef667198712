/**
 * A client of the API for commands: speaks HTTPS with what a kubeconfig holds (CA, client certificate, token). The
 * server's certificate is always checked unless the kubeconfig itself says otherwise.
 */
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Connection } from '../app/credentials.ts';
import { CommandError, printable } from './output.ts';

/** Requests to one server. All throw CommandError with one line and exit code 1. */
export interface ApiClient {
  /** The JSON answer. */
  request(method: string, path: string, body?: unknown): Promise<unknown>;
  /** The lines of a streamed answer, parsed, until it ends or `signal` aborts. */
  lines(path: string, signal: AbortSignal): AsyncIterable<unknown>;
}

const answerTimeoutMs = 30_000; // a server that says nothing for so long is as good as gone; chosen, not measured
const maxAnswerBytes = 256 * 1024 * 1024;

/** Where the kubeconfig is: asked for, else KUBECONFIG, else Gatehouse's home, else ~/.kube/config. */
export function kubeconfigPath(asked: string | undefined, env: NodeJS.ProcessEnv): string {
  if (asked !== undefined) return asked;
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).find((path) => path !== '' && isReadable(path));
  if (listed !== undefined) return listed;
  const own = join(env['GATEHOUSE_HOME'] ?? join(homedir(), '.gatehouse'), 'kubeconfig');
  return isReadable(own) ? own : join(homedir(), '.kube', 'config');
}

function isReadable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false; // the next place is tried
  }
}

/** A client over `connection`. */
export function createApiClient(connection: Connection): ApiClient {
  return {
    request: async (method, path, body) => {
      const answer = await open(connection, { method, path, body, signal: undefined });
      const text = await wholeText(connection, answer);
      if ((answer.statusCode ?? 0) >= 400) throw fromServer(answer.statusCode ?? 0, text);
      return parseAnswer(text);
    },
    lines: async function* (path, signal) {
      const answer = await open(connection, { method: 'GET', path, body: undefined, signal });
      if ((answer.statusCode ?? 0) >= 400)
        throw fromServer(answer.statusCode ?? 0, await wholeText(connection, answer));
      const reader = createInterface({ input: answer, crlfDelay: Number.POSITIVE_INFINITY });
      try {
        for await (const line of reader) if (line !== '') yield parseAnswer(line);
      } catch (error) {
        if (!signal.aborted) throw unreachable(connection, error);
      } finally {
        answer.destroy();
      }
    },
  };
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  /** Ends a stream; a request without one ends by its deadline. */
  readonly signal: AbortSignal | undefined;
}

function open(connection: Connection, { method, path, body, signal }: Asked): Promise<IncomingMessage> {
  const { ca, identity, token, insecure, tlsServerName } = connection;
  const server = new URL(connection.server);
  const prefix = server.pathname.replace(/\/$/, '');
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      method,
      host: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port === '' ? 443 : Number(server.port),
      path: `${prefix}${path}`,
      headers: {
        accept: 'application/json',
        'user-agent': 'gatehouse-cli',
        ...(payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      rejectUnauthorized: !insecure,
      ...(ca === undefined ? {} : { ca }),
      ...identity,
      ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
      ...(signal === undefined ? { timeout: answerTimeoutMs } : { signal }),
    });
    request.on('timeout', () => request.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })));
    request.on('error', (error) => reject(unreachable(connection, error)));
    request.on('response', resolve);
    request.end(payload);
  });
}

async function wholeText(connection: Connection, answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of answer) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      size += bytes.length;
      if (size > maxAnswerBytes) throw new CommandError('the answer is too large: ask for less with --limit', 1);
      chunks.push(bytes);
    }
  } catch (error) {
    throw error instanceof CommandError ? error : unreachable(connection, error);
  }
  return Buffer.concat(chunks).toString();
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CommandError('the server answered with something that is no JSON', 1, error);
  }
}

/** A refusal in kubectl's words. */
export function fromServer(code: number, text: string): CommandError {
  let status: unknown;
  try {
    status = JSON.parse(text);
  } catch {
    status = undefined; // no Status: the code has to do
  }
  const message = textMember(status, 'message');
  const reason = textMember(status, 'reason');
  const what = printable(message ?? `HTTP ${code}`);
  if (code === 401) return new CommandError('the server does not accept your credentials (Unauthorized)', 1);
  return new CommandError(`Error from server${reason === undefined ? '' : ` (${printable(reason)})`}: ${what}`, 1);
}

function textMember(of: unknown, name: 'message' | 'reason'): string | undefined {
  if (typeof of !== 'object' || of === null || !(name in of)) return undefined;
  const value = (of as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' ? value : undefined;
}

const plainWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: is it running?',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be looked up',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'no route to it',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not signed by the kubeconfig's authority",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not signed by the kubeconfig's authority",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is not signed by the kubeconfig's authority",
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
};

function unreachable({ server }: Connection, error: unknown): CommandError {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const why = plainWords[code] ?? (code === '' ? 'the connection failed' : code);
  return new CommandError(`cannot reach ${new URL(server).origin}: ${why}`, 1, error);
}
