/**
 * The trail over the API: group audit.gatehouse.dev, resource `events`. Who may read it is decided by the chain in front
 * (verbs list, get, watch), and reading it is a request that is recorded like any other.
 */
import { deadline, parseInstant } from '../../std/clock.ts';
import { badRequest, StatusError, toStatus } from '../../api/status.ts';
import type { AuditFilter, AuditQuery, TailItem } from '../../audit/query.ts';

const defaultLimit = 100;
const maxStreamSeconds = 3600;

/** What the route looks at of an admitted request. */
interface Asked {
  readonly verb: string;
  /** The audit id, or '' for the collection. */
  readonly pathName: string;
  readonly query: URLSearchParams;
}

/** A gateway answer: JSON, or JSON lines as they come. */
type AuditAnswer =
  | { readonly kind: 'whole'; readonly code: number; readonly contentType: string; readonly body: string }
  | {
      readonly kind: 'stream';
      readonly code: number;
      readonly contentType: string;
      readonly frames: AsyncIterable<string>;
    };

/**
 * For the router's `audit.gatehouse.dev/events`. Answers `list` (query: user, verb, resource, namespace, name, denied, since, until, limit, continue), `get` of one
 * audit id, and `watch` (the same filters; JSON lines that resourceVersion continues). Throws StatusError.
 */
export function auditHandler(
  query: AuditQuery,
): (request: { readonly inbound: { readonly signal: AbortSignal } }, info: Asked) => Promise<AuditAnswer> {
  return async ({ inbound }, info) => {
    switch (info.verb) {
      case 'get':
        return json(await query.get(info.pathName));
      case 'list': {
        const limit = readCount(info.query, 'limit', defaultLimit);
        return json(await query.list(readFilter(info.query), { limit, continue: info.query.get('continue') ?? '' }));
      }
      case 'watch':
        return {
          kind: 'stream',
          code: 200,
          contentType: 'application/json',
          frames: follow(query, info, inbound.signal),
        };
      default:
        throw new StatusError('MethodNotAllowed', 'the audit trail can only be read');
    }
  };
}

function json(value: object): AuditAnswer {
  return { kind: 'whole', code: 200, contentType: 'application/json', body: JSON.stringify(value) };
}

/** The filter that the parameters of a list ask for. Throws BadRequest that names the parameter. */
function readFilter(parameters: URLSearchParams): AuditFilter {
  const text = (name: keyof AuditFilter): Partial<AuditFilter> => {
    const value = parameters.get(name);
    return value === null || value === '' ? {} : { [name]: value.replaceAll('\0', '\uFFFD') };
  };
  const time = (name: 'since' | 'until'): Partial<AuditFilter> => {
    const value = parameters.get(name);
    if (value === null || value === '') return {};
    const instant = parseInstant(value);
    if (instant === undefined) throw badRequest(`${name}: must be a time such as 2026-01-31T12:00:00Z`);
    return { [name]: instant };
  };
  return {
    ...text('user'),
    ...text('verb'),
    ...text('namespace'),
    ...text('name'),
    ...readResource(text('resource').resource),
    ...(isTrue(parameters, 'denied') ? { denied: true } : {}),
    ...time('since'),
    ...time('until'),
  };
}

/** `pods`, `deployments.apps`, `pods/exec`, `deployments.apps/scale`. Without a group it is any group's. */
function readResource(text: string | undefined): Pick<AuditFilter, 'group' | 'resource' | 'subresource'> {
  if (text === undefined) return {};
  const [whole = '', subresource] = text.split('/', 2);
  const dot = whole.indexOf('.');
  return {
    resource: dot < 0 ? whole : whole.slice(0, dot),
    ...(dot < 0 ? {} : { group: whole.slice(dot + 1) }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

function isTrue(parameters: URLSearchParams, name: string): boolean {
  const value = parameters.get(name);
  if (value === null || value === 'false' || value === '0') return false;
  if (value === '' || value === 'true' || value === '1') return true;
  throw badRequest(`${name}: must be true or false`);
}

function readCount(parameters: URLSearchParams, name: string, otherwise: number): number {
  const value = parameters.get(name);
  if (value === null || value === '') return otherwise;
  if (!/^\d{1,9}$/.test(value)) throw badRequest(`${name}: must be a whole number`);
  return Number(value) === 0 ? otherwise : Number(value);
}

/** The trail as lines; when reading fails, an ERROR line is the last. */
function follow(query: AuditQuery, { query: parameters }: Asked, gone: AbortSignal): AsyncIterable<string> {
  const filter = readFilter(parameters); // what is malformed is refused before the stream begins
  const seconds = Math.min(readCount(parameters, 'timeoutSeconds', maxStreamSeconds), maxStreamSeconds);
  const cursor = parameters.get('resourceVersion') ?? '';
  return lines(query.follow(filter, cursor === '' ? undefined : cursor, deadline(seconds * 1000, gone)));
}

async function* lines(items: AsyncIterable<TailItem>): AsyncIterable<string> {
  try {
    for await (const item of items) yield line(lineOf(item));
  } catch (error) {
    const status =
      error instanceof StatusError ? error : new StatusError('InternalError', 'the stream failed', { cause: error });
    yield line({ type: 'ERROR', object: toStatus(status) });
  }
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

function lineOf(item: TailItem): object {
  const metadata = { resourceVersion: item.cursor };
  if (item.kind === 'bookmark') return { type: 'BOOKMARK', object: { kind: 'AuditRecord', metadata } };
  const { record } = item;
  return { type: 'ADDED', object: { ...record, metadata: { ...record.metadata, ...metadata } } };
}
