import { describe, expect, test } from 'vitest';
import { runCrashRounds } from '../../bench/support/crash.ts';
import type { Round, Victim } from '../../bench/support/crash.ts';

const nothing = { lost: [], unrecorded: [], orphans: [], lies: [], dangling: [], addresses: [] };

describe('SIGKILL during writes', () => {
  test.for<{ what: string; args: readonly string[]; victims: readonly Victim[]; times: number }>([
    {
      what: 'gateway, database and all of it',
      args: ['--nodes', '0'],
      victims: ['gateway', 'postgres', 'session', 'everything'],
      times: 4,
    },
    {
      what: 'any process of a whole cluster',
      args: ['--nodes', '1', '--runtime', 'hollow'],
      victims: ['gateway', 'controllers', 'node-1', 'everything'],
      times: 1,
    },
  ])(
    '$what: nothing acknowledged is lost, every change has its row and every row its change',
    { timeout: 600_000 },
    async (row) => {
      const rounds: Round[] = [];
      const victims = Array.from({ length: row.times }, () => row.victims).flat();
      await runCrashRounds(row.args, victims, (round) => {
        rounds.push(round);
        const { lost, unrecorded, orphans, lies, dangling, addresses } = round;
        expect(
          { lost, unrecorded, orphans, lies, dangling, addresses },
          `round ${rounds.length}: ${round.victim}`,
        ).toEqual(nothing);
        expect(round.slowestMs).toBeLessThan(15_000);
      });
      expect(rounds.map(({ victim }) => victim)).toEqual(victims);
    },
  );
});
