/**
 * How much memory does an idle Gatehouse take, and how long does it take to be ready? Runs `npm start` of what is installed
 * and built on an empty home, and once more on the same home; between the two it waits until things are quiet and reads the
 * proportional set size of each process (its own pages, and its share of those it shares). `--idle N`: seconds of quiet (20);
 * `--nodes N`: agents (1). Sizes are read from /proc, so only on Linux.
 */
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { systemClock as clock } from '../src/std/clock.ts';
import type { Bench } from './main.ts';
import { flagOf } from './support/flag.ts';
import { readProc, startProgram } from './support/process.ts';
import type { Program } from './support/process.ts';

const starts = 3;
const stopMs = 60_000;
const mebibyte = 1024 * 1024;

/** npm run bench -- footprint */
export const bench: Bench = async (report, note, flags) => {
  const idleMs = Number(flagOf(flags, 'idle') ?? 20) * 1000;
  const nodes = flagOf(flags, 'nodes') ?? '1';
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'));
  const up = async (): Promise<{ readonly program: Program; readonly seconds: number }> => {
    const began = clock.monotonic();
    const port = String(await freePort());
    const program = await startProgram('npm', ['start', '--', '--home', home, '--port', port, '--nodes', nodes], {
      ms: 180_000,
    });
    return { program, seconds: (clock.monotonic() - began) / 1000 };
  };
  /** npm does not hand on a signal to what it runs: `up` is told by its own pid. */
  const down = async (program: Program): Promise<void> => {
    const pid = await upPid(home);
    if (pid !== undefined) process.kill(pid, 'SIGTERM');
    const giveUpAt = clock.monotonic() + stopMs;
    while ((await upPid(home)) !== undefined && clock.monotonic() < giveUpAt) await clock.sleep(50);
    await program.stop();
  };
  try {
    note(
      `${cpus().length} cores (${cpus()[0]?.model ?? ''}), load ${loadavg()[0]?.toFixed(1)}, node ${process.version}`,
    );
    const first = await up();
    report({ metric: 'npm start to ready, first of a home', value: first.seconds, unit: 's' });
    try {
      await clock.sleep(idleMs);
      const sizes = await sizesOf(home);
      if (sizes.size === 0) note('skipped: sizes, needs /proc/PID/smaps_rollup of Linux');
      for (const [name, bytes] of sizes)
        report({ metric: `idle PSS of ${name}`, value: bytes / mebibyte, unit: 'MiB' });
      const pair = (sizes.get('gateway') ?? 0) + (sizes.get('controllers') ?? 0);
      if (pair > 0) report({ metric: 'idle PSS of gateway + controllers', value: pair / mebibyte, unit: 'MiB' });
    } finally {
      await down(first.program);
    }
    const seconds: number[] = [];
    for (let start = 0; start < starts; start++) {
      const again = await up();
      seconds.push(again.seconds);
      await down(again.program);
    }
    seconds.sort((a, b) => a - b);
    report({ metric: 'npm start to ready', value: seconds[starts >> 1] ?? 0, unit: 's' });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
};

/** The pid of the `up` that holds `home`; it takes its pid file away when it has stopped. */
async function upPid(home: string): Promise<number | undefined> {
  const pid = Number(await readFile(join(home, 'run', 'up.pid'), 'utf8').catch(() => '0'));
  return pid > 0 ? pid : undefined;
}

/** Bytes by part: what `up` started, by its pid files, each with the processes below it; the database by its own pid file. */
async function sizesOf(home: string): Promise<ReadonlyMap<string, number>> {
  const files = [
    ...(await readdir(join(home, 'run')))
      .filter((file) => file.endsWith('.pid'))
      .map((file) => join(home, 'run', file)),
    join(home, 'postgres', 'data', 'postmaster.pid'),
  ];
  const roots = new Map<string, number>();
  for (const file of files) {
    const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
    if (pid > 0) roots.set(basename(file, '.pid'), pid);
  }
  const parents = await parentsOfAll();
  const known = new Set(roots.values());
  const sizes = new Map<string, number>();
  for (const [name, root] of roots) {
    // Not what another part is the root of: everything is below `up`.
    const below = (pid: number): readonly number[] =>
      [...parents]
        .filter(([child, parent]) => parent === pid && !known.has(child))
        .flatMap(([child]) => [child, ...below(child)]);
    const total = [root, ...below(root)].reduce((sum, pid) => sum + proportionalSize(pid), 0);
    if (total > 0) sizes.set(name === 'postmaster' ? 'postgres' : name, total);
  }
  return sizes;
}

async function parentsOfAll(): Promise<ReadonlyMap<number, number>> {
  const pids = (await readdir('/proc').catch(() => [])).map(Number).filter((pid) => pid > 0);
  return new Map(
    pids.map((pid) => {
      const stat = readProc(pid, 'stat') ?? '';
      return [pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])];
    }),
  );
}

function proportionalSize(pid: number): number {
  const kibibytes = /^Pss:\s+(\d+) kB/m.exec(readProc(pid, 'smaps_rollup') ?? '')?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // a listening TCP server has one
  await new Promise((resolve) => server.close(resolve));
  return port;
}
