import { afterEach, describe, expect, test } from 'vitest';
import { unavailable } from '../../../src/api/status.ts';
import type { ConfigMap } from '../../../src/api/types/core.ts';
import { startInformer } from '../../../src/core/cluster/informer.ts';
import type { Informer } from '../../../src/core/cluster/informer.ts';
import { configMaps } from '../../../src/core/cluster/resource-ref.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { testCluster } from '../../support/cluster.ts';
import type { TestCluster } from '../../support/cluster.ts';

interface Followed extends TestCluster {
  readonly informer: Informer<ConfigMap>;
  /** What the informer told: `+name=value` new, `name=value` changed, `-name` gone. */
  readonly told: string[];
  put(name: string, value: string): Promise<ConfigMap>;
  drop(name: string): Promise<void>;
  lists(): number;
  /** Name and value of every object in the copy. */
  copy(): Readonly<Record<string, string | undefined>>;
}

const ends: AbortController[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end.abort();
});

async function followed(before: Readonly<Record<string, string>> = {}): Promise<Followed> {
  const cluster = await testCluster();
  const at = (name: string): { namespace: string; name: string } => ({ namespace: 'default', name });
  const put = async (name: string, value: string): Promise<ConfigMap> => {
    const data = { value };
    const { items } = await cluster.admin.list(configMaps, { namespace: 'default' });
    if (items.some(({ metadata }) => metadata.name === name)) {
      return cluster.admin.patch(configMaps, at(name), { kind: 'merge', body: { data } });
    }
    return cluster.admin.create(configMaps, { metadata: at(name), data });
  };
  for (const [name, value] of Object.entries(before)) await put(name, value);
  const end = new AbortController();
  ends.push(end);
  const informer = startInformer({
    client: cluster.client('follower'),
    of: configMaps,
    indexes: { value: ({ data }) => (data?.['value'] === undefined ? [] : [data['value']]) },
    clock: cluster.clock,
    log: silentLogger,
    signal: end.signal,
  });
  const told: string[] = [];
  informer.onChange((event) => {
    if (event.kind === 'deleted') told.push(`-${event.previous.metadata.name}`);
    else {
      const { metadata, data } = event.object;
      told.push(`${event.previous === undefined ? '+' : ''}${metadata.name}=${data?.['value']}`);
    }
  });
  await cluster.settle();
  return {
    ...cluster,
    informer,
    told,
    put,
    drop: async (name) => {
      await cluster.admin.delete(configMaps, at(name));
    },
    lists: () => cluster.seen.filter(({ userAgent }) => userAgent === 'follower').length,
    copy: () =>
      Object.fromEntries(informer.list('default').map(({ metadata, data }) => [metadata.name, data?.['value']])),
  };
}

/** Cuts the watch, runs `meanwhile` while none can be opened, and lets the informer go on. */
async function whileAway(f: Followed, meanwhile: () => Promise<unknown>): Promise<void> {
  f.fault.before = ({ userAgent }) => {
    if (userAgent === 'follower') throw unavailable('restarting');
  };
  f.cutWatches();
  await f.advance(1_000);
  await meanwhile();
  f.fault.before = undefined;
  await f.advance(20_000);
}

describe('informer', () => {
  test('keeps no managedFields, which nobody here reads, and an update from the copy leaves them alone', async () => {
    const f = await followed({ a: '1' });
    const [copy] = f.informer.list('default');
    expect(copy?.metadata.name).toBe('a');
    expect(copy?.metadata.managedFields).toBeUndefined();
    expect((await f.put('a', '2')).metadata.managedFields).toHaveLength(1);
  });

  test('tells of each change once, after its copy has taken it', async () => {
    const f = await followed({ a: '1' });
    const copies: unknown[] = [];
    f.informer.onChange(() => copies.push(f.copy()));
    await f.put('b', '1');
    await f.put('b', '2');
    await f.drop('a');
    await f.settle();
    expect(f.told).toEqual(['+a=1', '+b=1', 'b=2', '-a']);
    expect(copies.at(-1)).toEqual({ b: '2' });
    expect(f.lists()).toBe(1);
  });

  test('a watch that was cut goes on where it was: nothing missed, nothing twice, no second list', async () => {
    const f = await followed({ a: '1', b: '1' });
    f.told.length = 0;
    await whileAway(f, async () => {
      await f.put('a', '2');
      await f.put('a', '3');
      await f.put('c', '1');
      await f.drop('b');
    });
    expect(f.told).toEqual(['a=2', 'a=3', '+c=1', '-b']);
    expect(f.copy()).toEqual({ a: '3', c: '1' });
    expect(f.lists()).toBe(1);
  });

  test('when the history it needs is gone (410) it lists anew and tells only of what differs', async () => {
    const f = await followed({ same: '1', changed: '1', gone: '1' });
    f.told.length = 0;
    await whileAway(f, async () => {
      await f.put('changed', '2');
      await f.put('changed', '3');
      await f.drop('gone');
      await f.put('fresh', '1');
      await f.put('short', '1');
      await f.drop('short');
      f.store.compact(f.store.revision());
    });
    expect(f.told.toSorted()).toEqual(['+fresh=1', '-gone', 'changed=3']);
    expect(f.copy()).toEqual({ same: '1', changed: '3', fresh: '1' });
    expect(f.lists()).toBe(2);
    await f.put('same', '2');
    await f.settle();
    expect(f.told.at(-1)).toBe('same=2');
  });

  test('an object that was replaced by one of the same name while it looked away is one that went and one that came', async () => {
    const f = await followed({ a: '1' });
    f.told.length = 0;
    await whileAway(f, async () => {
      await f.drop('a');
      await f.put('a', '2');
      f.store.compact(f.store.revision());
    });
    expect(f.told).toEqual(['-a', '+a=2']);
    expect(f.informer.byIndex('value', '1')).toEqual([]);
  });

  test('listeners of a new list see all of it at once', async () => {
    const f = await followed({ a: '1', b: '1' });
    const sizes: number[] = [];
    f.informer.onChange(() => sizes.push(f.informer.list('default').length));
    await whileAway(f, async () => {
      await f.put('c', '1');
      await f.put('d', '1');
      f.store.compact(f.store.revision());
    });
    expect(sizes).toEqual([4, 4]);
  });

  test('hasSeen holds for a write from when its change is in the copy, and for every older one', async () => {
    const f = await followed({ a: '1' });
    const before = await f.admin.get(configMaps, { namespace: 'default', name: 'a' });
    expect(f.informer.hasSeen(undefined)).toBe(true);
    expect(f.informer.hasSeen(before.metadata.resourceVersion)).toBe(true);
    let written = before;
    await whileAway(f, async () => {
      written = await f.put('a', '2');
      await f.settle();
      expect(f.informer.hasSeen(written.metadata.resourceVersion)).toBe(false);
    });
    expect(f.informer.hasSeen(written.metadata.resourceVersion)).toBe(true);
    expect(f.informer.hasSeen(before.metadata.resourceVersion)).toBe(true);
    expect(f.informer.hasSeen('999999999999999999999')).toBe(false);
  });

  test('before its first list it has seen nothing, and whenSynced rejects when it is not waited for any more', async () => {
    const cluster = await testCluster();
    cluster.fault.before = () => {
      throw unavailable('not yet up');
    };
    const end = new AbortController();
    ends.push(end);
    const { clock } = cluster;
    const options = { client: cluster.admin, of: configMaps, clock, log: silentLogger, signal: end.signal };
    const informer = startInformer(options);
    await cluster.advance(30_000);
    expect(informer.synced()).toBe(false);
    expect(informer.hasSeen('1')).toBe(false);
    const wait = new AbortController();
    const waiting = informer.whenSynced(wait.signal);
    wait.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    cluster.fault.before = undefined;
    const synced = informer.whenSynced(end.signal);
    await cluster.advance(10_000);
    await expect(synced).resolves.toBeUndefined();
  });

  test('a server in trouble is asked ever more seldom, but at least every ten seconds', async () => {
    const f = await followed();
    let asked = 0;
    f.fault.before = ({ userAgent }) => {
      if (userAgent !== 'follower') return;
      asked++;
      throw unavailable('in trouble');
    };
    f.cutWatches();
    await f.advance(10_000);
    expect(asked).toBeLessThan(10);
    asked = 0;
    await f.advance(100_000);
    expect(asked).toBeGreaterThanOrEqual(9);
    expect(asked).toBeLessThanOrEqual(11);
  });

  test('an index follows the objects, and an unknown index is a mistake', async () => {
    const f = await followed({ a: '1', b: '1' });
    const names = (value: string): readonly string[] =>
      f.informer.byIndex('value', value).map(({ metadata }) => metadata.name);
    expect([...names('1')].toSorted()).toEqual(['a', 'b']);
    await f.put('a', '2');
    await f.drop('b');
    await f.settle();
    expect(names('1')).toEqual([]);
    expect(names('2')).toEqual(['a']);
    expect(() => f.informer.byIndex('nonesuch', '1')).toThrow('no index');
  });

  test('a listener that fails keeps neither the others nor the copy from going on; one that left hears no more', async () => {
    const f = await followed();
    const heard: string[] = [];
    f.informer.onChange(() => {
      throw new Error('a bug');
    });
    const leave = f.informer.onChange(() => heard.push('x'));
    await f.put('a', '1');
    await f.settle();
    leave();
    await f.put('a', '2');
    await f.settle();
    expect(heard).toEqual(['x']);
    expect(f.copy()).toEqual({ a: '2' });
  });
});
