import { describe, expect, test } from 'vitest';
import { mountPathsOf, placeWord } from '../../../../../src/core/node/runtimes/process/bare-files.ts';
import { claimedBy, parseRow } from '../../../../../src/core/node/runtimes/process/bare-processes.ts';
import type { Claim, ProcessRow } from '../../../../../src/core/node/runtimes/process/bare-processes.ts';

describe('words of a command where nothing is mounted', () => {
  test.for<readonly [string, string, string]>([
    ['a file of a volume', '/app/api.mjs', '/root/app/api.mjs'],
    ['the mount path itself', '/app', '/root/app'],
    ['the value of an option', '--config=/app/api.yaml', '--config=/root/app/api.yaml'],
    ['a path that only begins alike', '/application/x', '/application/x'],
    ['a program of the host', '/bin/sh', '/bin/sh'],
    ['a text that holds a mount path', 'cat /app/api.yaml', 'cat /app/api.yaml'],
    ['two lines', '--a=/app/x\n/app/y', '--a=/root/app/x\n/app/y'],
  ])('%s', ([, word, placed]) => {
    expect(placeWord(word, '/root', ['/app', '/etc/shop'])).toBe(placed);
  });

  test('volumes inside one another are refused, side by side they are not', () => {
    const spec = (paths: readonly string[]): Parameters<typeof mountPathsOf>[0] => ({
      sandbox: 'uid',
      name: 'main',
      attempt: 0,
      image: '',
      command: ['true'],
      args: [],
      env: [],
      limits: {},
      mounts: paths.map((path) => ({ path, hostPath: '/volumes/x', readOnly: false })),
    });
    expect(mountPathsOf(spec(['/app/', '/application']))).toEqual(['/app', '/application']);
    expect(() => mountPathsOf(spec(['/app', '/app/data']))).toThrow('/app/data lies inside volume /app');
  });
});

describe('whose process it is', () => {
  const row = (pid: number, parent: number, session: number, startTicks = '5'): ProcessRow => ({
    pid,
    parent,
    session,
    startTicks,
    centiseconds: 0,
  });
  const claims: readonly Claim[] = [{ id: 'pod.main.0', pid: 10, startTicks: '5' }];
  const rowsOf = (...rows: readonly ProcessRow[]): ReadonlyMap<number, ProcessRow> =>
    new Map(rows.map((one) => [one.pid, one]));

  test.for<readonly [string, readonly ProcessRow[], readonly ProcessRow[], string | undefined]>([
    ['the program itself', [row(10, 9, 10)], [], 'pod.main.0'],
    ['a child in a session of its own', [row(12, 10, 12), row(10, 9, 10)], [], 'pod.main.0'],
    ['an orphan of the session', [row(12, 1, 10)], [], 'pod.main.0'],
    ['whoever got its process id later is not it', [row(10, 1, 10, '77')], [], undefined],
    ['nor is what that one started', [row(12, 10, 10), row(10, 1, 10, '77')], [], undefined],
    ['a stranger', [row(20, 1, 20)], [], undefined],
  ])('%s', ([, chain, others, id]) => {
    expect(claimedBy(chain, claims, rowsOf(...chain, ...others))).toBe(id);
  });

  test('a process that waits to be reaped is none', () => {
    const line = (state: string): string =>
      `12 (a) b) ${state} 10 12 11 0 -1 4194560 1 0 0 0 3 4 1 2 20 0 1 0 5 1 1 1 1`;
    expect(parseRow(line('S'))).toEqual({ pid: 12, parent: 10, session: 11, startTicks: '5', centiseconds: 10 });
    expect(parseRow(line('Z'))).toBeUndefined();
  });
});
