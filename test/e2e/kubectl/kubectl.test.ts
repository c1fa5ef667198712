/** Every kubectl of this machine against the built program: what people type every day, and what it has to answer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/std/clock.ts';
import { findKubectls } from '../../support/kubectls.ts';
import { needs } from '../../support/needs.ts';
import { startUp } from '../support/up.ts';
import type { Up } from '../support/up.ts';
import { jobsFor, leftOut, loadGroups, runJobs, titleOf } from './groups.ts';

const groups = await loadGroups();
const later = new Set(leftOut.flatMap(({ checks }) => checks));
const present = groups.map((group) => ({
  ...group,
  checks: group.checks.filter(({ name }) => !later.has(`${group.name}: ${name}`)),
}));
const isHere = needs('kubectl against gatehouse up', ['kubectl'], 'apt-get install kubernetes-client');
const jobs = jobsFor(isHere ? findKubectls() : [], present);

test('what is left out is there to be left out', () => {
  const all = new Set(groups.flatMap(({ name, checks }) => checks.map((check) => `${name}: ${check.name}`)));
  const loaded = [...later].filter((name) => groups.some((group) => name.startsWith(`${group.name}: `)));
  expect(loaded.filter((name) => !all.has(name))).toEqual([]);
});

describe.runIf(isHere)('kubectl', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'gatehouse-kubectl-'));
  let up: Up | undefined;
  let outcomes: ReadonlyMap<string, Promise<Error | undefined>> = new Map();

  beforeAll(async () => {
    up = await startUp(['--nodes', '1', '--cluster-cidr', '10.83.0.0/16']);
    outcomes = runJobs(jobs, { kubeconfig: up.kubeconfig, scratch }, 3, within);
  });

  afterAll(async () => {
    await up?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const job of jobs) {
    describe(`${job.kubectl.version} ${job.group.name}`, () => {
      for (const check of job.group.checks) {
        test(check.name, async () => {
          expect(await outcomes.get(titleOf(job, check))).toBeUndefined();
        });
      }
    });
  }
});

async function within(ms: number, work: Promise<void>): Promise<void> {
  const late = new AbortController();
  const tooLate = async (): Promise<void> => {
    await systemClock.sleep(ms, late.signal);
    throw new Error(`no answer in ${ms} ms`);
  };
  const deadline = tooLate();
  deadline.catch(() => undefined); // an aborted wait is no failure
  try {
    await Promise.race([work, deadline]);
  } finally {
    late.abort();
  }
}
