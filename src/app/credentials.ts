/** Reads a kubeconfig as the parts of Gatehouse use it: one server, its CA, a client certificate or a token. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { UsageError } from './usage-error.ts';

export interface Credentials {
  /** `https://host:port` */
  readonly server: string;
  /** PEM */
  readonly ca: string;
  /** PEM pair, when the user proves itself by a certificate. */
  readonly identity: { readonly cert: string; readonly key: string } | undefined;
  readonly token: string | undefined;
  /** Namespace of the context, `default` when it names none. */
  readonly namespace: string;
}

interface Named {
  readonly name?: unknown;
  readonly [key: string]: unknown;
}

/** The context named `context`, or the current one. Throws UsageError naming the file and what is missing in it. */
export function readKubeconfig(file: string, context?: string): Credentials {
  const config = parseFile(file);
  const wanted = context ?? text(config['current-context']);
  const chosen = find(config, 'contexts', 'context', wanted, file);
  const cluster = find(config, 'clusters', 'cluster', text(chosen['cluster']), file);
  const user = find(config, 'users', 'user', text(chosen['user']), file);
  const server = text(cluster['server']);
  if (server === undefined) throw new UsageError(`${file}: the cluster of context ${wanted ?? ''} has no server`);
  const ca = pem(cluster, 'certificate-authority', file);
  if (ca === undefined)
    throw new UsageError(`${file}: the cluster of context ${wanted ?? ''} has no certificate-authority`);
  const cert = pem(user, 'client-certificate', file);
  const key = pem(user, 'client-key', file);
  return {
    server,
    ca,
    identity: cert === undefined || key === undefined ? undefined : { cert, key },
    token: text(user['token']) ?? readBeside(file, text(user['tokenFile']))?.trim(),
    namespace: text(chosen['namespace']) ?? 'default',
  };
}

function parseFile(file: string): Readonly<Record<string, unknown>> {
  try {
    const config: unknown = parse(readFileSync(file, 'utf8'));
    if (typeof config === 'object' && config !== null) return config as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(
      `cannot read the kubeconfig ${file}: give another with --kubeconfig FILE or KUBECONFIG`,
      error,
    );
  }
  throw new UsageError(`${file} is no kubeconfig: give another with --kubeconfig FILE or KUBECONFIG`);
}

function find(
  config: Readonly<Record<string, unknown>>,
  list: string,
  field: string,
  name: string | undefined,
  file: string,
): Readonly<Record<string, unknown>> {
  const entries = config[list];
  const entry = Array.isArray(entries) ? (entries as readonly Named[]).find((each) => each.name === name) : undefined;
  const value = entry?.[field];
  if (typeof value !== 'object' || value === null) throw new UsageError(`${file}: no ${field} named ${name ?? "''"}`);
  return value as Record<string, unknown>;
}

function pem(from: Readonly<Record<string, unknown>>, field: string, file: string): string | undefined {
  const data = text(from[`${field}-data`]);
  return data === undefined ? readBeside(file, text(from[field])) : Buffer.from(data, 'base64').toString('utf8');
}

function readBeside(file: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(resolve(dirname(file), path), 'utf8');
  } catch (error) {
    throw new UsageError(`${file} refers to ${path}, which cannot be read`, error);
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
