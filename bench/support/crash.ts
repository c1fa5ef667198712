/**
 * Rounds of writes cut by SIGKILL. In each, writers run; at a random moment something is killed; the writers go on until
 * enough writes were acknowledged after it, which shows that everything came back by itself; then all is verified.
 */
import { Client } from 'pg';
import { readKubeconfig } from '../../src/app/credentials.ts';
import { systemClock as clock } from '../../src/std/clock.ts';
import { databaseUrl, eventually, isRunning, pidOf, startUp } from '../../test/e2e/support/up.ts';
import type { Up } from '../../test/e2e/support/up.ts';
import { createCaller } from './caller.ts';
import { nothingTold, runLabel, runWriters } from './crash-writers.ts';
import { verify } from './crash-verify.ts';
import type { Findings } from './crash-verify.ts';

/** What is killed: a process of ours, the database server, one of its sessions, or all of them at once. */
export type Victim = 'gateway' | 'postgres' | 'session' | 'controllers' | 'node-1' | 'everything';

/** One round. */
export interface Round extends Findings {
  readonly victim: Victim;
  readonly acknowledged: number;
  /** Changes in the store that were held against the audit trail. */
  readonly changes: number;
  /** From the kill to the first acknowledged write that was begun after it, ms. */
  readonly recoveryMs: number;
  readonly slowestMs: number;
  readonly codes: ReadonlyMap<number, number>;
}

const writers = 8;
/** Writes that have to be acknowledged after the kill, and how long that may take, ms. */
const enough = 40;
const recoverMs = 45_000;

/** Runs one round for each of `victims` on a Gatehouse of its own, started with `args`; `seen` gets each as it ends. */
export async function runCrashRounds(
  args: readonly string[],
  victims: Iterable<Victim>,
  seen: (round: Round) => void,
): Promise<void> {
  let up = await startUp(args);
  try {
    let since = 0n;
    let number = 0;
    for (const victim of victims) {
      const round = await runRound(up, { victim, prefix: `r${number++}`, since, restart: () => startUp(args, up) });
      up = round.up;
      since = round.head;
      seen(round);
    }
  } finally {
    await up.stop();
  }
}

async function runRound(
  before: Up,
  round: {
    readonly victim: Victim;
    readonly prefix: string;
    readonly since: bigint;
    readonly restart: () => Promise<Up>;
  },
): Promise<Round & { readonly up: Up; readonly head: bigint }> {
  const { victim, prefix, since } = round;
  const told = nothingTold();
  const caller = createCaller(readKubeconfig(before.kubeconfig));
  const ended = new AbortController();
  const running = runWriters({
    caller,
    clock,
    prefix,
    count: writers,
    signal: ended.signal,
    told,
    random: Math.random,
  });
  try {
    await clock.sleep(200 + Math.random() * 1000);
    const killedAt = clock.monotonic();
    await kill(before, victim);
    const up = victim === 'everything' ? await round.restart() : before;
    await eventually('one write is acknowledged after the kill', recoverMs, async () => {
      const name = `${prefix}-after-${Math.round(clock.monotonic())}`;
      const path = '/api/v1/namespaces/default/configmaps';
      return (await caller.call('POST', path, { metadata: { name, namespace: 'default' } })).code === 201;
    });
    const recoveryMs = clock.monotonic() - killedAt;
    const atRecovery = told.acknowledged.length;
    await eventually(
      `${enough} more writes are acknowledged`,
      recoverMs,
      () => told.acknowledged.length >= atRecovery + enough,
    );
    ended.abort();
    await running;
    const found = await verify(databaseUrl(up.home), { told, caller, since });
    // Node ports are few: later rounds need those of this one. What this changes is looked at with the next round.
    const path = `/api/v1/namespaces/default/services?labelSelector=${runLabel}%3D${prefix}`;
    const { code } = await caller.call('DELETE', path);
    if (code !== 200) throw new Error(`the services of round ${prefix} cannot be deleted: ${code}`);
    const { codes, slowestMs } = told;
    return { ...found, victim, acknowledged: told.acknowledged.length, recoveryMs, slowestMs, codes, up };
  } finally {
    ended.abort();
    await running;
    caller.stop();
  }
}

async function kill(up: Up, victim: Victim): Promise<void> {
  if (victim === 'session') {
    process.kill(await writingSession(databaseUrl(up.home)), 'SIGKILL');
    return;
  }
  const parts = victim === 'everything' ? ['up', 'gateway', 'controllers', 'node-1', 'postgres'] : [victim];
  const pids = parts.map((part) => pidOf(up.home, part)).filter((pid) => isRunning(pid));
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  if (victim === 'everything') await up.program.ended;
}

/** Pid of the database session that commits the gateway's writes. */
async function writingSession(url: string): Promise<number> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {}); // the server ends all sessions when one is killed
  await client.connect();
  try {
    const { rows } = await client.query<{ pid: number }>(
      `select pid from pg_stat_activity where application_name = 'gatehouse writes' limit 1`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error('the gateway has no session that writes');
    return row.pid;
  } finally {
    await client.end();
  }
}
