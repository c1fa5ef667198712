/**
 * Which container a process of this account belongs to, where no namespace or control group says so. Three marks, the
 * hardest to lose first:
 *
 *   1. an ancestor, or the leader of its own or an ancestor's session, is the container's program;
 *   2. the marker GATEHOUSE_CONTAINER in the environment that it, or an ancestor, was started with.
 *
 * A program that leaves its session, lets its parent die *and* starts with another environment has shaken off all of
 * them. It is then taken for one of the account's own. It gains nothing: whoever runs as this account can do that and more.
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import { parseStat } from './state.ts';

/** The name of the marker; its value is the container's id. */
export const marker = 'GATEHOUSE_CONTAINER';

/** Generations looked at: ids may change hands while they are read, and no family is this deep. Chosen. */
const deepest = 256;

/** One process as /proc/PID/stat has it. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly startTicks: string;
  /** Processor time, its ended children's included, in hundredths of a second. */
  readonly centiseconds: number;
}

/** The processes of this account that are alive, by their id. */
async function readProcesses(): Promise<ReadonlyMap<number, ProcessRow>> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const rows = await Promise.all(names.map(readRow));
  return new Map(rows.flatMap((row) => (row === undefined ? [] : [[row.pid, row] as const])));
}

async function readRow(name: string): Promise<ProcessRow | undefined> {
  try {
    if ((await stat(`/proc/${name}`)).uid !== process.getuid?.()) return undefined;
    return parseRow(await readFile(`/proc/${name}/stat`, 'utf8'));
  } catch {
    return undefined; // it ended meanwhile
  }
}

/** A line of /proc/PID/stat; undefined for a process that has ended and waits for its parent. Pure. */
export function parseRow(line: string): ProcessRow | undefined {
  const key = parseStat(line);
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state = 'X', parent, , session] = fields;
  if (key === undefined || 'ZX'.includes(state)) return undefined;
  const centiseconds = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
  return { ...key, parent: Number(parent), session: Number(session), centiseconds };
}

/** A container and its program's process. */
export interface Claim {
  readonly id: string;
  readonly pid: number;
  readonly startTicks: string;
}

/**
 * The container that a process belongs to by ancestry or session. `chain` is it and its ancestors, `rows` holds the present
 * holders of their ids: an id that was given out again is no claim, and while a session has members the id of its
 * leader is not given out. Pure.
 */
export function claimedBy(
  chain: readonly ProcessRow[],
  claims: readonly Claim[],
  rows: ReadonlyMap<number, ProcessRow>,
): string | undefined {
  for (const row of chain) {
    for (const { id, pid, startTicks } of claims) {
      if (pid !== row.pid && pid !== row.session) continue;
      const holder = rows.get(pid);
      if (holder === undefined || holder.startTicks === startTicks) return id;
    }
  }
  return undefined;
}

/** The container that `pid` says, or whose it is found to be; undefined when nothing ties it to one. */
export async function containerOf(pid: number, claims: readonly Claim[]): Promise<string | undefined> {
  const rows = new Map<number, ProcessRow>();
  const look = async (one: number): Promise<ProcessRow | undefined> => {
    const row = rows.get(one) ?? (await readRow(String(one)));
    if (row !== undefined) rows.set(one, row);
    return row;
  };
  const chain: ProcessRow[] = [];
  for (let row = await look(pid); row !== undefined && chain.length < deepest; row = await look(row.parent)) {
    chain.push(row);
    await look(row.session);
  }
  const claimed = claimedBy(chain, claims, rows);
  if (claimed !== undefined) return claimed;
  for (const row of chain) {
    const found = await readMarker(row.pid);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The processes of the container `id`. */
export async function membersOf(id: string, claims: readonly Claim[]): Promise<readonly ProcessRow[]> {
  const rows = await readProcesses();
  const own = claims.filter((claim) => claim.id === id);
  const members: ProcessRow[] = [];
  for (const row of rows.values()) {
    const isOwn = claimedBy(chainOf(row, rows), own, rows) === id || (await readMarker(row.pid)) === id;
    if (isOwn) members.push(row);
  }
  return members;
}

/** Whether `pid` is a process of this account that is alive. */
export async function isOwn(pid: number): Promise<boolean> {
  return (await readRow(String(pid))) !== undefined;
}

function chainOf(first: ProcessRow, rows: ReadonlyMap<number, ProcessRow>): readonly ProcessRow[] {
  const chain: ProcessRow[] = [];
  for (let row: ProcessRow | undefined = first; row !== undefined && chain.length < deepest; row = rows.get(row.parent))
    chain.push(row);
  return chain;
}

async function readMarker(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => ''); // it ended, or hides its memory
  const found = text.split('\0').find((variable) => variable.startsWith(`${marker}=`));
  return found?.slice(marker.length + 1);
}
