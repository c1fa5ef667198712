/**
 * What a request is about, read off its method, path and query once. Routing, authorization and audit all use this one
 * value, so they cannot disagree. Pure. Rules: Kubernetes API concepts and the behaviour of upstream's request info.
 */
import { badRequest } from '../api/status.ts';

export type RequestInfo = ResourceRequest | PathRequest;

export interface ResourceRequest {
  readonly kind: 'resource';
  readonly verb: string;
  readonly method: string;
  /** Decoded, without a trailing slash. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  /** The name in the path, or of a list or watch the one that `fieldSelector=metadata.name=…` narrows it to. For authorization and audit. */
  readonly name: string;
  /** The name in the path; '' addresses the collection. */
  readonly pathName: string;
  /** What follows the subresource, as in `pods/x/proxy/REST`. */
  readonly rest: string;
  /** Whether the path names a namespace as `/namespaces/NS/…` does. */
  readonly inNamespace: boolean;
  readonly longRunning: boolean;
}

export interface PathRequest {
  readonly kind: 'path';
  readonly verb: string;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly longRunning: boolean;
}

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Subresources of a namespace; any other third segment is a resource inside it. */
const namespaceSubresources = new Set(['status', 'finalize']);
const streaming = new Set(['exec', 'attach', 'portforward', 'proxy', 'log', 'tunnel']);
/** Nothing to decode, to trim or to refuse but dot segments: how nearly every path is. */
const plainPath = /^(?:\/[\w.:@~$-]+)+$/;
const noQuery: URLSearchParams = new URLSearchParams();

/**
 * The request behind `method` and `url` (path and query as sent).
 * Throws BadRequest for encoded slashes, dot segments, empty segments, backslashes and malformed escapes; MethodNotAllowed
 * for methods the API does not have.
 */
export function parseRequest(method: string, url: string): RequestInfo {
  const question = url.indexOf('?');
  const rawPath = question < 0 ? url : url.slice(0, question);
  const query = question < 0 ? noQuery : new URLSearchParams(url.slice(question + 1));
  const plain = plainPath.test(rawPath) && !rawPath.includes('/.');
  const segments = plain ? rawPath.slice(1).split('/') : parsePath(rawPath);
  const path = plain ? rawPath : `/${segments.join('/')}`;

  const inApi = segments[0] === 'api' && segments.length > 2;
  const inApis = segments[0] === 'apis' && segments.length > 3;
  if (!inApi && !inApis) {
    return { kind: 'path', verb: method.toLowerCase(), method, path, query, longRunning: false };
  }
  const group = inApi ? '' : (segments[1] ?? '');
  const version = (inApi ? segments[1] : segments[2]) ?? '';
  return resourceRequest({ method, path, query, group, version }, segments.slice(inApi ? 2 : 3));
}

/** Path and query for the record: values of parameters that may carry a credential are taken out. */
export function recordedUri(url: string): string {
  const question = url.indexOf('?');
  if (question < 0) return url;
  const query = url.slice(question + 1);
  if (!/token|secret|password|key/i.test(query)) return url;
  const parts = query.split('&').map((part) => (/^[^=]*(token|secret|password|key)/i.test(part) ? redact(part) : part));
  return `${url.slice(0, question)}?${parts.join('&')}`;
}

function redact(part: string): string {
  const equals = part.indexOf('=');
  return equals < 0 ? part : `${part.slice(0, equals)}=REDACTED`;
}

function parsePath(rawPath: string): readonly string[] {
  if (!rawPath.startsWith('/')) throw badRequest('the request path must begin with a slash');
  if (rawPath.includes('\\') || rawPath.includes('#'))
    throw badRequest('the request path holds a character that is not allowed');
  const trimmed = rawPath.length > 1 && rawPath.endsWith('/') ? rawPath.slice(1, -1) : rawPath.slice(1);
  if (trimmed === '') return [];
  return trimmed.split('/').map(parseSegment);
}

function parseSegment(raw: string): string {
  const segment = raw.includes('%') ? decodeSegment(raw) : raw;
  if (segment === '') throw badRequest('the request path holds an empty segment');
  if (segment === '.' || segment === '..') throw badRequest('the request path holds a dot segment');
  // eslint-disable-next-line no-control-regex -- control characters are exactly what is looked for
  if (/[/\\\u0000-\u001f\u007f]/.test(segment))
    throw badRequest('the request path holds an encoded slash or a control character');
  return segment;
}

function decodeSegment(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch (error) {
    throw badRequest('the request path holds a malformed escape', error);
  }
}

interface Located {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly group: string;
  readonly version: string;
}

function resourceRequest(at: Located, parts: readonly string[]): ResourceRequest {
  let namespace = '';
  let rest = parts;
  let inNamespace = false;
  if (rest[0] === 'namespaces' && rest[1] !== undefined) {
    namespace = rest[1];
    if (rest[2] !== undefined && !(at.group === '' && namespaceSubresources.has(rest[2]))) {
      rest = rest.slice(2);
      inNamespace = true;
    }
  }
  const [resource = '', pathName = '', subresource = ''] = rest;
  const verb = verbOf(at, pathName);
  const narrowed = pathName === '' && (verb === 'list' || verb === 'watch' || verb === 'deletecollection');
  return {
    kind: 'resource',
    verb,
    ...at,
    resource,
    subresource,
    namespace,
    name: narrowed ? selectedName(at.query.get('fieldSelector') ?? '') : pathName,
    pathName,
    rest: rest.slice(3).join('/'),
    inNamespace,
    longRunning: verb === 'watch' || streaming.has(subresource),
  };
}

function verbOf({ method, query }: Located, pathName: string): string {
  const verb = Object.hasOwn(verbs, method) ? verbs[method] : undefined;
  if (verb === undefined) return method.toLowerCase(); // granted to nobody but a wildcard, and routed nowhere
  if (pathName !== '') return verb;
  if (verb === 'get') return isTrue(query.get('watch')) ? 'watch' : 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}

/** Whether a boolean parameter is set, as upstream reads them: present and neither `false` nor `0`. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== 'false' && value !== '0';
}

/** The one name a field selector asks for, or ''. Anything unusual yields '', which needs the wider grant. */
function selectedName(fieldSelector: string): string {
  for (const term of fieldSelector.split(',')) {
    const match = /^metadata\.name==?([^\\=!/%]+)$/.exec(term);
    if (match?.[1] !== undefined && match[1] !== '.' && match[1] !== '..') return match[1];
  }
  return '';
}
