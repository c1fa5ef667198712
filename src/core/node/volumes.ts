/**
 * Volumes as folders under the pod's own folder, bound into its containers. Contents of config maps, secrets, tokens
 * and the downward API are written whole into a folder of their own, and `..data` is switched to it in one rename, so
 * that a reader never sees half an update.
 */
import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { KeyToPath, Pod, Volume } from '../../api/types/core.ts';
import type { EnvironmentSources } from './environment.ts';
import { fieldValue, resourceValue } from './environment.ts';
import { RuntimeError } from './runtimes/runtime.ts';
import { moveToRange } from './volume-ids.ts';
import type { VolumeOwner } from './volume-owner.ts';

/** A file of a volume: path below the mount, bytes, permission bits. */
export interface VolumeFile {
  readonly path: string;
  readonly data: Buffer;
  readonly mode: number;
}

export interface VolumeSources extends EnvironmentSources {
  /** Like `configMap` and `secret`, with the bytes as they are. */
  readonly configMapBytes: (name: string) => Promise<ReadonlyMap<string, Buffer> | undefined>;
  readonly secretBytes: (name: string) => Promise<ReadonlyMap<string, Buffer> | undefined>;
  /** A token of the pod's service account for `audience` ('' is the gateway's own). */
  readonly token: (audience: string, expirationSeconds: number) => Promise<string>;
}

export interface PreparedVolume {
  readonly name: string;
  readonly hostPath: string;
  /** Its contents change with the objects they come from. */
  readonly live: boolean;
  readonly owner: VolumeOwner | undefined;
}

const defaultMode = 0o644;

/** Makes every volume of `pod` under `folder`, or brings it up to date. */
export async function prepareVolumes(
  pod: Pod,
  folder: string,
  owner: VolumeOwner | undefined,
  sources: VolumeSources,
): Promise<readonly PreparedVolume[]> {
  const prepared: PreparedVolume[] = [];
  if (owner !== undefined) {
    const kept = (pod.spec.volumes ?? []).filter(({ emptyDir }) => emptyDir !== undefined);
    const folders = kept.map(({ name }) => join(folder, name)).filter((path) => existsSync(path));
    await moveToRange(join(folder, '.ids'), folders, owner.offset); // no volume has such a name
  }
  for (const volume of pod.spec.volumes ?? []) {
    const hostPath = join(folder, volume.name);
    const isNew = (await mkdir(hostPath, { recursive: true, mode: 0o755 })) !== undefined;
    if (volume.emptyDir !== undefined) {
      // What its users made of it later stays.
      if (isNew && owner !== undefined) await chown(hostPath, owner.uid, owner.gid);
      if (isNew) await chmod(hostPath, owner?.groupReads === true ? 0o2777 : 0o777);
      prepared.push({ name: volume.name, hostPath, live: false, owner });
      continue;
    }
    await project(hostPath, await volumeFiles(pod, volume, sources), owner);
    prepared.push({ name: volume.name, hostPath, live: true, owner });
  }
  return prepared;
}

/** The files of a volume that shows objects. Throws RuntimeError for what is missing or not to be had here. */
export async function volumeFiles(pod: Pod, volume: Volume, sources: VolumeSources): Promise<readonly VolumeFile[]> {
  if (volume.configMap !== undefined) {
    return fromObject('configmap', sources.configMapBytes, { mode: volume.configMap.defaultMode, ...volume.configMap });
  }
  if (volume.secret !== undefined) {
    const { secretName: name, ...rest } = volume.secret;
    return fromObject('secret', sources.secretBytes, {
      mode: rest.defaultMode,
      ...rest,
      ...(name === undefined ? {} : { name }),
    });
  }
  if (volume.downwardAPI !== undefined) {
    const { items = [], defaultMode: mode } = volume.downwardAPI;
    return items.map((item) => downwardFile(pod, item, item.mode ?? mode ?? defaultMode, sources));
  }
  if (volume.projected !== undefined) {
    const mode = volume.projected.defaultMode;
    const files: VolumeFile[] = [];
    for (const source of volume.projected.sources ?? []) {
      if (source.configMap !== undefined)
        files.push(...(await fromObject('configmap', sources.configMapBytes, { mode, ...source.configMap })));
      if (source.secret !== undefined)
        files.push(...(await fromObject('secret', sources.secretBytes, { mode, ...source.secret })));
      for (const item of source.downwardAPI?.items ?? []) {
        files.push(downwardFile(pod, item, item.mode ?? mode ?? defaultMode, sources));
      }
      if (source.serviceAccountToken !== undefined) {
        const { audience = '', expirationSeconds = 3600, path } = source.serviceAccountToken;
        const token = await sources.token(audience, expirationSeconds);
        files.push({ path, data: Buffer.from(token, 'utf8'), mode: mode ?? defaultMode });
      }
    }
    return files;
  }
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
  throw new RuntimeError(
    'Unsupported',
    `volume ${volume.name}: this node has no ${kind} volumes; it has emptyDir, configMap, secret, projected and downwardAPI`,
  );
}

interface ObjectSource {
  readonly name?: string;
  readonly items?: readonly KeyToPath[];
  readonly optional?: boolean;
  readonly mode?: number | undefined;
}

async function fromObject(
  kind: string,
  read: VolumeSources['secretBytes'],
  { name = '', items, optional, mode = defaultMode }: ObjectSource,
): Promise<readonly VolumeFile[]> {
  const values = await read(name);
  if (values === undefined) {
    if (optional === true) return [];
    throw new RuntimeError('FailedMount', `${kind} "${name}" not found`);
  }
  if (items === undefined || items.length === 0) return [...values].map(([path, data]) => ({ path, data, mode }));
  return items.flatMap((item) => {
    const data = values.get(item.key);
    if (data !== undefined) return [{ path: item.path, data, mode: item.mode ?? mode }];
    if (optional === true) return [];
    throw new RuntimeError('FailedMount', `${kind} "${name}" has no key "${item.key}"`);
  });
}

function downwardFile(
  pod: Pod,
  item: {
    readonly path: string;
    readonly fieldRef?: { readonly fieldPath: string };
    readonly resourceFieldRef?: {
      readonly containerName?: string;
      readonly resource: string;
      readonly divisor?: string;
    };
  },
  mode: number,
  sources: VolumeSources,
): VolumeFile {
  const { fieldRef, resourceFieldRef: of } = item;
  const container = pod.spec.containers.find(({ name }) => name === of?.containerName);
  const value =
    fieldRef === undefined
      ? resourceValue(container, of?.resource ?? '', of?.divisor, sources.allocatable)
      : fieldValue(pod, fieldRef.fieldPath, sources);
  if (value === undefined) throw new RuntimeError('FailedMount', `downwardAPI: nothing is known for ${item.path}`);
  return { path: item.path, data: Buffer.from(value, 'utf8'), mode };
}

/** Shows `files` in `folder`, all at once. Does nothing when they are there already. */
async function project(folder: string, files: readonly VolumeFile[], owner: VolumeOwner | undefined): Promise<void> {
  const stamp = `..${fingerprint(files, owner)}`;
  const current = await readlink(join(folder, '..data')).catch(() => undefined);
  const links = new Set(files.map(({ path }) => path.split('/')[0] ?? ''));
  if (current === stamp) return showLinks(folder, links);
  const data = join(folder, stamp);
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { mode: 0o755 });
  for (const { path, data: bytes, mode } of files) {
    const file = join(data, path); // admission has refused absolute paths and '..'
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, bytes, { mode: 0o600 });
    if (owner !== undefined) await chown(file, owner.uid, owner.gid);
    await chmod(file, owner?.groupReads === true ? mode | 0o440 : mode);
  }
  await rm(join(folder, '..new'), { force: true }); // left by an agent that died here
  await symlink(stamp, join(folder, '..new'));
  await rename(join(folder, '..new'), join(folder, '..data'));
  await showLinks(folder, links);
  if (current !== undefined) await rm(join(folder, current), { recursive: true, force: true });
}

/** The names at the top of the volume: what is new appears, what is no more goes. */
async function showLinks(folder: string, names: ReadonlySet<string>): Promise<void> {
  const there = new Set((await readdir(folder)).filter((name) => !name.startsWith('..')));
  for (const name of names) if (!there.has(name)) await symlink(join('..data', name), join(folder, name));
  for (const name of there) if (!names.has(name)) await rm(join(folder, name), { force: true });
}

function fingerprint(files: readonly VolumeFile[], owner: VolumeOwner | undefined): string {
  const hash = createHash('sha256').update(JSON.stringify(owner ?? {}));
  for (const { path, data, mode } of files) hash.update(JSON.stringify([path, mode, data.length])).update(data);
  return hash.digest('hex').slice(0, 16);
}
