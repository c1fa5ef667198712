/**
 * The one way in which scheduler, controllers and nodes reach objects: the API, through the same door as everyone.
 * Methods throw StatusError as the gateway answered it, ServiceUnavailable when it could not be reached.
 */
import { StatusError, isReason, unavailable } from '../../api/status.ts';
import type { Status } from '../../api/types/meta.ts';
import { deadline } from '../../std/clock.ts';
import type { ClusterObject, ResourceRef } from './resource-ref.ts';
import type { Fetch } from './transport.ts';

/** Which object. `namespace` is left out for cluster-scoped resources. */
export interface At {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface ListQuery {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion?: string | undefined;
  /** Only apiVersion, kind and metadata of each object: for readers that look at nothing else. */
  readonly metadataOnly?: boolean;
}

export interface List<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export type PatchKind = 'merge' | 'strategic' | 'json';

/** An object that is about to be created: the server gives the name when `generateName` stands in for it. */
export type Draft<T extends ClusterObject> = Omit<T, 'metadata' | 'apiVersion' | 'kind'> & {
  readonly metadata: Partial<T['metadata']>;
};

export interface ClusterClient {
  get<T extends ClusterObject>(of: ResourceRef<T>, at: At, signal?: AbortSignal): Promise<T>;
  list<T extends ClusterObject>(of: ResourceRef<T>, query: ListQuery, signal?: AbortSignal): Promise<List<T>>;
  /** Changes after `query.resourceVersion`. Ends when the server ends it; throws Expired (410) when that is too old. */
  watch<T extends ClusterObject>(
    of: ResourceRef<T>,
    query: ListQuery & { readonly timeoutSeconds: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends ClusterObject>(of: ResourceRef<T>, object: Draft<T>, signal?: AbortSignal): Promise<T>;
  /** PUT of the object, or of its `subresource` (status). Conflict when it was changed since it was read. */
  update<T extends ClusterObject>(
    of: ResourceRef<T>,
    object: T,
    subresource?: string,
    signal?: AbortSignal,
  ): Promise<T>;
  patch<T extends ClusterObject>(
    of: ResourceRef<T>,
    at: At,
    patch: { readonly kind: PatchKind; readonly body: unknown; readonly subresource?: string },
    signal?: AbortSignal,
  ): Promise<T>;
  /** Answers the object as the deletion left it (with its new resourceVersion), or the Status of a finished deletion. */
  delete<T extends ClusterObject>(
    of: ResourceRef<T>,
    at: At,
    options?: DeleteOptions,
    signal?: AbortSignal,
  ): Promise<{ readonly metadata: { readonly resourceVersion?: string } }>;
  /** DELETE of all objects of `of` in a namespace. */
  deleteAll(of: ResourceRef, namespace: string, signal?: AbortSignal): Promise<void>;
  /** GET of a path that is no object, such as discovery documents. */
  read(path: string, signal?: AbortSignal): Promise<unknown>;
  /** POST to a subresource (binding, token, eviction): the answer as it came. */
  post<T extends ClusterObject>(
    of: ResourceRef<T>,
    at: At,
    subresource: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<unknown>;
}

// The gateway answers or refuses well before; this ends a request whose connection went silent.
const requestDeadlineMs = 30_000;

const patchTypes: Readonly<Record<PatchKind, string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
};

const json = 'application/json';
const metadataOnly =
  'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

interface Extra {
  readonly body?: unknown;
  readonly type?: string;
  readonly accept?: string;
}

interface Sent extends Extra {
  readonly method: string;
  readonly path: string;
  readonly signal: AbortSignal;
}

/** A client that names itself `userAgent` in the audit trail. `server` is only the base of the URLs given to `fetch`. */
export function createClient(options: {
  readonly fetch: Fetch;
  readonly server: string;
  readonly userAgent: string;
}): ClusterClient {
  const send = async ({ method, path, signal, body, type, accept }: Sent): Promise<Response> => {
    const headers: Record<string, string> = { accept: accept ?? json, 'user-agent': options.userAgent };
    if (body !== undefined) headers['content-type'] = type ?? json;
    const init = { method, headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await options.fetch(new Request(new URL(path, options.server), init));
    if (response.ok) return response;
    throw await toError(response);
  };
  /** What is neither an answer nor the caller's own end of waiting is an outage. */
  const reaching = async <T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      if (error instanceof StatusError || signal?.aborted === true) throw error;
      throw unavailable('the gateway cannot be reached, or stopped answering', 1, error);
    }
  };
  const call = async <T>(method: string, path: string, signal: AbortSignal | undefined, more: Extra = {}): Promise<T> =>
    reaching(signal, async () => {
      const response = await send({ method, path, signal: deadline(requestDeadlineMs, signal), ...more });
      return (await response.json()) as T;
    });
  const named = <T extends ClusterObject>(of: ResourceRef<T>, object: Draft<T>): unknown => ({
    apiVersion: of.group === '' ? of.version : `${of.group}/${of.version}`,
    kind: of.kind,
    ...object,
  });
  return {
    get: (of, at, signal) => call('GET', pathOf(of, at.namespace, at.name), signal),
    list: async (of, query, signal) => {
      const answer = await call<{ items?: never[]; metadata: { resourceVersion: string } }>(
        'GET',
        `${pathOf(of, query.namespace)}${search(query)}`,
        signal,
        query.metadataOnly === true ? { accept: metadataOnly } : {},
      );
      // Items of a list carry no apiVersion and kind of their own; users of this client may rely on them.
      const items = (answer.items ?? []).map((item: object) => ({
        ...(named(of, { metadata: {} } as never) as object),
        ...item,
      }));
      return { items: items as never[], resourceVersion: answer.metadata.resourceVersion };
    },
    watch: async function* (of, query, signal) {
      const path = `${pathOf(of, query.namespace)}${search({ ...query, watch: '1', allowWatchBookmarks: 'true' })}`;
      // The server ends a watch at timeoutSeconds; half a minute more means that it is gone.
      const limit = deadline((query.timeoutSeconds + 30) * 1000, signal);
      const accept = query.metadataOnly === true ? metadataOnly : json;
      const response = await reaching(signal, () => send({ method: 'GET', path, signal: limit, accept }));
      for await (const line of lines(response)) yield toEvent(line);
    },
    create: (of, object, signal) =>
      call('POST', pathOf(of, object.metadata.namespace), signal, { body: named(of, object) }),
    update: (of, object, subresource, signal) =>
      call('PUT', pathOf(of, object.metadata.namespace, object.metadata.name, subresource), signal, { body: object }),
    patch: (of, at, patch, signal) =>
      call('PATCH', pathOf(of, at.namespace, at.name, patch.subresource), signal, {
        body: patch.body,
        type: patchTypes[patch.kind],
      }),
    delete: (of, at, body, signal) =>
      call('DELETE', pathOf(of, at.namespace, at.name), signal, {
        body: { apiVersion: 'v1', kind: 'DeleteOptions', ...body },
      }),
    deleteAll: async (of, namespace, signal) => {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' };
      await call('DELETE', pathOf(of, namespace), signal, { body });
    },
    read: (path, signal) => call('GET', path, signal),
    post: (of, at, subresource, body, signal) =>
      call('POST', pathOf(of, at.namespace, at.name, subresource), signal, { body }),
  };
}

function pathOf(of: ResourceRef, namespace?: string, name?: string, subresource?: string): string {
  const root = of.group === '' ? `/api/${of.version}` : `/apis/${of.group}/${of.version}`;
  const scope = of.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${of.resource}${object}${subresource === undefined ? '' : `/${subresource}`}`;
}

function search(query: object): string {
  const wanted = Object.entries(query).filter(
    ([name, value]) => name !== 'namespace' && name !== 'metadataOnly' && value !== undefined,
  );
  if (wanted.length === 0) return '';
  return `?${new URLSearchParams(wanted.map(([name, value]): [string, string] => [name, String(value)])).toString()}`;
}

async function toError(response: Response): Promise<StatusError> {
  const text = await response.text();
  let status: Partial<Status> = {};
  try {
    status = JSON.parse(text) as Partial<Status>;
  } catch (error) {
    return unavailable(`the gateway answered ${response.status} with something that is no Status`, 1, error);
  }
  const reason = isReason(status.reason) ? status.reason : 'InternalError';
  return new StatusError(
    reason,
    status.message ?? `HTTP ${response.status}`,
    status.details === undefined ? {} : { details: status.details },
  );
}

async function* lines(response: Response): AsyncGenerator<string> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body) {
    rest += decoder.decode(chunk, { stream: true });
    let end = rest.indexOf('\n');
    while (end >= 0) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      if (line !== '') yield line;
      end = rest.indexOf('\n');
    }
  }
}

function toEvent<T extends ClusterObject>(line: string): WatchEvent<T> {
  const event = JSON.parse(line) as { type: string; object: unknown };
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event.type, object: event.object as T };
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: (event.object as T).metadata.resourceVersion ?? '' };
    default: {
      const status = event.object as Partial<Status>;
      const reason = isReason(status.reason) ? status.reason : 'InternalError';
      throw new StatusError(reason, status.message ?? 'the watch ended with an error');
    }
  }
}
