/** Which route answers an admitted request. It looks at the parsed request and nothing else: what was authorized is what is served. */
import { StatusError } from '../api/status.ts';
import type { Admitted, Handler, UpgradeHandler } from './chain.ts';
import type { Answer } from './inbound.ts';
import type { PathRequest, ResourceRequest } from './request-info.ts';

export type ResourceHandler = (request: Admitted, info: ResourceRequest) => Promise<Answer>;
export type PathHandler = (request: Admitted, info: PathRequest) => Promise<Answer> | Answer;

/** Logs, exec, attach, port-forward and the like: what ends at a node; and the tunnels of the nodes. */
export interface StreamHandler {
  /** `pods/log` and proxies: answered over HTTP. */
  answer(request: Admitted, info: ResourceRequest): Promise<Answer>;
  /** Takes over a connection that has been admitted. Resolves when it has ended. Throws StatusError while nothing is written yet. */
  upgrade(request: Admitted, info: ResourceRequest, connection: UpgradedConnection): Promise<void>;
}

/** A connection taken out of HTTP/1.1, with what had been read past the headers. */
export interface UpgradedConnection {
  readonly request: import('node:http').IncomingMessage;
  readonly socket: import('node:stream').Duplex;
  readonly head: Buffer;
}

export interface Routes {
  /** By `GROUP/RESOURCE` or `GROUP/RESOURCE/SUBRESOURCE`: resources that are answered and not stored. */
  readonly special: ReadonlyMap<string, ResourceHandler>;
  /** Every other resource. */
  readonly resources: ResourceHandler;
  readonly streams: StreamHandler | undefined;
  /** By exact path. */
  readonly paths: ReadonlyMap<string, PathHandler>;
  /** By prefix, tried in order after the exact paths. */
  readonly prefixes: readonly (readonly [string, PathHandler])[];
  /** Upgrades of paths that are no resource (a node's tunnel), by exact path. */
  readonly upgrades: ReadonlyMap<string, (request: Admitted, connection: UpgradedConnection) => Promise<void>>;
}

const streamed = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

/** The one handler for HTTP. Throws NotFound, MethodNotAllowed, BadRequest. */
export function createRouter(routes: Routes): Handler {
  return async (request) => {
    const { info } = request;
    if (info.kind === 'resource') {
      const key = `${info.group}/${info.resource}`;
      const special = routes.special.get(info.subresource === '' ? key : `${key}/${info.subresource}`);
      if (special !== undefined) return special(request, info);
      if (isStream(info)) return streamsOf(routes).answer(request, info);
      return routes.resources(request, info);
    }
    const handler =
      routes.paths.get(info.path) ?? routes.prefixes.find(([prefix]) => info.path.startsWith(prefix))?.[1];
    if (handler === undefined) throw pageNotFound();
    if (info.method !== 'GET' && info.method !== 'HEAD') {
      throw new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource');
    }
    return handler(request, info);
  };
}

/** The one handler for upgrades of `connection`. */
export function createUpgradeRouter(routes: Routes): (connection: UpgradedConnection) => UpgradeHandler {
  return (connection) => async (request) => {
    const { info } = request;
    if (info.kind === 'path') {
      const handler = routes.upgrades.get(info.path);
      if (handler === undefined) throw new StatusError('BadRequest', 'this path cannot be upgraded');
      return handler(request, connection);
    }
    if (!isStream(info) || info.subresource === 'log') {
      throw new StatusError('BadRequest', 'this resource cannot be upgraded; watch it over HTTP');
    }
    return streamsOf(routes).upgrade(request, info, connection);
  };
}

/** Upstream's answer for a path or resource that nobody serves. */
export function pageNotFound(): StatusError {
  return new StatusError('NotFound', 'the server could not find the requested resource');
}

function isStream(info: ResourceRequest): boolean {
  if (info.group === '' && info.resource === 'nodes' && info.subresource === 'tunnel') return true;
  if (!streamed.has(info.subresource) || info.group !== '') return false;
  return info.resource === 'pods' || info.subresource === 'proxy';
}

function streamsOf({ streams }: Routes): StreamHandler {
  if (streams === undefined) throw new StatusError('ServiceUnavailable', 'no node is connected to this gateway');
  return streams;
}
