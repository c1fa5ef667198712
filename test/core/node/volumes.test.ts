import { mkdtemp, readFile, readdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Volume } from '../../../src/api/types/core.ts';
import { prepareVolumes } from '../../../src/core/node/volumes.ts';
import type { VolumeSources } from '../../../src/core/node/volumes.ts';
import { podOf } from './pod-view.ts';

let folder: string;
let data: Record<string, string> | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-volumes-'));
  data = { a: '1', b: '2' };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const bytes = async (): Promise<ReadonlyMap<string, Buffer> | undefined> =>
  data === undefined ? undefined : new Map(Object.entries(data).map(([key, value]) => [key, Buffer.from(value)]));
const sources: VolumeSources = {
  configMapBytes: bytes,
  secretBytes: bytes,
  configMap: async () => undefined,
  secret: async () => undefined,
  services: [],
  podAddress: undefined,
  hostAddress: '192.0.2.1',
  allocatable: { cpu: '1', memory: '1Gi' },
  token: async (audience, seconds) => `token for ${audience} of ${seconds}`,
};
const prepare = (volume: Volume): Promise<unknown> =>
  prepareVolumes(podOf({ volumes: [volume] }), folder, undefined, sources);
const settings: Volume = { name: 'v', configMap: { name: 'settings' } };
const show = (name: string): Promise<string> => readFile(join(folder, 'v', name), 'utf8');

describe('volumes', () => {
  test('keys of a config map are files behind ..data', async () => {
    await prepare(settings);
    expect([await show('a'), await show('b')]).toEqual(['1', '2']);
    expect(await readlink(join(folder, 'v', 'a'))).toBe('..data/a');
  });

  test('an update switches ..data at once; new keys appear, old ones go, nothing is left behind', async () => {
    await prepare(settings);
    const before = await readlink(join(folder, 'v', '..data'));
    data = { b: '3', c: '4' };
    await prepare(settings);
    expect([await show('b'), await show('c')]).toEqual(['3', '4']);
    const after = await readlink(join(folder, 'v', '..data'));
    expect(after).not.toBe(before);
    expect((await readdir(join(folder, 'v'))).toSorted((x, y) => (x < y ? -1 : 1))).toEqual(
      [after, '..data', 'b', 'c'].toSorted((x, y) => (x < y ? -1 : 1)),
    );
  });

  test('an agent that died in the middle of an update is no obstacle', async () => {
    await prepare(settings);
    await symlink('nowhere', join(folder, 'v', '..new'));
    await rm(join(folder, 'v', 'a'));
    await prepare(settings);
    data = { a: '5' };
    await prepare(settings);
    expect(await show('a')).toBe('5');
  });

  test('items choose keys, paths and modes', async () => {
    await prepare({
      name: 'v',
      secret: {
        secretName: 's',
        defaultMode: 0o400,
        items: [
          { key: 'a', path: 'x/y', mode: 0o440 },
          { key: 'b', path: 'z' },
        ],
      },
    });
    expect([
      (await stat(join(folder, 'v', 'x/y'))).mode & 0o777,
      (await stat(join(folder, 'v', 'z'))).mode & 0o777,
    ]).toEqual([0o440, 0o400]);
  });

  test('a projected volume shows token, config map and downward API together', async () => {
    await prepare({
      name: 'v',
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'a', path: 'ca.crt' }] } },
          { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
        ],
      },
    });
    expect([await show('token'), await show('ca.crt'), await show('namespace')]).toEqual([
      'token for  of 3607',
      '1',
      'default',
    ]);
  });

  test('what is missing is a FailedMount, unless it is optional', async () => {
    data = undefined;
    await expect(prepare(settings)).rejects.toMatchObject({
      reason: 'FailedMount',
      message: 'configmap "settings" not found',
    });
    await prepare({ name: 'v', configMap: { name: 'settings', optional: true } });
    expect((await readdir(join(folder, 'v'))).filter((name) => !name.startsWith('..'))).toEqual([]);
  });

  test('a volume of a kind that this node has not is refused in words', async () => {
    await expect(prepare({ name: 'v', hostPath: { path: '/' } })).rejects.toMatchObject({ reason: 'Unsupported' });
  });
});
