/**
 * Is anything lost when processes are killed during writes? 200 rounds, on gateway, controllers and database, and on all
 * of `up`. GATEHOUSE_CRASH_ROUNDS gives another number.
 */
import { systemClock as clock } from '../src/std/clock.ts';
import type { Bench } from './main.ts';
import { runCrashRounds } from './support/crash.ts';
import type { Round, Victim } from './support/crash.ts';

const small: readonly Victim[] = ['gateway', 'postgres', 'session', 'everything'];
const whole: readonly Victim[] = ['gateway', 'controllers', 'node-1', 'postgres', 'everything'];

/** npm run bench -- crash */
export const bench: Bench = async (report, note) => {
  const count = Number(process.env['GATEHOUSE_CRASH_ROUNDS'] ?? 200);
  const rounds: Round[] = [];
  const began = clock.monotonic();
  const seen = (round: Round): void => {
    rounds.push(round);
    const { victim, acknowledged, changes, recoveryMs, slowestMs, codes } = round;
    note(
      `${rounds.length}/${count} after ${((clock.monotonic() - began) / 1000).toFixed(0)} s, ${victim}: ${acknowledged} acknowledged, ${changes} changes, back in ${recoveryMs.toFixed(0)} ms, slowest answer ${slowestMs.toFixed(0)} ms, ${[...codes].map(([code, times]) => `${times} × ${code}`).join(', ')}`,
    );
    for (const what of wrongs) for (const text of round[what]) note(`${what}: ${text}`);
  };
  const ofAll = Math.floor(count / 5);
  await runCrashRounds(['--nodes', '0'], take(small, count - ofAll), seen);
  await runCrashRounds(['--nodes', '1', '--runtime', 'hollow'], take(whole, ofAll), seen);
  report({ metric: 'rounds', value: rounds.length, unit: '' });
  report({ metric: 'acknowledged writes', value: sum(rounds, (round) => round.acknowledged), unit: '' });
  report({ metric: 'changes held against the trail', value: sum(rounds, (round) => round.changes), unit: '' });
  for (const what of wrongs)
    report({ metric: names[what], value: sum(rounds, (round) => round[what].length), unit: '' });
  const times = rounds.map((round) => round.recoveryMs).toSorted((a, b) => a - b);
  report({ metric: 'kill to next write p50', value: times[Math.floor(times.length / 2)] ?? 0, unit: 'ms' });
  report({ metric: 'kill to next write p99', value: times[Math.floor(times.length * 0.99)] ?? 0, unit: 'ms' });
  const slowest = Math.max(...rounds.map((round) => round.slowestMs));
  report({ metric: 'slowest answer', value: slowest, unit: 'ms' });
  if (wrongs.some((what) => rounds.some((round) => round[what].length > 0))) process.exitCode = 1;
};

const wrongs = ['lost', 'unrecorded', 'orphans', 'lies', 'dangling', 'addresses'] as const;
const names = {
  lost: 'acknowledged writes lost',
  unrecorded: 'changes without their fact row',
  orphans: 'fact rows without their change',
  lies: 'refused writes that were written',
  dangling: 'objects without their change',
  addresses: 'service addresses shared, changed or not held',
} as const;

function* take(victims: readonly Victim[], count: number): Generator<Victim> {
  for (let n = 0; n < count; n++) yield victims[n % victims.length] ?? 'everything';
}

function sum(rounds: readonly Round[], of: (round: Round) => number): number {
  return rounds.reduce((total, round) => total + of(round), 0);
}
