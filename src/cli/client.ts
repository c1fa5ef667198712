/**
 * A client of the API for commands: reads a kubeconfig as kubectl does and speaks HTTPS with what it holds (CA, client
 * certificate, token). The server's certificate is always checked unless the kubeconfig itself says otherwise.
 */
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parse } from 'yaml';
import { CommandError, printable } from './output.ts';

/** Everything needed to reach one server as one user. */
export interface Connection {
  readonly server: URL;
  readonly tlsServerName: string | undefined;
  readonly insecure: boolean;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
  readonly namespace: string;
}

/** Requests to one server. All throw CommandError with one line: exit code 1 for what the server said, 2 for what is set up wrongly. */
export interface ApiClient {
  /** The JSON answer. */
  request(method: string, path: string, body?: unknown): Promise<unknown>;
  /** The lines of a streamed answer, parsed, until it ends or `signal` aborts. */
  lines(path: string, signal: AbortSignal): AsyncIterable<unknown>;
}

const answerTimeoutMs = 30_000; // a server that says nothing for so long is as good as gone; chosen, not measured
const maxAnswerBytes = 256 * 1024 * 1024;

type Members = Readonly<Record<string, unknown>>;

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

/** Reads the kubeconfig at `path`. Throws CommandError (2) that names what is missing. */
export function readConnection(path: string, contextName?: string): Connection {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(
      `cannot read the kubeconfig ${path}: start \`gatehouse up\`, or name one with --kubeconfig`,
      2,
      error,
    );
  }
  return parseConnection(text, path, contextName);
}

/** The connection of the current (or the named) context in a kubeconfig's `text`; files it names are relative to `path`. */
export function parseConnection(text: string, path: string, contextName?: string): Connection {
  const wrong = (why: string, cause?: unknown): CommandError =>
    new CommandError(`kubeconfig ${path}: ${why}`, 2, cause);
  const config = parseYaml(text, wrong);
  const wanted = contextName ?? textOf(config['current-context']);
  if (wanted === undefined || wanted === '') throw wrong('it has no current-context');
  const context = entry(config, 'contexts', 'context', wanted, wrong);
  const cluster = entry(config, 'clusters', 'cluster', textOf(context['cluster']) ?? '', wrong);
  const user = entry(config, 'users', 'user', textOf(context['user']) ?? '', wrong);
  if (user['exec'] !== undefined || user['auth-provider'] !== undefined) {
    throw wrong('credentials from a plugin (exec, auth-provider) are not supported here: use a certificate or a token');
  }
  const pem = (from: Members, name: string): string | undefined => {
    const data = textOf(from[`${name}-data`]);
    if (data !== undefined && data !== '') return Buffer.from(data, 'base64').toString();
    return fileText(from[name], path, wrong);
  };
  const server = textOf(cluster['server']) ?? '';
  if (!URL.canParse(server) || new URL(server).protocol !== 'https:')
    throw wrong('the cluster needs an https:// server');
  const token = textOf(user['token']) ?? fileText(user['tokenFile'], path, wrong)?.trim();
  return {
    server: new URL(server),
    tlsServerName: textOf(cluster['tls-server-name']),
    insecure: cluster['insecure-skip-tls-verify'] === true,
    ca: pem(cluster, 'certificate-authority'),
    cert: pem(user, 'client-certificate'),
    key: pem(user, 'client-key'),
    token: token === '' ? undefined : token,
    namespace: textOf(context['namespace']) ?? 'default',
  };
}

type Wrong = (why: string, cause?: unknown) => CommandError;

function parseYaml(text: string, wrong: Wrong): Members {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw wrong('it is no valid YAML', error);
  }
  if (!isMembers(value)) throw wrong('it is empty or no object');
  return value;
}

function entry(config: Members, list: string, member: string, name: string, wrong: Wrong): Members {
  const entries: unknown = config[list];
  const found = Array.isArray(entries) ? entries.filter(isMembers).find((item) => item['name'] === name) : undefined;
  const value = found?.[member];
  if (!isMembers(value)) throw wrong(`there is no ${member} "${name}"`);
  return value;
}

function fileText(named: unknown, path: string, wrong: Wrong): string | undefined {
  const file = textOf(named);
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(resolve(dirname(path), file), 'utf8');
  } catch (error) {
    throw wrong(`cannot read ${file}, which it names`, error);
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
  const { server, ca, cert, key, token, insecure, tlsServerName } = connection;
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
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
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
  const message = isMembers(status) ? textOf(status['message']) : undefined;
  const reason = isMembers(status) ? textOf(status['reason']) : undefined;
  const what = printable(message ?? `HTTP ${code}`);
  if (code === 401) return new CommandError('the server does not accept your credentials (Unauthorized)', 1);
  return new CommandError(`Error from server${reason === undefined ? '' : ` (${printable(reason)})`}: ${what}`, 1);
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
  return new CommandError(`cannot reach ${server.origin}: ${why}`, 1, error);
}
