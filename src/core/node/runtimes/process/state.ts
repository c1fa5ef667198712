/**
 * The state folder, which a successor of a killed agent reads (all of it for root's eyes only):
 *
 *   layers/                      tmpfs: the mask and the pods' files (layers.ts)
 *   pods/<uid>/sandbox.json      the sandbox, written when it is complete
 *   pods/<uid>/ns/               its pinned namespaces
 *   pods/<uid>/<name>.<attempt>/ container.json, program, fstab, cgroups, upper, work, root, stdout, stderr, log,
 *                                pid (a line of /proc/PID/stat) and at the end exit (the code)
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, stat, writeFile } from 'node:fs/promises';
import type { Container, ContainerState, Sandbox } from '../runtime.ts';
import { RuntimeError, containerId } from '../runtime.ts';

/** What is kept of one attempt. */
export interface Attempt {
  readonly sandbox: string;
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  readonly workingDir: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  /** The command that gives up privileges inside, for exec to do the same. */
  readonly drop: readonly string[];
  /** The one id it has, where ids are the agent's own (shared.ts). */
  readonly user?: number;
  /** The mount paths whose words are translated (bare-files.ts); none where they are really there. */
  readonly mountPaths?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** A process as nobody else can be it: its id and the tick it started at. */
export interface ProcessKey {
  readonly pid: number;
  readonly startTicks: string;
}

export function podFolder(state: string, pod: string): string {
  return `${state}/pods/${pod}`;
}

/** The folder of an attempt. Throws NotFound for what is no container id. */
export function attemptFolder(state: string, id: string): string {
  const match = /^([-A-Za-z0-9]{1,64})\.([-a-z0-9]{1,63})\.(\d{1,9})$/.exec(id);
  if (match === null) throw new RuntimeError('NotFound', `there is no container ${id}`);
  return `${podFolder(state, match[1] ?? '')}/${match[2]}.${match[3]}`;
}

/** Writes whole or not at all. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function readSandbox(state: string, pod: string): Promise<Sandbox | undefined> {
  const path = `${podFolder(state, pod)}/sandbox.json`;
  return existsSync(path) ? (JSON.parse(await readFile(path, 'utf8')) as Sandbox) : undefined; // our own file
}

/** Pods that have a folder, complete or not. */
export async function podIds(state: string): Promise<string[]> {
  await mkdir(`${state}/pods`, { recursive: true, mode: 0o700 });
  return readdir(`${state}/pods`);
}

/** Ids of the attempts that have a folder. */
export async function attemptIds(state: string, pod: string): Promise<string[]> {
  const names = await readdir(podFolder(state, pod)).catch(() => []);
  return names.filter((name) => /\.\d+$/.test(name)).map((name) => `${pod}.${name}`);
}

export async function readAttempt(folder: string): Promise<Attempt | undefined> {
  const path = `${folder}/container.json`;
  return existsSync(path) ? (JSON.parse(await readFile(path, 'utf8')) as Attempt) : undefined; // our own file
}

/** The files of its cgroups to write process ids to: where the agent that started it put it, wherever we are. */
export async function readProcs(folder: string): Promise<string[]> {
  const text = await readFile(`${folder}/cgroups`, 'utf8').catch(() => '');
  return text.split('\n').filter((path) => path !== '');
}

/** The process that was started for the attempt, running or not. */
export async function readProcess(folder: string): Promise<ProcessKey | undefined> {
  const line = await readFile(`${folder}/pid`, 'utf8').catch(() => '');
  return parseStat(line);
}

/** Id and start of a line of /proc/PID/stat. The name in parentheses may hold anything, also parentheses. */
export function parseStat(line: string): ProcessKey | undefined {
  const pid = Number.parseInt(line, 10);
  const startTicks = line.slice(line.lastIndexOf(')') + 2).split(' ')[19];
  return Number.isNaN(pid) || startTicks === undefined ? undefined : { pid, startTicks };
}

/** Whether that very process is alive: a zombie is not. */
export async function isAlive(process: ProcessKey): Promise<boolean> {
  const line = await readFile(`/proc/${process.pid}/stat`, 'utf8').catch(() => '');
  const zombie = /^[ZX]/.test(line.slice(line.lastIndexOf(')') + 2));
  return parseStat(line)?.startTicks === process.startTicks && !zombie;
}

/** Where the attempt stands, from its folder alone. `now` dates the end of what nobody saw end. */
export async function readState(folder: string, attempt: Attempt, now: number): Promise<ContainerState> {
  const process = await readProcess(folder);
  const startedAt = await modifiedAt(`${folder}/pid`, attempt.createdAt);
  const alive = process !== undefined && (await isAlive(process));
  // After the look at the process: a container that ended in between has its code here by now, or soon (see settle).
  const code = (await readFile(`${folder}/exit`, 'utf8').catch(() => '')).trim();
  if (/^\d+$/.test(code)) {
    const finishedAt = await modifiedAt(`${folder}/exit`, now);
    return { kind: 'exited', startedAt, finishedAt, exitCode: Number(code) };
  }
  return alive ? { kind: 'running', startedAt } : { kind: 'unknown', startedAt, finishedAt: now };
}

export function toContainer(
  folder: string,
  attempt: Attempt,
  state: ContainerState,
  process: ProcessKey | undefined,
): Container {
  return {
    id: containerId(attempt.sandbox, attempt.name, attempt.attempt),
    sandbox: attempt.sandbox,
    name: attempt.name,
    attempt: attempt.attempt,
    image: attempt.image,
    ...(process !== undefined && state.kind === 'running' ? { pid: process.pid } : {}),
    state,
    logPath: `${folder}/log`,
  };
}

async function modifiedAt(path: string, otherwise: number): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? otherwise : Math.round(found.mtimeMs);
}
