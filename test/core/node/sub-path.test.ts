import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { VolumeMount } from '../../../src/api/types/core.ts';
import { makeSubPath, subPathOf } from '../../../src/core/node/sub-path.ts';

describe('what a mount asks for', () => {
  const env = new Map([
    ['POD', 'web-0'],
    ['UP', '../x'],
  ]);
  const mountOf = (more: Partial<VolumeMount>): VolumeMount => ({ name: 'v', mountPath: '/data', ...more });

  test.for<readonly [string, Partial<VolumeMount>, string]>([
    ['nothing is the whole', {}, ''],
    ['a folder', { subPath: 'a/b' }, 'a/b'],
    ['needless parts are left out', { subPath: './a//b/' }, 'a/b'],
    ['the value of a variable', { subPathExpr: 'logs/$(POD)' }, 'logs/web-0'],
    ['two dollars are one', { subPathExpr: '$$(POD)' }, '$(POD)'],
  ])('%s', ([, mount, path]) => {
    expect(subPathOf(mountOf(mount), env)).toBe(path);
  });

  test.for<readonly [string, Partial<VolumeMount>, RegExp]>([
    ['a variable that is not set', { subPathExpr: '$(NONE)' }, /no value for NONE/],
    ['a value that leads out', { subPathExpr: '$(UP)' }, /contains \.\./],
    ['an absolute path', { subPath: '/etc' }, /is not relative/],
    ['a path that climbs', { subPath: 'a/../../b' }, /contains \.\./],
  ])('%s is refused', ([, mount, message]) => {
    expect(() => subPathOf(mountOf(mount), env)).toThrow(message);
  });
});

describe('the folders of a part', () => {
  let folder: string;
  const volume = (live = false) => ({ name: 'v', hostPath: join(folder, 'v'), live, owner: undefined });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-part-'));
    await mkdir(join(folder, 'v'));
    await mkdir(join(folder, 'host'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('are made where they are missing, for everyone', async () => {
    await makeSubPath(volume(), 'a/b');
    await makeSubPath(volume(), 'a/b');
    expect((await stat(join(folder, 'v/a/b'))).mode & 0o7777).toBe(0o777);
  });

  test('are never made through a link, nor in what shows objects, and a file is left alone', async () => {
    await symlink(join(folder, 'host'), join(folder, 'v/way'));
    await writeFile(join(folder, 'v/file'), 'x');
    await makeSubPath(volume(), 'way/in');
    await makeSubPath(volume(), 'file');
    await expect(makeSubPath(volume(true), 'key')).rejects.toMatchObject({ reason: 'CreateContainerConfigError' });
    expect([await readdir(join(folder, 'host')), (await readdir(join(folder, 'v'))).toSorted()]).toEqual([
      [],
      ['file', 'way'],
    ]);
  });
});
