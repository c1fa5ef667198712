/**
 * The process runtime where this machine gives neither root nor user namespaces, and the person asked for it in so many
 * words: a container is a program of this account, in a session and a folder of its own, and nothing keeps it from what
 * the account can do. What it cannot be given and needs is refused with a reason (`check`); what it merely lacks is
 * said in `isolation.missing`. Pods have addresses on loopback; a program has to listen on its pod's address itself.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Clock } from '../../../../std/clock.ts';
import type { Logger } from '../../../../std/log.ts';
import type { ContainerSpec, Isolation, Runtime, Sandbox, SandboxSpec, Usage } from '../runtime.ts';
import { RuntimeError, containerId } from '../runtime.ts';
import { linkVolumes, mountPathsOf, placePath, placeWord } from './bare-files.ts';
import type { Claim } from './bare-processes.ts';
import { containerOf, isOwn, marker, membersOf } from './bare-processes.ts';
import { startSession } from './exec.ts';
import { dialHere, loopbacks } from './dialer.ts';
import { closeInherited } from './inherited.ts';
import { keepAttempts } from './keeper.ts';
import { findTool, run, toolPath } from './run.ts';
import { bareShim, enter, programFile } from './shim.ts';
import { running } from './start.ts';
import type { Attempt } from './state.ts';
import { attemptFolder, attemptIds, isAlive, podFolder, podIds, readProcess, readSandbox, writeJson } from './state.ts';

export interface BareRuntime extends Runtime {
  /** Whose process it is: a pod's (its uid), the account's own, or nobody's that is known here. */
  readonly ownerOf: (pid: number) => Promise<ProcessOwner>;
}

export type ProcessOwner =
  | { readonly kind: 'pod'; readonly uid: string }
  | { readonly kind: 'account' }
  | { readonly kind: 'unknown' };

interface Tools {
  readonly setsid: string;
  readonly setpriv: string | undefined;
  readonly prlimit: string | undefined;
}

/** Rounds of killing what a container left. Each finds what was forked during the one before. */
const sweeps = 200;
const sweepMs = 10;

/** A runtime over the folder `state`, with all that an earlier agent left there adopted. Throws Unsupported as root and where there is no /proc or setsid. */
export async function createBareRuntime(options: {
  readonly state: string;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<BareRuntime> {
  const { state, clock } = options;
  if (process.platform !== 'linux')
    throw new RuntimeError('Unsupported', 'containers without isolation need Linux: use --runtime hollow');
  if (process.getuid?.() === 0)
    throw new RuntimeError('Unsupported', 'without isolation a container of root would be root: run as another user');
  const setsid = findTool('setsid');
  if (setsid === undefined) throw new RuntimeError('Unsupported', 'setsid is missing: apt-get install util-linux');
  const tools: Tools = { setsid, setpriv: findTool('setpriv'), prlimit: findTool('prlimit') };
  closeInherited();
  await mkdir(state, { recursive: true, mode: 0o700 });

  const claims = new Map<string, Claim>();
  const claim = async (id: string): Promise<void> => {
    const main = await readProcess(attemptFolder(state, id));
    if (main !== undefined && (await isAlive(main))) claims.set(id, { id, ...main });
  };
  const claimAll = async (): Promise<void> => {
    for (const pod of await podIds(state)) for (const id of await attemptIds(state, pod)) await claim(id);
  };
  await claimAll();
  const killAll = async (id: string): Promise<void> => {
    for (let round = 0; round < sweeps; round++) {
      const members = await membersOf(id, [...claims.values()]);
      if (members.length === 0) return;
      for (const { pid } of members) endProcess(pid, 'SIGKILL');
      await clock.sleep(sweepMs);
    }
    throw new Error(`processes of container ${id} do not end`);
  };

  const runtime = await keepAttempts(
    {
      isolation: isolationOf(tools),
      makeSandbox: async (spec) => (await readSandbox(state, spec.uid)) ?? makeSandbox(state, spec),
      dropSandbox: async () => {},
      check: checkBare,
      start: async (_sandbox, spec, folder) => {
        const shim = await start(tools, clock, spec, folder);
        await claim(containerId(spec.sandbox, spec.name, spec.attempt));
        return shim;
      },
      kill: async (id, folder, signal) => {
        if (signal === 'SIGKILL') return killAll(id);
        const target = await readProcess(folder);
        if (target !== undefined && (await isAlive(target))) endProcess(target.pid, signal);
      },
      free: async (id) => {
        await killAll(id);
        claims.delete(id);
      },
      exec: async ({ attempt, folder }, request) => {
        const root = rootOf(folder);
        const command = request.command.map((word) => placeWord(word, root, attempt.mountPaths ?? []));
        const program = programFile(command, attempt.env, attempt.workingDir);
        return startSession(['/bin/sh', '-c', enter, 'enter', ...attempt.drop], program, request, clock);
      },
      dial: ({ address }, port) => dialHere(address === undefined ? loopbacks : [address], port, clock),
      usage: async (id) => usageOf(await membersOf(id, [...claims.values()])),
      close: async () => {},
    },
    options,
  );
  await claimAll(); // with what a killed agent was starting and its shim has finished by now
  return {
    ...runtime,
    ownerOf: async (pid) => {
      const id = await containerOf(pid, [...claims.values()]);
      if (id === undefined) return { kind: (await isOwn(pid)) ? 'account' : 'unknown' };
      const [uid = ''] = id.split('.');
      // A marker that names no pod of ours: forged, or a pod of another Gatehouse of this account.
      return existsSync(podFolder(state, uid)) ? { kind: 'pod', uid } : { kind: 'unknown' };
    },
  };
}

function isolationOf({ setpriv, prlimit }: Tools): Isolation {
  return {
    ids: 'shared',
    filesystem: false,
    network: false,
    processes: false,
    limits: false,
    missing: [
      "pods are not isolated from each other or from this account: they can do all that it can, read Gatehouse's keys too",
      'volumes are found below $GATEHOUSE_ROOT: only words of commands and env that begin with a mountPath are translated, and readOnly is not enforced',
      "a program has to listen on its pod's address (status.podIP): one that listens on every address takes the port from all pods",
      `${prlimit === undefined ? 'limits are not enforced' : 'memory limits hold for each process, processor time is not limited'}; hostname, hostAliases, dnsConfig and fsGroup have no effect`,
      ...(setpriv === undefined
        ? ['setpriv is missing (apt-get install util-linux): set-user-id programs give a container other rights']
        : []),
    ],
  };
}

async function makeSandbox(state: string, spec: SandboxSpec): Promise<Sandbox> {
  const sandbox: Sandbox = {
    id: spec.uid,
    spec,
    ...(spec.network.kind === 'routed' ? { address: spec.network.address } : {}),
    idOffset: 0,
  };
  await mkdir(podFolder(state, spec.uid), { recursive: true, mode: 0o700 });
  await writeJson(`${podFolder(state, spec.uid)}/sandbox.json`, sandbox);
  return sandbox;
}

/** What a container asks for that would need another user, or root, is refused: it must not run as what it is not. */
function checkBare(spec: ContainerSpec): void {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  const refuse = (what: string): RuntimeError =>
    new RuntimeError(
      'Unsupported',
      `container ${spec.name}: ${what}; without isolation it runs as this account (user ${uid}, group ${gid}): leave it out, or use a node with isolation`,
    );
  if (spec.user !== undefined && spec.user !== uid) throw refuse(`runAsUser ${spec.user} cannot be given`);
  if (spec.group !== undefined && spec.group !== gid) throw refuse(`runAsGroup ${spec.group} cannot be given`);
  mountPathsOf(spec);
}

async function start(tools: Tools, clock: Clock, spec: ContainerSpec, folder: string): Promise<ChildProcess> {
  const root = rootOf(folder);
  const mountPaths = mountPathsOf(spec);
  const own = [
    { name: 'GATEHOUSE_ROOT', value: root },
    { name: marker, value: containerId(spec.sandbox, spec.name, spec.attempt) },
  ];
  const given = spec.env.filter(({ name }) => !own.some((variable) => variable.name === name));
  const hasPath = given.some(({ name }) => name === 'PATH');
  const attempt: Attempt = {
    sandbox: spec.sandbox,
    name: spec.name,
    attempt: spec.attempt,
    image: spec.image,
    workingDir: workingDirOf(spec, root, mountPaths),
    env: [
      // It has the account's rights: it may as well find the account's programs.
      ...(hasPath ? [] : [{ name: 'PATH', value: process.env['PATH'] ?? toolPath }]),
      ...given.map(({ name, value }) => ({ name, value: placePath(value, root, mountPaths) })),
      ...own,
    ],
    drop: dropArgv(tools, spec),
    mountPaths,
    createdAt: clock.now(),
  };
  await mkdir(folder, { mode: 0o700 });
  await linkVolumes(root, spec);
  await writeJson(`${folder}/container.json`, attempt);
  const words = [...spec.command, ...spec.args].map((word) => placeWord(word, root, mountPaths));
  const secret = { mode: 0o600 };
  await writeFile(`${folder}/program`, programFile(words, attempt.env, attempt.workingDir), secret);
  for (const stream of ['stdout', 'stderr']) await writeFile(`${folder}/${stream}`, '', secret);
  const stdin = spec.stdin === true ? `${folder}/stdin` : '/dev/null';
  if (spec.stdin === true) await run(['mkfifo', '-m', '600', stdin]);
  const become = [tools.setsid, ...attempt.drop, '/bin/sh', '-c', enter, 'enter'];
  const child = spawn('/bin/sh', ['-c', bareShim, 'shim', folder, stdin, ...become], {
    env: { PATH: toolPath, LC_ALL: 'C' },
    cwd: '/',
    detached: true, // a session of its own: what kills the agent's group does not reach it
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await running(child, spec.name);
  return child;
}

function workingDirOf(spec: ContainerSpec, root: string, mountPaths: readonly string[]): string {
  if (spec.workingDir === undefined) return root;
  const placed = placePath(spec.workingDir, root, mountPaths);
  const isThere = placed !== spec.workingDir || statSync(placed, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isThere) return placed;
  throw new RuntimeError(
    'Unsupported',
    `container ${spec.name}: workingDir ${spec.workingDir} is in no volume and no folder of this machine: leave it out`,
  );
}

/** The words before a container's program: nothing gives it other rights later, and it dies with its shim. */
function dropArgv({ setpriv, prlimit }: Tools, { limits }: ContainerSpec): readonly string[] {
  const { memoryBytes } = limits;
  return [
    ...(setpriv === undefined ? [] : [setpriv, '--no-new-privs', '--pdeathsig', 'KILL', '--']),
    ...(prlimit === undefined || memoryBytes === undefined ? [] : [prlimit, `--data=${memoryBytes}`, '--']),
  ];
}

function rootOf(folder: string): string {
  return `${folder}/root`;
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    if (!isGone) throw error;
  }
}

async function usageOf(
  members: readonly { readonly pid: number; readonly centiseconds: number }[],
): Promise<Usage | undefined> {
  if (members.length === 0) return undefined;
  const kilobytes = await Promise.all(
    members.map(async ({ pid }) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''); // it ended meanwhile
      return Number(/^RssAnon:\s*(\d+)/m.exec(status)?.[1] ?? 0);
    }),
  );
  return {
    cpuNanoseconds: members.reduce((sum, { centiseconds }) => sum + centiseconds, 0) * 10_000_000,
    workingSetBytes: kilobytes.reduce((sum, one) => sum + one, 0) * 1024,
  };
}
