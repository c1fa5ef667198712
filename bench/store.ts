/**
 * How many creates and updates a second does the store commit, each with an audit row, compared with etcd on the same
 * disk, at 1, 16 and 128 writers? Rounds of the two alternate; the figures are medians.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { createStore } from '../src/core/store/create-store.ts';
import { startEmbeddedPostgres } from '../src/core/store/embedded.ts';
import type { Companion, Mutation } from '../src/core/store/store.ts';
import { systemClock as clock } from '../src/std/clock.ts';
import { silentLogger as log } from '../src/std/log.ts';
import { byteaArray, textArray } from '../src/std/postgres-array.ts';
import type { KubeObject } from '../src/api/meta.ts';
import type { Bench } from './main.ts';
import { startEtcd } from './support/etcd.ts';

const roundMs = 2000;
const rounds = 5;

/** Commits one write each time it is called. */
type Writer = () => Promise<void>;

interface Contestant {
  /** A writer that creates an object per call, or updates one object over and over. */
  creator(name: string): Promise<Writer>;
  updater(name: string): Promise<Writer>;
  stop(): Promise<void>;
}

/** npm run bench -- store */
export const bench: Bench = async (report, note) => {
  note(execFileSync('etcd', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '');
  const contestants = { gatehouse: await startGatehouse(note), etcd: await startEtcdContestant() };
  try {
    for (const kind of ['create', 'update'] as const) {
      for (const writers of [1, 16, 128]) {
        const results = { gatehouse: [] as Round[], etcd: [] as Round[] };
        for (let round = 0; round <= rounds; round++) {
          for (const name of ['gatehouse', 'etcd'] as const) {
            const result = await run(contestants[name], kind, writers);
            if (round > 0) results[name].push(result); // the first warms up
          }
        }
        const [ours, theirs] = [median(results.gatehouse, 'perSecond'), median(results.etcd, 'perSecond')];
        const metric = `${kind} ${writers} writers`;
        report({ metric: `${metric} etcd`, value: theirs, unit: '1/s' });
        report({ metric, value: ours, unit: '1/s', ratioTo: 'etcd', ratio: ours / theirs });
        for (const quantile of ['p50', 'p99'] as const) {
          const value = median(results.gatehouse, quantile);
          const ratio = value / median(results.etcd, quantile);
          report({ metric: `${metric} ${quantile}`, value, unit: 'ms', ratioTo: 'etcd', ratio });
        }
      }
    }
  } finally {
    await contestants.gatehouse.stop();
    await contestants.etcd.stop();
  }
};

interface Round {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

let runs = 0;

async function run(contestant: Contestant, kind: 'create' | 'update', count: number): Promise<Round> {
  runs += 1;
  const names = Array.from({ length: count }, (_, i) => `run-${runs}-${i}`);
  const writers = await Promise.all(
    names.map((name) => (kind === 'create' ? contestant.creator(name) : contestant.updater(name))),
  );
  const times: number[] = [];
  const start = clock.monotonic();
  await Promise.all(
    writers.map(async (write) => {
      for (let now = clock.monotonic(); now - start < roundMs;) {
        await write();
        const then = now;
        now = clock.monotonic();
        times.push(now - then);
      }
    }),
  );
  const tookMs = clock.monotonic() - start;
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
  return { perSecond: (times.length * 1000) / tookMs, p50: at(0.5), p99: at(0.99) };
}

function median(results: readonly Round[], of: keyof Round): number {
  const sorted = results.map((round) => round[of]).toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** A pod as a small deployment makes it: about 1 KiB of JSON. */
function pod(name: string, turn: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'bench',
      labels: { app: 'bench', turn: String(turn) },
      uid: '5b1f7c0e-6f0e-4a53-8f0b-2f1f2a1f9c11',
    },
    spec: {
      nodeName: 'node-1',
      serviceAccountName: 'default',
      containers: [
        {
          name: 'main',
          image: 'registry.example/bench:1',
          command: ['sleep', 'infinity'],
          env: [{ name: 'PADDING', value: 'x'.repeat(500) }],
        },
      ],
      restartPolicy: 'Always',
    },
    status: { phase: 'Running', podIP: '10.0.0.1', startTime: '2026-01-01T00:00:00Z' },
  };
}

interface AuditLike {
  readonly fact: string;
  readonly event: Buffer;
}

export const companion: Companion<AuditLike> = {
  insert: (rows) => ({
    name: 'bench_rows',
    text: 'insert into bench_rows (fact, event) select * from unnest($1::text[], $2::bytea[])',
    values: [textArray(rows.map((row) => row.fact)), byteaArray(rows.map((row) => row.event))],
  }),
};

async function startGatehouse(note: (text: string) => void): Promise<Contestant> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'));
  const postgres = await startEmbeddedPostgres({ home, log, clock });
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(
    'create table bench_rows (id bigint generated always as identity primary key, fact text not null, event bytea)',
  );
  const { rows } = await client.query<{ name: string; setting: string }>(
    `select name, setting from pg_settings
     where name in ('server_version', 'fsync', 'full_page_writes', 'synchronous_commit', 'wal_sync_method')`,
  );
  note(rows.map(({ name, setting }) => `${name}=${setting}`).join(' '));
  await client.end();
  const store = await createStore<AuditLike>({ url: postgres.url, companion, clock, log });
  const event = Buffer.from(JSON.stringify({ kind: 'Event', apiVersion: 'audit.k8s.io/v1', padding: 'x'.repeat(600) }));
  const write = async (mutation: Mutation): Promise<bigint> => {
    const verdict = await store.write(mutation, (revision) => [
      { fact: `alice ${mutation.kind} pods bench ${mutation.key.name} ${revision}`, event },
    ]);
    if (verdict.outcome !== 'committed') throw new Error(verdict.outcome);
    return verdict.stored.revision;
  };
  const create = (name: string): Promise<bigint> =>
    write({ kind: 'create', key: { resource: 'pods', namespace: 'bench', name }, object: pod(name, 0) });
  return {
    creator: async (prefix) => {
      let turn = 0;
      return async () => {
        await create(`${prefix}-${turn++}`);
      };
    },
    updater: async (name) => {
      let expected = await create(name);
      let turn = 0;
      return async () => {
        const key = { resource: 'pods', namespace: 'bench', name };
        expected = await write({ kind: 'update', key, object: pod(name, turn++), expected });
      };
    },
    stop: async () => {
      await store.stop();
      await postgres.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function startEtcdContestant(): Promise<Contestant> {
  const etcd = await startEtcd();
  const valueOf = (name: string, turn: number): Buffer => Buffer.from(JSON.stringify(pod(name, turn)));
  return {
    creator: async (prefix) => {
      let turn = 0;
      return async () => {
        const name = `${prefix}-${turn++}`;
        await etcd.create(`/registry/pods/bench/${name}`, valueOf(name, 0));
      };
    },
    updater: async (name) => {
      const key = `/registry/pods/bench/${name}`;
      let expected = await etcd.create(key, valueOf(name, 0));
      let turn = 0;
      return async () => {
        expected = await etcd.update(key, valueOf(name, turn++), expected);
      };
    },
    stop: () => etcd.stop(),
  };
}
