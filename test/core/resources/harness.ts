/** The registry over a store in memory, with a clock that a test moves, and short ways to ask it. */
import { Buffer } from 'node:buffer';
import type { KubeObject } from '../../../src/api/meta.ts';
import { findType } from '../../../src/api/schema/kinds.ts';
import { followKinds } from '../../../src/core/resources/custom/kinds.ts';
import type { RuleValidator } from '../../../src/core/resources/custom/rules.ts';
import type { ServedKinds } from '../../../src/core/resources/custom/kinds.ts';
import { createResources } from '../../../src/core/resources/registry.ts';
import type {
  Body,
  Call,
  ListOptions,
  PatchType,
  Resources,
  Target,
  WatchItem,
  WatchOptions,
  WriteOptions,
} from '../../../src/core/resources/resources.ts';
import type { Guard } from '../../../src/core/resources/writer.ts';
import type { Clock } from '../../../src/std/clock.ts';
import type { MemoryStore } from '../../support/memory-store.ts';
import { memoryStore } from '../../support/memory-store.ts';

export const noList: ListOptions = {
  resourceVersion: '',
  resourceVersionMatch: '',
  labelSelector: '',
  fieldSelector: '',
  limit: 0,
  continue: '',
};

export const noWatch: WatchOptions = {
  ...noList,
  allowWatchBookmarks: false,
  sendInitialEvents: undefined,
  timeoutSeconds: undefined,
};

export const plainWrite: WriteOptions = {
  dryRun: false,
  fieldManager: 'test',
  fieldValidation: 'Strict',
  force: false,
};

/** `pods/NAME/status` in namespace `default`, `apps/v1/deployments` and the like, to a target. */
export function target(path: string, namespace = 'default'): Target {
  const parts = path.split('/');
  const hasGroup =
    (parts[0] ?? '').includes('.') || ['apps', 'batch', 'policy', 'autoscaling'].includes(parts[0] ?? '');
  const [group = '', version = ''] = hasGroup ? parts.splice(0, 2) : ['', 'v1'];
  const [resource = '', name = '', subresource = ''] = parts;
  const isCluster = findType(group, version, resource)?.namespaced === false;
  return { group, version, resource, subresource, namespace: isCluster ? '' : namespace, name };
}

export interface Harness {
  readonly store: MemoryStore<string>;
  readonly resources: Resources<string>;
  readonly kinds: ServedKinds;
  readonly warnings: string[];
  /** What was noted in the audit event, of all calls. */
  readonly annotations: ReadonlyMap<string, string>;
  readonly call: Call<string>;
  /** Calls as another user. */
  as(name: string, ...groups: readonly string[]): Call<string>;
  advance(ms: number): void;
  create(path: string, object: object, options?: Partial<WriteOptions>, namespace?: string): Promise<KubeObject>;
  update(path: string, object: object, options?: Partial<WriteOptions>): Promise<KubeObject>;
  patch(path: string, type: PatchType, patch: unknown, options?: Partial<WriteOptions>): Promise<KubeObject>;
  get(path: string, namespace?: string): Promise<KubeObject>;
  remove(path: string, options?: object, write?: Partial<WriteOptions>): Promise<KubeObject>;
  watch(path: string, options: Partial<WatchOptions>, count: number): Promise<readonly WatchItem[]>;
}

export function body(value: unknown): Body {
  return { bytes: Buffer.from(JSON.stringify(value)), contentType: 'application/json' };
}

/** With namespace default and its service account, unless `bare`. */
export async function harness(
  options: {
    readonly guards?: readonly Guard<string>[];
    readonly allowed?: boolean;
    readonly rules?: RuleValidator;
  } = {},
): Promise<Harness> {
  const store = memoryStore<string>();
  let now = Date.parse('2026-01-01T00:00:00Z');
  let ids = 0;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async () => {},
    after: (ms, run) => {
      if (ms === 0) run();
      return () => {};
    },
  };
  const kinds = await followKinds(store);
  const resources = createResources<string>({
    kinds,
    store,
    clock,
    random: (count) => Uint8Array.from({ length: count }, () => (ids * 7 + count) % 256),
    uid: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
    guards: options.guards ?? [],
    ...(options.rules === undefined ? {} : { rules: options.rules }),
  });
  const warnings: string[] = [];
  const annotations = new Map<string, string>();
  const call: Call<string> = {
    user: { name: 'admin', uid: '', groups: ['system:masters'], extra: {} },
    signal: new AbortController().signal,
    warn: (text) => void warnings.push(text),
    record: ({ code, revision }) => [`${code}@${revision}`],
    annotate: (key, value) => void annotations.set(key, value),
    requestObject: () => {},
    allowed: async () => options.allowed ?? true,
  };
  const h: Harness = {
    store,
    resources,
    kinds,
    warnings,
    annotations,
    call,
    as: (name, ...groups) => ({ ...call, user: { name, uid: '', groups, extra: {} } }),
    advance: (ms) => {
      now += ms;
    },
    create: async (path, object, more = {}, namespace = 'default') =>
      (await resources.create(call, target(path, namespace), body(object), { ...plainWrite, ...more })).object,
    update: async (path, object, more = {}) =>
      (await resources.update(call, target(path), body(object), { ...plainWrite, ...more })).object,
    patch: async (path, type, patch, more = {}) =>
      (await resources.patch(call, target(path), type, body(patch), { ...plainWrite, ...more })).object,
    get: async (path, namespace = 'default') =>
      (await resources.get(call, target(path, namespace), { resourceVersion: '', resourceVersionMatch: '' })).object,
    remove: async (path, remove, more = {}) =>
      (
        await resources.delete(
          call,
          target(path),
          remove === undefined
            ? { bytes: Buffer.alloc(0), contentType: '' }
            : body({ apiVersion: 'v1', kind: 'DeleteOptions', ...remove }),
          { ...plainWrite, ...more },
        )
      ).object,
    watch: async (path, more, count) => {
      const items: WatchItem[] = [];
      const ended = new AbortController();
      const watching = { ...call, signal: ended.signal };
      for await (const item of resources.watch(watching, target(path), { ...noWatch, ...more })) {
        items.push(item);
        if (items.length === count) ended.abort();
      }
      return items;
    },
  };
  await h.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }, {}, '');
  await h.create('serviceaccounts', { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } });
  return h;
}

export const configMap = (name: string, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { a: '1' },
  ...more,
});

export const pod = (name: string, spec: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'img' }], ...spec },
});

export const service = (name: string, spec: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { ports: [{ port: 80 }], ...spec },
});

export const deployment = (name: string, spec: object = {}): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'img' }] } },
    ...spec,
  },
});
