/** What the scheduler's tests are made of: a clock that is moved by hand, and a cluster client without a gateway. */
import type { Node, Pod } from '../../../src/api/types/core.ts';
import type { ClusterClient, WatchEvent } from '../../../src/core/cluster/client.ts';
import type { ClusterObject, ResourceRef } from '../../../src/core/cluster/resource-ref.ts';
import type { Clock } from '../../../src/std/clock.ts';
import { body, noList, noWatch, plainWrite } from '../resources/harness.ts';
import type { Harness } from '../resources/harness.ts';

export interface TestClock extends Clock {
  /** Lets `ms` pass: what was to be called by then is called, in order of its time. */
  advance(ms: number): void;
}

export function testClock(): TestClock {
  let now = Date.parse('2026-01-01T00:00:00Z');
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: now + ms, run };
    timers.push(timer);
    return () => {
      timers = timers.filter((other) => other !== timer);
    };
  };
  return {
    now: () => now,
    monotonic: () => now,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        after(ms, resolve);
      }),
    advance: (ms) => {
      const end = now + ms;
      for (;;) {
        const [next] = timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        now = next.at;
        next.run();
      }
      now = end;
    },
  };
}

export const node = (name: string, more: { labels?: object; spec?: object; allocatable?: object } = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name, ...more.labels } },
  spec: { ...more.spec },
  status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110', ...more.allocatable } },
});

export const pod = (name: string, spec: object = {}, metadata: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', uid: `uid-${name}`, ...metadata },
  spec: { containers: [{ name: 'main', image: 'img' }], ...spec },
});

/** Container requests as a spec: `requests({ cpu: '1' })`. */
export const requests = (amounts: object): object => ({
  containers: [{ name: 'main', image: 'img', resources: { requests: amounts } }],
});

const unused = (): never => {
  throw new Error('the scheduler does not use this');
};

/** The part of a cluster client that the scheduler uses, straight onto the registry: binding and patching are the real ones. */
export function clientOf({ resources, call }: Harness): ClusterClient {
  const target = (
    of: ResourceRef,
    namespace = '',
    name = '',
    subresource = '',
  ): Parameters<typeof resources.get>[1] => ({
    group: of.group,
    version: of.version,
    resource: of.resource,
    namespace,
    name,
    subresource,
  });
  return {
    get: async (of, { namespace, name }) =>
      (await resources.get(call, target(of, namespace, name), { resourceVersion: '', resourceVersionMatch: '' }))
        .object as never,
    list: async (of, { namespace }) => {
      const list = await resources.list(call, target(of, namespace), noList);
      return { items: list.items.map(({ object }) => object) as never[], resourceVersion: list.resourceVersion };
    },
    watch: async function* <T extends ClusterObject>(
      of: ResourceRef<T>,
      {
        namespace,
        resourceVersion = '',
      }: { readonly namespace?: string | undefined; readonly resourceVersion?: string | undefined },
      signal: AbortSignal,
    ): AsyncIterable<WatchEvent<T>> {
      const watching = { ...call, signal };
      for await (const item of resources.watch(watching, target(of, namespace), { ...noWatch, resourceVersion })) {
        if (item.type === 'BOOKMARK') yield { type: 'BOOKMARK', resourceVersion: item.resourceVersion };
        else yield { type: item.type, object: item.stored.object as unknown as T };
      }
    },
    create: async (of, object) => {
      const typed = {
        apiVersion: of.group === '' ? of.version : `${of.group}/${of.version}`,
        kind: of.kind,
        ...object,
      };
      return (await resources.create(call, target(of, object.metadata.namespace), body(typed), plainWrite))
        .object as never;
    },
    patch: async (of, { namespace, name }, patch) =>
      (
        await resources.patch(
          call,
          target(of, namespace, name, patch.subresource),
          patch.kind,
          body(patch.body),
          plainWrite,
        )
      ).object as never,
    post: async (of, { namespace, name }, subresource, sent) =>
      (await resources.create(call, target(of, namespace, name, subresource), body(sent), plainWrite)).object,
    update: unused,
    delete: unused,
    deleteAll: unused,
    read: unused,
  };
}
