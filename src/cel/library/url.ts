import type { Functions } from '../environment.ts';
import { bool, listOf, mapOf, string } from '../types.ts';
import { Dict, Failure, List, type Result, type Value } from '../values.ts';
import { global, library, member } from './define.ts';
import { opaqueKind } from './opaque.ts';

/**
 * Absolute URIs and absolute paths, in parts. Read as upstream reads them (RFC 3986, no fragment), not as browsers do.
 * Source: Kubernetes, apiserver, cel/library/urls.
 */
interface Url {
  readonly text: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

const kind = opaqueKind<Url>('kubernetes.URL', (a, b) => a.text === b.text);
export const urlTypes = new Map([['kubernetes.URL', kind.type]]);

const getter = (name: string, read: (url: Url) => Value, type: typeof string | ReturnType<typeof mapOf> = string) =>
  [member(`url_${name}`, [kind.type], type, ([url]) => read(kind.held(url)))] as const;

export const urls: Functions = library({
  url: [
    global('string_to_url', [string], kind.type, ([text]) => {
      const parsed = parseUrl(text as string);
      return typeof parsed === 'string'
        ? new Failure(`URL parse error during conversion from string: ${parsed}`)
        : kind.of(parsed);
    }),
  ],
  isURL: [global('is_url_string', [string], bool, ([text]) => typeof parseUrl(text as string) !== 'string')],
  getScheme: getter('get_scheme', (url) => url.scheme),
  getHost: getter('get_host', (url) => url.host),
  getHostname: getter('get_hostname', (url) => {
    const literal = /^\[(.*)\](?::\d*)?$/.exec(url.host);
    return literal?.[1] ?? url.host.replace(/:\d*$/, '');
  }),
  getPort: getter('get_port', (url) => /:(\d*)$/.exec(url.host)?.[1] ?? ''),
  getEscapedPath: getter('get_escaped_path', (url) => escapePath(url.path)),
  getQuery: getter('get_query', (url) => query(url.query), mapOf(string, listOf(string))),
});

/** The parts of `text`, or why it is no absolute URI and no absolute path. */
export function parseUrl(text: string): Url | string {
  const shown = JSON.stringify(text);
  const wrong = (why: string): string => `parse ${shown}: ${why}`;
  if (text === '') return wrong('empty url');
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) return wrong('net/url: invalid control character in URL');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text);
  if (scheme === null && !text.startsWith('/')) {
    return wrong(text.startsWith(':') ? 'missing protocol scheme' : 'invalid URI for request');
  }
  const mark = text.indexOf('?');
  const before = mark < 0 ? text : text.slice(0, mark);
  let rest = before.slice(scheme?.[0].length ?? 0);
  if (!rest.startsWith('/')) return wrong('invalid URI for request');
  let host = '';
  if (scheme !== null && rest.startsWith('//')) {
    const end = rest.indexOf('/', 2);
    const authority = end < 0 ? rest.slice(2) : rest.slice(2, end);
    rest = end < 0 ? '' : rest.slice(end);
    host = authority.slice(authority.lastIndexOf('@') + 1);
    const problem = hostProblem(host);
    if (problem !== undefined) return wrong(problem);
  }
  const escape = /%(?![0-9A-Fa-f]{2}).{0,2}/.exec(rest);
  if (escape !== null) return wrong(`invalid URL escape ${JSON.stringify(escape[0])}`);
  return {
    text,
    scheme: (scheme?.[1] ?? '').toLowerCase(),
    host,
    path: rest,
    query: mark < 0 ? '' : text.slice(mark + 1),
  };
}

function hostProblem(host: string): string | undefined {
  if (host.startsWith('[')) {
    const end = host.lastIndexOf(']');
    if (end < 0) return "missing ']' in host";
    return /^(?::\d*)?$/.test(host.slice(end + 1))
      ? undefined
      : `invalid port ${JSON.stringify(host.slice(end + 1))} after host`;
  }
  const colon = host.lastIndexOf(':');
  if (colon >= 0 && !/^:\d*$/.test(host.slice(colon))) {
    return `invalid port ${JSON.stringify(host.slice(colon))} after host`;
  }
  const wrong = /[ "<>^`{|}\\]/.exec(host);
  return wrong === null ? undefined : `invalid character ${JSON.stringify(wrong[0])} in host name`;
}

/** Escapes only what may not stand in a path as it is. */
function escapePath(path: string): string {
  return path.replace(/[^A-Za-z0-9$&+,/:;=@\-_.~!*'()[\]%]+/gu, (part) =>
    Array.from(Buffer.from(part, 'utf8'), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}

function query(text: string): Result & Dict {
  const values = new Map<string, string[]>();
  for (const pair of text.split('&')) {
    if (pair === '' || pair.includes(';')) continue;
    const equals = pair.indexOf('=');
    const key = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = decode(equals < 0 ? '' : pair.slice(equals + 1));
    if (key === undefined || value === undefined) continue;
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return Dict.of([...values].map(([key, list]) => [key, List.of(list)]));
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined; // not an escape: upstream leaves such a pair out
  }
}
