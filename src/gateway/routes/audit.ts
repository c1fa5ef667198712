/**
 * The trail over the API: group audit.gatehouse.dev, resource `events`. Who may read it is decided by the chain in front
 * (verbs list, get, watch), and reading it is a request that is recorded like any other.
 */
import { Hono } from 'hono';
import { deadline, parseInstant } from '../../std/clock.ts';
import { badRequest, StatusError, toStatus } from '../../api/status.ts';
import type { AuditFilter, AuditQuery, TailItem } from '../../audit/query.ts';
import { auditGroup, auditVersion } from '../../audit/record.ts';

const base = `/apis/${auditGroup}/${auditVersion}/events`;
const defaultLimit = 100;
const maxStreamSeconds = 3600;

/**
 * Handlers for `GET …/events` (query: user, verb, resource, namespace, name, denied, since, until, limit, continue; with
 * watch=true a stream of JSON lines that resourceVersion continues) and `GET …/events/:id`. Throw StatusError.
 */
export function auditRoutes(query: AuditQuery): Hono {
  const app = new Hono();
  app.get(base, async (context) => {
    const parameters = new URL(context.req.url).searchParams;
    const filter = readFilter(parameters);
    if (isTrue(parameters, 'watch')) return follow(query, filter, parameters, context.req.raw.signal);
    const limit = readCount(parameters, 'limit', defaultLimit);
    return context.json(await query.list(filter, { limit, continue: parameters.get('continue') ?? '' }));
  });
  app.get(`${base}/:id`, async (context) => context.json(await query.get(context.req.param('id'))));
  return app;
}

/** The filter that the parameters of a list ask for. Throws BadRequest that names the parameter. */
export function readFilter(parameters: URLSearchParams): AuditFilter {
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

async function follow(
  query: AuditQuery,
  filter: AuditFilter,
  parameters: URLSearchParams,
  gone: AbortSignal,
): Promise<Response> {
  const seconds = Math.min(readCount(parameters, 'timeoutSeconds', maxStreamSeconds), maxStreamSeconds);
  const cancelled = new AbortController();
  const signal = deadline(seconds * 1000, AbortSignal.any([gone, cancelled.signal]));
  const cursor = parameters.get('resourceVersion') ?? '';
  const items = query.follow(filter, cursor === '' ? undefined : cursor, signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const line = await nextLine(items);
      if (line === undefined) controller.close();
      else controller.enqueue(encoder.encode(`${JSON.stringify(line.value)}\n`));
      if (line?.last === true) controller.close();
    },
    cancel: () => cancelled.abort(),
  });
  return new Response(stream, { headers: { 'content-type': 'application/json' } });
}

interface Line {
  readonly value: object;
  readonly last: boolean;
}

/** The next line, an ERROR line as the last when reading fails, undefined at the end. */
async function nextLine(items: AsyncIterator<TailItem>): Promise<Line | undefined> {
  try {
    const next = await items.next();
    return next.done === true ? undefined : { value: lineOf(next.value), last: false };
  } catch (error) {
    const status =
      error instanceof StatusError ? error : new StatusError('InternalError', 'the stream failed', { cause: error });
    return { value: { type: 'ERROR', object: toStatus(status) }, last: true };
  }
}

function lineOf(item: TailItem): object {
  const metadata = { resourceVersion: item.cursor };
  if (item.kind === 'bookmark') return { type: 'BOOKMARK', object: { kind: 'AuditRecord', metadata } };
  const { record } = item;
  return { type: 'ADDED', object: { ...record, metadata: { ...record.metadata, ...metadata } } };
}
