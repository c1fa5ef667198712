import {
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { moveToRange } from '../../../src/core/node/volume-ids.ts';
import { prepareVolumes } from '../../../src/core/node/volumes.ts';
import type { VolumeSources } from '../../../src/core/node/volumes.ts';
import { needs } from '../../support/needs.ts';
import { podOf } from './pod-view.ts';

const can = needs('giving files to other ids', ['root'], 'run as root (an ordinary user has one id)');

const sources: VolumeSources = {
  configMapBytes: async () => undefined,
  secretBytes: async () => new Map([['key', Buffer.from('hidden')]]),
  configMap: async () => undefined,
  secret: async () => undefined,
  services: [],
  podAddress: undefined,
  hostAddress: '192.0.2.1',
  allocatable: { cpu: '1', memory: '1Gi' },
  token: async () => 'token',
};

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-ids-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe.runIf(can)('ids of files in volumes', () => {
  test('what belongs to the range before moves to the new one, nothing else does, and no link is followed', async () => {
    const folder = newFolder();
    const [note, volume, outside] = [join(folder, 'note'), join(folder, 'v'), join(folder, 'outside')];
    mkdirSync(join(volume, 'deep'), { recursive: true });
    for (const path of [join(volume, 'deep/file'), join(volume, 'others'), outside]) writeFileSync(path, '');
    symlinkSync(outside, join(volume, 'link'));
    await moveToRange(note, [volume], 100_000);
    chownSync(join(volume, 'deep/file'), 101_000, 102_000);
    chownSync(outside, 101_000, 101_000);
    lchownSync(join(volume, 'link'), 101_000, 101_000);
    for (let times = 0; times < 2; times++) await moveToRange(note, [volume], 300_000);
    const ids = (path: string): readonly number[] => [lstatSync(path).uid, lstatSync(path).gid];
    expect(ids(join(volume, 'deep/file'))).toEqual([301_000, 302_000]);
    expect(ids(join(volume, 'link'))).toEqual([301_000, 301_000]);
    expect([ids(join(volume, 'others')), ids(outside)]).toEqual([
      [0, 0],
      [101_000, 101_000],
    ]);
  });

  test("a secret is its pod's also after the pod got other ids; with an fsGroup the group may read it", async () => {
    const folder = newFolder();
    const pod = podOf({ volumes: [{ name: 's', secret: { secretName: 's', defaultMode: 0o400 } }] });
    const file = join(folder, 's/key');
    const owner = { offset: 100_000, uid: 101_000, gid: 101_000, groupReads: false };
    await prepareVolumes(pod, folder, owner, sources);
    expect([statSync(file).uid, statSync(file).mode & 0o777]).toEqual([101_000, 0o400]);
    await prepareVolumes(
      pod,
      folder,
      { ...owner, offset: 300_000, uid: 301_000, gid: 302_000, groupReads: true },
      sources,
    );
    expect([statSync(file).uid, statSync(file).gid, statSync(file).mode & 0o777]).toEqual([301_000, 302_000, 0o440]);
  });
});
