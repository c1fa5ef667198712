/**
 * A cluster in memory: the real registry over the store of memory-store.ts, reached by the real cluster client through
 * a fetch that a test can slow down, cut or listen to. Watches bring no bookmarks, as those of a quiet hour.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { StatusError, toStatus } from '../../src/api/status.ts';
import { groupList, resourceList } from '../../src/api/schema/discovery.ts';
import type { Kinds } from '../../src/api/schema/kinds.ts';
import { createClient } from '../../src/core/cluster/client.ts';
import type { ClusterClient } from '../../src/core/cluster/client.ts';
import type { Fetch } from '../../src/core/cluster/transport.ts';
import { namespaces, serviceAccounts } from '../../src/core/cluster/resource-ref.ts';
import { followKinds } from '../../src/core/resources/custom/kinds.ts';
import { createResources } from '../../src/core/resources/registry.ts';
import type { Call, PatchType, Resources, Target, WatchItem } from '../../src/core/resources/resources.ts';
import { parseRequest } from '../../src/gateway/request-info.ts';
import { listOptions, watchOptions, writeOptions } from '../../src/gateway/routes/options.ts';
import { fakeClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';
import { memoryStore } from './memory-store.ts';
import type { MemoryStore } from './memory-store.ts';

export interface Seen {
  readonly method: string;
  /** Path with query. */
  readonly url: string;
  readonly userAgent: string;
  readonly body: unknown;
}

export interface TestCluster {
  readonly clock: FakeClock;
  readonly store: MemoryStore<string>;
  readonly admin: ClusterClient;
  client(name: string): ClusterClient;
  /** Every request that was not a watch, in order. */
  readonly seen: Seen[];
  /** Asked before each request: a StatusError refuses it, a promise delays it. */
  readonly fault: { before: ((request: Seen, signal: AbortSignal) => unknown) | undefined };
  /** Ends all watches that are open, as a gateway that is stopped does. */
  cutWatches(): void;
  /** Resolves when nothing is under way any more. */
  settle(): Promise<void>;
  /** Moves time on, with everything settled at each timer. */
  advance(ms: number): Promise<void>;
  /** Settles and moves time on in small steps until `found` answers something; throws after `mostMs` of fake time. */
  until<T>(
    what: string,
    found: () => T | undefined | false | Promise<T | undefined | false>,
    mostMs?: number,
  ): Promise<T>;
}

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
};

/** With the namespaces `default`, `kube-system` and `kube-node-lease` and their service accounts. */
export async function testCluster(): Promise<TestCluster> {
  const clock = fakeClock();
  const store = memoryStore<string>();
  const kinds = await followKinds(store);
  const resources = createResources<string>({
    kinds,
    store,
    clock,
    random: (count) => randomBytes(count),
    uid: () => randomUUID(),
    guards: [],
  });
  const seen: Seen[] = [];
  const fault: TestCluster['fault'] = { before: undefined };
  const open = new Set<Request>(); // as a connection would, keeps those that nobody answers from being collected
  let cut = new AbortController();
  let busy = 0;
  let moves = 0;

  const fetch: Fetch = async (request) => {
    busy++;
    moves++;
    open.add(request);
    try {
      return await answer(request);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      return json(error.code, toStatus(error));
    } finally {
      open.delete(request);
      busy--;
      moves++;
    }
  };

  const answer = async (request: Request): Promise<Response> => {
    const url = request.url.slice(request.url.indexOf('/', 8));
    const text = request.body === null ? '' : await request.text();
    const info = parseRequest(request.method, url);
    const isWatch = info.kind === 'resource' && info.verb === 'watch';
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const asked = { method: request.method, url, userAgent: request.headers.get('user-agent') ?? '', body };
    if (!isWatch) seen.push(asked);
    if (fault.before !== undefined) {
      busy--; // what a test holds back is not under way
      try {
        await fault.before(asked, request.signal);
      } finally {
        busy++;
        moves++;
      }
    }
    request.signal.throwIfAborted();
    if (info.kind === 'path') return json(200, document(kinds, info.path));
    const target: Target = {
      group: info.group,
      version: info.version,
      resource: info.resource,
      subresource: info.subresource,
      namespace: info.inNamespace ? info.namespace : '',
      name: info.pathName,
    };
    const call: Call<string> = {
      user: { name: 'admin', uid: '', groups: ['system:masters'], extra: {} },
      signal: isWatch ? AbortSignal.any([request.signal, cut.signal]) : request.signal,
      warn: () => {},
      record: () => [],
      annotate: () => {},
      requestObject: () => {},
      allowed: async () => true,
    };
    if (isWatch) {
      const items = resources.watch(call, target, { ...watchOptions(info.query, () => 0), allowWatchBookmarks: false });
      return new Response(
        events(items, () => moves++),
        { status: 200 },
      );
    }
    return run(resources, call, { ...info, target, text, contentType: request.headers.get('content-type') ?? '' });
  };

  const client = (name: string): ClusterClient =>
    createClient({ fetch, server: 'https://cluster.test', userAgent: name });
  const settle = async (): Promise<void> => {
    let before = -1;
    for (let quiet = 0; quiet < 4; quiet = before === moves && busy === 0 ? quiet + 1 : 0) {
      before = moves;
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  };
  const advance = (ms: number): Promise<void> => clock.advance(ms, settle);
  const cluster: TestCluster = {
    clock,
    store,
    admin: client('admin'),
    client,
    seen,
    fault,
    cutWatches: () => {
      cut.abort();
      cut = new AbortController();
    },
    settle,
    advance,
    until: async (what, found, mostMs = 60_000) => {
      for (let waited = 0; ; waited += 100) {
        await settle();
        const answered = await found();
        if (answered !== undefined && answered !== false) return answered;
        if (waited >= mostMs) throw new Error(`within ${mostMs} ms not seen: ${what}`);
        await advance(100);
      }
    },
  };
  for (const name of ['default', 'kube-system', 'kube-node-lease']) {
    await cluster.admin.create(namespaces, { metadata: { name }, spec: {} });
    await cluster.admin.create(serviceAccounts, { metadata: { name: 'default', namespace: name } });
  }
  return cluster;
}

interface Request_ {
  readonly verb: string;
  readonly query: URLSearchParams;
  readonly target: Target;
  readonly text: string;
  readonly contentType: string;
}

async function run(resources: Resources<string>, call: Call<string>, request: Request_): Promise<Response> {
  const { verb, query, target, text, contentType } = request;
  const body = { bytes: Buffer.from(text), contentType };
  const options = writeOptions(query, 'test', 'update');
  switch (verb) {
    case 'get': {
      const read = { resourceVersion: query.get('resourceVersion') ?? '', resourceVersionMatch: '' };
      return json(200, (await resources.get(call, target, read)).object);
    }
    case 'list': {
      const list = await resources.list(call, target, listOptions(query));
      const items = list.items.map(({ object }) => object);
      return json(200, { metadata: { resourceVersion: list.resourceVersion }, items });
    }
    case 'create': {
      const made = await resources.create(call, target, body, options);
      return json(made.code, made.object);
    }
    case 'update':
      return json(200, (await resources.update(call, target, body, options)).object);
    case 'patch':
      return json(200, (await resources.patch(call, target, patchTypes[contentType] ?? 'merge', body, options)).object);
    case 'delete':
      return json(200, (await resources.delete(call, target, body, options)).object);
    case 'deletecollection': {
      const gone = await resources.deleteCollection(call, target, body, listOptions(query), options);
      return json(200, { metadata: {}, items: gone.items.map(({ object }) => object) });
    }
    default:
      throw new StatusError('MethodNotAllowed', verb);
  }
}

function document(kinds: Kinds, path: string): unknown {
  if (path === '/apis') return groupList(kinds.all());
  const found = resourceList(kinds.all(), path.replace(/^\/apis?\//, ''));
  if (found === undefined) throw new StatusError('NotFound', path);
  return found;
}

function json(code: number, value: unknown): Response {
  return new Response(JSON.stringify(value), { status: code, headers: { 'content-type': 'application/json' } });
}

function events(items: AsyncIterable<WatchItem>, moved: () => void): ReadableStream<Uint8Array> {
  const iterator = items[Symbol.asyncIterator]();
  const line = (value: object): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);
  return new ReadableStream({
    pull: async (controller) => {
      try {
        const next = await iterator.next();
        moved();
        if (next.done === true) controller.close();
        else if (next.value.type !== 'BOOKMARK')
          controller.enqueue(line({ type: next.value.type, object: next.value.stored.object }));
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
        controller.enqueue(line({ type: 'ERROR', object: toStatus(error) }));
        controller.close();
      }
    },
    cancel: async () => {
      await iterator.return?.();
    },
  });
}
