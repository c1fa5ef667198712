/** Reads a kubeconfig as kubectl does: one server, how its certificate is checked, and a client certificate or a token. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { UsageError } from './usage-error.ts';

/** Everything needed to reach one server as one user. */
export interface Connection {
  /** `https://host:port`, as it is written. */
  readonly server: string;
  /** PEM; undefined: the authorities of this machine. */
  readonly ca: string | undefined;
  /** PEM pair, when the user proves itself by a certificate. */
  readonly identity: { readonly cert: string; readonly key: string } | undefined;
  readonly token: string | undefined;
  /** Namespace of the context, `default` when it names none. */
  readonly namespace: string;
  /** The name that the server's certificate must have, when it is not the host's. */
  readonly tlsServerName: string | undefined;
  /** The kubeconfig says not to check the server's certificate. */
  readonly insecure: boolean;
}

/** How a part of Gatehouse reaches the gateway: always by an authority that it was given. */
export interface Credentials extends Connection {
  /** PEM */
  readonly ca: string;
}

/** The context named `context`, or the current one. Throws UsageError naming the file and what is missing in it. */
export function readConnection(file: string, context?: string): Connection {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(
      `cannot read the kubeconfig ${file}: start \`gatehouse up\`, or name one with --kubeconfig or KUBECONFIG`,
      error,
    );
  }
  return parseKubeconfig(text, file, context);
}

/** As `readConnection`; throws UsageError also where the cluster has no authority of its own, or is not to be checked. */
export function readKubeconfig(file: string, context?: string): Credentials {
  const connection = readConnection(file, context);
  const { ca, insecure } = connection;
  if (ca === undefined || insecure)
    throw new UsageError(`kubeconfig ${file}: the cluster needs a certificate-authority`);
  return { ...connection, ca };
}

/** What a kubeconfig's `text` says; files it names are relative to `file`. Throws UsageError in one line. */
export function parseKubeconfig(text: string, file: string, context?: string): Connection {
  const wrong: Wrong = (why, cause) => new UsageError(`kubeconfig ${file}: ${why}`, cause);
  const config = parseYaml(text, wrong);
  const wanted = context ?? textOf(config['current-context']);
  if (wanted === undefined) throw wrong('it has no current-context');
  const chosen = entry(config, 'contexts', 'context', wanted, wrong);
  const cluster = entry(config, 'clusters', 'cluster', textOf(chosen['cluster']) ?? '', wrong);
  const user = entry(config, 'users', 'user', textOf(chosen['user']) ?? '', wrong);
  if (user['exec'] !== undefined || user['auth-provider'] !== undefined) {
    throw wrong('credentials from a plugin (exec, auth-provider) are not supported here: use a certificate or a token');
  }
  const pem = (from: Members, name: string): string | undefined => {
    const data = textOf(from[`${name}-data`]);
    return data === undefined ? fileText(from[name], file, wrong) : Buffer.from(data, 'base64').toString();
  };
  const server = textOf(cluster['server']) ?? '';
  if (!URL.canParse(server) || new URL(server).protocol !== 'https:')
    throw wrong('the cluster needs an https:// server');
  const cert = pem(user, 'client-certificate');
  const key = pem(user, 'client-key');
  const token = textOf(user['token']) ?? fileText(user['tokenFile'], file, wrong)?.trim();
  return {
    server,
    ca: pem(cluster, 'certificate-authority'),
    identity: cert === undefined || key === undefined ? undefined : { cert, key },
    token: token === '' ? undefined : token,
    namespace: textOf(chosen['namespace']) ?? 'default',
    tlsServerName: textOf(cluster['tls-server-name']),
    insecure: cluster['insecure-skip-tls-verify'] === true,
  };
}

type Members = Readonly<Record<string, unknown>>;
type Wrong = (why: string, cause?: unknown) => UsageError;

// Far more than a kubeconfig has; it bounds what a hostile one makes of a few bytes. Chosen, not measured.
const maxAliases = 100;

function parseYaml(text: string, wrong: Wrong): Members {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: maxAliases });
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

function fileText(named: unknown, file: string, wrong: Wrong): string | undefined {
  const path = textOf(named);
  if (path === undefined) return undefined;
  try {
    return readFileSync(resolve(dirname(file), path), 'utf8');
  } catch (error) {
    throw wrong(`cannot read ${path}, which it names`, error);
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
