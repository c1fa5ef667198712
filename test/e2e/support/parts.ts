/** The parts of Gatehouse as commands of their own on one home, over a Postgres that is not theirs: how several machines run it. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { systemClock } from '../../../src/std/clock.ts';
import { startTestPostgres } from '../../support/postgres.ts';
import { freePort, gatehouse, isRunning, newHome } from './up.ts';
import type { Program } from './up.ts';

export interface Parts {
  readonly home: string;
  /** Of the cluster's administrator. */
  readonly kubeconfig: string;
  readonly databaseUrl: string;
  /** Starts `gatehouse COMMAND …` and waits until it is ready. */
  start(command: 'gateway' | 'controllers' | 'node', ...args: readonly string[]): Promise<Program>;
  /** Holds every process of the database server still; what it returns lets them go on. */
  freezeDatabase(): () => void;
  /** Ends everything and removes what it left. */
  stop(): Promise<void>;
}

const readyMs = 60_000;
const endMs = 20_000;

/** A database and an empty home; nothing of Gatehouse runs yet. The gateway's port is the same at each start. */
export async function prepareParts(): Promise<Parts> {
  const postgres = await startTestPostgres();
  const [home, port, databaseUrl] = [newHome(), await freePort(), await postgres.createDatabase()];
  const programs: Program[] = [];
  let thaw = (): void => {};
  return {
    home,
    kubeconfig: join(home, 'kubeconfig'),
    databaseUrl,
    start: async (command, ...args) => {
      const own = command === 'gateway' ? ['--port', String(port)] : [];
      const env = command === 'gateway' ? { GATEHOUSE_DATABASE_URL: databaseUrl } : {};
      const program = gatehouse([command, '--home', home, ...own, ...args], env);
      programs.push(program);
      await program.line('ready', readyMs);
      return program;
    },
    freezeDatabase: () => {
      const pids = [Number(readFileSync(join(postgres.home, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0])];
      process.kill(pids[0] ?? 0, 'SIGSTOP'); // first: a new session would go on
      for (const pid of childrenOf(pids[0] ?? 0)) {
        process.kill(pid, 'SIGSTOP');
        pids.push(pid);
      }
      thaw = () => {
        thaw = () => {};
        for (const pid of pids) if (isRunning(pid)) process.kill(pid, 'SIGCONT');
      };
      return () => thaw();
    },
    stop: async () => {
      thaw();
      for (const program of programs.toReversed()) {
        program.signal('SIGTERM');
        const cancel = systemClock.after(endMs, () => program.signal('SIGKILL'));
        await program.ended;
        cancel();
      }
      await postgres.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent ? [Number(name)] : [];
      } catch {
        return []; // it has ended
      }
    });
}
