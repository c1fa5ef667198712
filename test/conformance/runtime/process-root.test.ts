import { mkdtempSync } from 'node:fs';
import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe } from 'vitest';
import { createProcessRuntime } from '../../../src/core/node/runtimes/process/process.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { needs } from '../../support/needs.ts';
import { runtimeContract } from './contract.ts';

const can = needs(
  'the process runtime as root',
  ['root', 'ip', 'setpriv'],
  'apt-get install iproute2 util-linux, and run as root (an ordinary user: process-rootless.test.ts)',
);

describe.skipIf(!can)('as root', () => {
  runtimeContract({
    name: 'process',
    executes: true,
    create: () => {
      const state = mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-runtime-`);
      return createProcessRuntime({
        state,
        hide: [],
        cgroup: 'gatehouse-contract',
        clock: systemClock,
        log: silentLogger,
      });
    },
  });
});
