/** Starts one attempt: prepares its folder, spawns its shim (shim.ts), and waits until it runs or says why not. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmod, chown, lstat, mkdir, realpath, stat, writeFile } from 'node:fs/promises';
import type { Clock } from '../../../../std/clock.ts';
import type { ContainerSpec, Mount, Sandbox } from '../runtime.ts';
import { RuntimeError, containerId, defaultUser } from '../runtime.ts';
import type { Cgroups } from './cgroups.ts';
import { createGroup } from './cgroups.ts';
import { podLayer } from './layers.ts';
import { overlayRoot, part, planMounts, source } from './mounts.ts';
import { enterArgv } from './network.ts';
import { run, toolPath } from './run.ts';
import type { SharedBase } from './shared.ts';
import { sharedRoot } from './shared.ts';
import { assemble, init, initShared, outer, park, programFile, shim } from './shim.ts';
import type { Attempt } from './state.ts';
import { parseStat, podFolder, writeJson } from './state.ts';

/** What starting needs to know of the node. */
export interface StartHost {
  readonly state: string;
  /** What lies below a container's own files: as root layers over the host's root, else parts of it. */
  readonly base:
    | { readonly kind: 'root'; readonly mask: string; readonly shown: readonly string[] }
    | { readonly kind: 'shared'; readonly parts: SharedBase };
  readonly proc: {
    readonly readOnly: readonly string[];
    readonly folders: readonly string[];
    readonly files: readonly string[];
  };
  readonly cgroups: Cgroups;
  readonly setpriv: string;
  readonly clock: Clock;
}

/** From the shim's spawn to the container's program: far above the slowest seen (0.3 s on a busy machine). */
export const startDeadlineMs = 20_000;

/** Ids below this are mapped one to one; a single larger one stands at this place. */
const mappedIds = 65_535;

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs `spec` in `folder`, which must not exist. Returns the shim, which ends when the container has. */
export async function startAttempt(
  host: StartHost,
  sandbox: Sandbox,
  spec: ContainerSpec,
  folder: string,
): Promise<ChildProcess> {
  const user = spec.user ?? defaultUser;
  const group = spec.group ?? user;
  const shared = host.base.kind === 'shared';
  const maps = shared
    ? { uids: `${user} 0 1`, gids: `${group} 0 1` }
    : {
        uids: idMap(sandbox.idOffset, [user]),
        gids: idMap(sandbox.idOffset, [group, ...(spec.supplementalGroups ?? [])]),
      };
  const hasPath = spec.env.some(({ name }) => name === 'PATH');
  const attempt: Attempt = {
    sandbox: spec.sandbox,
    name: spec.name,
    attempt: spec.attempt,
    image: spec.image,
    workingDir: spec.workingDir ?? '/',
    env: hasPath ? spec.env : [{ name: 'PATH', value: defaultPath }, ...spec.env],
    drop: shared
      ? [...limitArgv(spec), ...dropArgv(host.setpriv, user, group, ['--keep-groups'])]
      : dropArgv(host.setpriv, user, group, otherGroups(spec.supplementalGroups ?? [])),
    ...(shared ? { user } : {}),
    createdAt: host.clock.now(),
  };
  await prepareFolder(host, sandbox, spec, attempt, folder, hostId(sandbox.idOffset, user));
  await writeJson(`${folder}/container.json`, attempt);
  const stdin = spec.stdin === true ? `${folder}/stdin` : '/dev/null';
  if (spec.stdin === true) await run(['mkfifo', '-m', '600', stdin]);
  const enter = [...enterArgv(`${podFolder(host.state, spec.sandbox)}/ns`, sandbox.spec.network), 'unshare', '--pid'];
  const shimArgs = [folder, maps.uids, maps.gids, shared ? initShared : init, park, assemble, stdin, ...attempt.drop];
  const argv = ['-c', outer, 'outer', folder, ...enter, 'sh', '-c', shim, 'shim', ...shimArgs];
  const child = spawn('/bin/sh', argv, {
    env: { PATH: toolPath, LC_ALL: 'C' },
    cwd: '/',
    detached: true, // a session of its own: what kills the agent's group does not reach it
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await running(child, spec.name);
  return child;
}

async function prepareFolder(
  host: StartHost,
  sandbox: Sandbox,
  spec: ContainerSpec,
  attempt: Attempt,
  folder: string,
  owner: number,
): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  await Promise.all(['root', 'work'].map((name) => mkdir(`${folder}/${name}`, { mode: 0o700 })));
  await mkdir(`${folder}/upper`, { mode: 0o755 });
  await chmod(`${folder}/upper`, 0o755); // the container's / itself: the umask must not close it
  await mkdir(`${folder}/upper/.gatehouse`, { mode: 0o700 });
  await Promise.all(['old', 'src', 'part'].map((name) => mkdir(`${folder}/upper/.gatehouse/${name}`, { mode: 0o700 })));
  const mounts = await Promise.all(spec.mounts.map((mount) => inspectMount(spec.name, mount)));
  for (const [index, mount] of mounts.entries()) {
    const target = `${folder}/upper${source(index)}`;
    const isPart = mount.subPath !== undefined;
    await (mount.isFile && !isPart ? writeFile(target, '') : mkdir(target));
    if (isPart)
      await (mount.isFile ? writeFile(`${folder}/upper${part(index)}`, '') : mkdir(`${folder}/upper${part(index)}`));
  }
  const podFiles = podLayer(host.state, sandbox.id);
  const { base } = host;
  const plan = planMounts({
    folder,
    base:
      base.kind === 'root'
        ? overlayRoot(folder, [podFiles, base.mask], base.shown)
        : await sharedRoot(base.parts, folder, podFiles, mounts),
    proc: host.proc,
    mounts,
    ...(base.kind === 'root' ? { ttyGroup: sandbox.idOffset + 5 } : {}),
  });
  const secret = { mode: 0o600 };
  await writeFile(`${folder}/fstab`, plan.outside, secret);
  await writeFile(`${folder}/upper/.gatehouse/fstab`, plan.inside, secret);
  await writeFile(`${folder}/upper/.gatehouse/files`, plan.files, secret);
  await writeFile(`${folder}/upper/.gatehouse/parts`, plan.parts, secret);
  await writeFile(
    `${folder}/program`,
    programFile([...spec.command, ...spec.args], attempt.env, attempt.workingDir),
    secret,
  );
  const groups = await createGroup(host.cgroups, containerId(spec.sandbox, spec.name, spec.attempt), spec.limits);
  await writeFile(`${folder}/cgroups`, groups.map((path) => `${path}\n`).join(''), secret);
  for (const stream of ['stdout', 'stderr']) {
    await writeFile(`${folder}/${stream}`, '', secret);
    if (base.kind === 'root') await chown(`${folder}/${stream}`, owner, owner); // so that /dev/stdout can be opened by name inside
  }
}

/** Resolves once the shim says `started`, rejects with StartFailed when it does not. Its complaint goes into the error's cause: it names paths of the host. */
export function running(child: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    let complaint = '';
    const fail = (why: string): void => {
      clear();
      // The shim leads its group, and its death is the container's (pdeathsig).
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      reject(new RuntimeError('StartFailed', `container ${name} could not be started: ${why}`, new Error(complaint)));
    };
    const onData = (chunk: Buffer): void => {
      said += chunk.toString();
      const line = said.split('\n')[0] ?? '';
      if (!said.includes('\n')) return;
      if (!line.startsWith('started ') || parseStat(line.slice(8)) === undefined) {
        fail(line.startsWith('failed ') ? line.slice(7) : 'its shim did not understand');
        return;
      }
      clear();
      child.stdout?.resume();
      child.stderr?.resume();
      child.unref();
      resolve();
    };
    const onError = (error: Error): void => fail(error.message);
    const onExit = (): void => fail('its shim ended');
    const onDeadline = (): void => fail('it took too long');
    const deadline = AbortSignal.timeout(startDeadlineMs);
    const clear = (): void => {
      deadline.removeEventListener('abort', onDeadline);
      child.off('error', onError);
      child.off('close', onExit);
      child.stdout?.off('data', onData);
    };
    deadline.addEventListener('abort', onDeadline);
    child.on('error', onError);
    child.on('close', onExit);
    child.stdout?.on('data', onData);
    child.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  });
}

/** A folder that a link could move is refused: it would be mounted as the host's root. */
async function inspectMount(container: string, mount: Mount): Promise<Mount & { readonly isFile: boolean }> {
  const found = await lstat(mount.hostPath).catch(() => undefined);
  if (found === undefined || (await realpath(mount.hostPath)) !== mount.hostPath.replace(/(.)\/+$/, '$1')) {
    throw new RuntimeError(
      'InvalidContainer',
      `container ${container}: the source of mount ${mount.path} is missing or a link`,
    );
  }
  if (mount.subPath === undefined) return { ...mount, isFile: !found.isDirectory() };
  const part = await stat(`${mount.hostPath}/${mount.subPath}`).catch(() => undefined);
  if (part === undefined) {
    const what = `subPath ${mount.subPath} of the volume at ${mount.path}`;
    throw new RuntimeError('StartFailed', `container ${container}: there is no ${what}`);
  }
  return { ...mount, isFile: !part.isDirectory() };
}

function idMap(offset: number, ids: readonly number[]): string {
  const large = [...new Set(ids.filter((id) => id >= mappedIds))];
  if (large.length > 1) throw new RuntimeError('Unsupported', 'only one id above 65534 can be used in a container');
  return [`0 ${offset} ${mappedIds}`, ...large.map((id) => `${id} ${offset + mappedIds} 1`)].join('\n');
}

/** The host's id for `id` of a pod. */
function hostId(offset: number, id: number): number {
  return offset + Math.min(id, mappedIds);
}

/** The command that leaves nothing but an ordinary user. */
function dropArgv(setpriv: string, user: number, group: number, others: readonly string[]): string[] {
  const ids = ['--reuid', String(user), '--regid', String(group)];
  const capabilities = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all'];
  return [setpriv, ...ids, ...others, ...capabilities, '--no-new-privs', '--pdeathsig', 'KILL', '--'];
}

function otherGroups(groups: readonly number[]): string[] {
  return groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')];
}

/** Limits without cgroups: of each process, not of all together; a limit of processor time there is not. */
function limitArgv({ limits }: ContainerSpec): string[] {
  const { memoryBytes, pids } = limits;
  const asked = [
    ...(memoryBytes === undefined ? [] : [`--data=${memoryBytes}`]),
    ...(pids === undefined ? [] : [`--nproc=${pids}`]),
  ];
  return asked.length === 0 ? [] : ['prlimit', ...asked, '--'];
}
