import { describe, expect, test } from 'vitest';
import { cgroupParents, limitWrites } from '../../../../../src/core/node/runtimes/process/cgroups.ts';
import { programMounts } from '../../../../../src/core/node/runtimes/process/layers.ts';
import { fitsOverlay, overlayRoot, planMounts } from '../../../../../src/core/node/runtimes/process/mounts.ts';
import { hostInterface, uplinkOf } from '../../../../../src/core/node/runtimes/process/network.ts';
import { programFile } from '../../../../../src/core/node/runtimes/process/shim.ts';
import { parseStat } from '../../../../../src/core/node/runtimes/process/state.ts';

const mount = { hostPath: '/state/vol', path: '/data', readOnly: false, isFile: false };
const request = {
  folder: '/state/c',
  base: [],
  proc: { readOnly: [], folders: [], files: [] },
  mounts: [mount],
  ttyGroup: 5,
};

describe('mounts', () => {
  test("the host's root is the lowest layer, the mask above it", () => {
    expect(overlayRoot('/state/c', ['/l/pod', '/l/mask'], [])[0]).toContain('lowerdir=/l/pod:/l/mask:/,');
  });

  test('a path cannot add a field or a line', () => {
    const hostPath = '/state/a b\nnone / tmpfs rw 0 0\\';
    const { outside } = planMounts({ ...request, mounts: [{ ...mount, hostPath }] });
    expect(outside).toContain(
      String.raw`/state/a\040b\012none\040/\040tmpfs\040rw\0400\0400\134 /state/c/root/.gatehouse/src/0 none`,
    );
  });

  test('outer mounts come before those inside them', () => {
    const mounts = [{ ...mount, path: '/data/deep' }, mount];
    expect(planMounts({ ...request, mounts }).inside).toMatch(/\/data none[^]*\/data\/deep none/);
  });

  test('read-only is asked of the mount itself', () => {
    expect(planMounts({ ...request, mounts: [{ ...mount, readOnly: true }] }).inside).toContain('nodev,ro,');
  });

  test.for(['/a,b', '/a:b', '/a b', '/a\\b'])('overlay cannot hold %s', (folder) => {
    expect(fitsOverlay(folder)).toBe(false);
  });

  test('file systems that hold programs are shown, others are not', () => {
    const mountinfo = ['/', '/usr', '/opt/tools', '/home', '/optional', '/lib64', '/var/lib'].map(
      (path, id) => `${id} 1 0:1 / ${path} rw - ext4 /dev/x rw`,
    );
    expect(programMounts(mountinfo.join('\n'))).toEqual(['/usr', '/opt/tools', '/lib64']);
  });
});

describe('what to run', () => {
  test('newlines and backslashes stay within their line', () => {
    expect(programFile(['a\nEPATH=x', 'b\\n'], [], '/')).toBe('D/\nAa\\nEPATH=x\nAb\\\\n\n');
  });

  test('names that a shell cannot hold go through env, all others stay out of argument lists', () => {
    const env = ['PLAIN', 'with.dot', 'IFS', 'BASH_ENV'].map((name) => ({ name, value: '1' }));
    expect(programFile(['run'], env, '/w')).toBe(
      'D/w\nEPLAIN=1\nA/usr/bin/env\nAwith.dot=1\nAIFS=1\nABASH_ENV=1\nArun\n',
    );
  });
});

describe('limits', () => {
  test('are written as version 1 and version 2 name them', () => {
    const limits = { memoryBytes: 1024, cpuMillis: 250, pids: 7 };
    const lines = (kind: 'v1' | 'v2'): string[] =>
      limitWrites(kind, limits).map(({ file, value }) => `${file}=${value}`);
    expect(lines('v1')).toEqual([
      'memory.limit_in_bytes=1024',
      'cpu.cfs_period_us=100000',
      'cpu.cfs_quota_us=25000',
      'pids.max=7',
    ]);
    expect(lines('v2')).toEqual([
      'memory.max=1024',
      'memory.swap.max=0',
      'memory.oom.group=1',
      'cpu.max=25000 100000',
      'pids.max=7',
    ]);
  });

  test('version 1 wins where both are mounted, as its controllers are then there', () => {
    const v1 = '1 1 0:1 / /nowhere/memory rw - cgroup cgroup rw,memory';
    const v2 = '2 1 0:1 / /nowhere/unified rw - cgroup2 cgroup2 rw';
    expect(cgroupParents(`${v2}\n${v1}`, '4:memory:/mine')).toEqual({
      kind: 'v1',
      parents: { memory: '/nowhere/memory' },
    });
    expect(cgroupParents(v2, '0::/')).toEqual({ kind: 'v2', parents: { unified: '/nowhere/unified' } });
    expect(cgroupParents('', '')).toMatchObject({ kind: 'none' });
  });
});

test('a process name cannot pretend another start time', () => {
  const tail = Array.from({ length: 22 }, (_, index) => String(index + 3)).join(' ');
  expect(parseStat(`42 (evil) S 1 1) ${tail}`)).toEqual({ pid: 42, startTicks: '22' });
  expect(parseStat('')).toBeUndefined();
});

test("a link name fits the kernel and is the pod's own", () => {
  expect(hostInterface('a')).toMatch(/^gh[0-9a-f]{12}$/);
  expect(hostInterface('a')).not.toBe(hostInterface('b'));
});

test('the uplink is the interface of the default route with the smallest metric', () => {
  const route = (name: string, to: string, metric: number): string =>
    `${name}\t${to}\t010200C0\t0003\t0\t0\t${metric}\t${to === '00000000' ? to : '00FFFFFF'}\t0\t0\t0   `;
  const table = (...routes: string[]): string => ['Iface\tDestination\tGateway', ...routes, ''].join('\n');
  expect(uplinkOf(table(route('a', '0002000A', 0), route('b', '00000000', 600), route('c', '00000000', 100)))).toBe(
    'c',
  );
  expect(uplinkOf(table(route('a', '0002000A', 0)))).toBe(undefined);
});
