/**
 * How many requests a second does the gateway answer, compared with a bare Hono server behind TLS? One object is read over
 * and over: keep-alive HTTP/1.1, a service account's token, the whole chain, one fact row for each request. Gateway, bare
 * server, load generator and Postgres are processes of their own. Rounds of the two servers alternate; a round of the
 * gateway ends when the last of its rows is committed. `--seconds N`: how long each of the two is loaded (60).
 * `--profile DIR` leaves a CPU profile of the gateway there.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { Client } from 'pg';
import { readKubeconfig } from '../src/app/credentials.ts';
import { createClient } from '../src/core/cluster/client.ts';
import type { ClusterClient } from '../src/core/cluster/client.ts';
import { namespaces, pods, resourceRef, serviceAccounts } from '../src/core/cluster/resource-ref.ts';
import { createTransport } from '../src/core/cluster/transport.ts';
import { startEmbeddedPostgres } from '../src/core/store/embedded.ts';
import { systemClock as clock } from '../src/std/clock.ts';
import { silentLogger as log } from '../src/std/log.ts';
import type { Running } from '../src/std/stop.ts';

import type { Bench } from './main.ts';
import type { BareOptions } from './support/bare.ts';
import { flagOf } from './support/flag.ts';
import type { LoadOrder, LoadResult } from './support/load.ts';
import { processorMs, startHelper, startProgram } from './support/process.ts';

const rounds = 6;
const connections = 32;
const warmUpMs = 3000;
const drainMs = 60_000;
/** As `gatehouse up` starts its gateway; the bare server has the same. */
const nodeFlags = ['--max-semi-space-size=64'];

const namespace = 'bench';
const account = 'reader';
const path = `/api/v1/namespaces/${namespace}/pods/one`;

interface Contestant {
  readonly pid: number;
  readonly port: number;
  /** Resolves when the work that answering `count` requests has left behind is done. */
  readonly settle: (count: number) => Promise<void>;
}

interface Round {
  readonly perSecond: number;
  readonly result: LoadResult;
  readonly processorUs: number;
}

/** npm run bench -- gateway */
export const bench: Bench = async (report, note, flags) => {
  const roundMs = (Number(flagOf(flags, 'seconds') ?? 60) * 1000) / rounds;
  const parts: Running[] = [];
  try {
    const { contestants, order } = await prepare(parts, flagOf(flags, 'profile'));
    const load = startHelper('load');
    parts.push(load);
    const run = async (contestant: Contestant, ms: number): Promise<Round> => {
      const busyBefore = processorMs(contestant.pid) ?? Number.NaN;
      const result = (await load.ask({ ...order, port: contestant.port, ms }, ms + 30_000)) as LoadResult;
      const answeredAt = clock.monotonic();
      if (result.failed > 0) throw new Error(`${result.failed} requests were not answered with 200`);
      await contestant.settle(result.answered);
      const tookMs = result.ms + (clock.monotonic() - answeredAt);
      const busyMs = (processorMs(contestant.pid) ?? Number.NaN) - busyBefore;
      const { answered } = result;
      return { result, perSecond: (answered * 1000) / tookMs, processorUs: (busyMs * 1000) / answered };
    };
    const results = { bare: [] as Round[], gateway: [] as Round[] };
    for (let round = 0; round <= rounds; round++) {
      for (const name of ['bare', 'gateway'] as const) {
        const result = await run(contestants[name], round === 0 ? warmUpMs : roundMs);
        if (round > 0) results[name].push(result);
      }
    }
    const of = (name: keyof typeof results, value: (round: Round) => number): number =>
      median(results[name].map(value));
    const rate = (round: Round): number => round.perSecond;
    const ratios = results.gateway.map(
      (ours, index) => ours.perSecond / (results.bare[index]?.perSecond ?? Number.NaN),
    );
    note(
      `${cpus().length} cores (${cpus()[0]?.model ?? ''}), load ${loadavg()[0]?.toFixed(1)}, node ${process.version}`,
    );
    note(
      `${connections} connections, ${rounds} rounds of ${roundMs / 1000} s each; ratios ${ratios.map((one) => one.toFixed(2)).join(' ')}`,
    );
    report({ metric: 'GET one object, bare', value: of('bare', rate), unit: '1/s' });
    report({
      metric: 'GET one object',
      value: of('gateway', rate),
      unit: '1/s',
      ratioTo: 'bare',
      ratio: median(ratios),
    });
    for (const quantile of ['p50', 'p99'] as const) {
      const value = of('gateway', ({ result }) => result[quantile]);
      const bare = of('bare', ({ result }) => result[quantile]);
      report({ metric: `GET one object ${quantile}`, value, unit: 'ms', ratioTo: 'bare', ratio: value / bare });
    }
    const ours = of('gateway', ({ processorUs }) => processorUs);
    const bare = of('bare', ({ processorUs }) => processorUs);
    report({ metric: 'processor time of a request, bare', value: bare, unit: 'µs' });
    report({ metric: 'processor time of a request', value: ours, unit: 'µs', ratioTo: 'bare', ratio: ours / bare });
  } finally {
    for (const part of parts.toReversed()) await part.stop();
  }
};

/** Starts everything and makes the object and the account that may read it. */
async function prepare(
  parts: Running[],
  profile: string | undefined,
): Promise<{
  readonly contestants: Readonly<Record<'bare' | 'gateway', Contestant>>;
  readonly order: Omit<LoadOrder, 'port' | 'ms'>;
}> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'));
  parts.push({ stop: () => rm(home, { recursive: true, force: true }) });
  const postgres = await startEmbeddedPostgres({ home, log, clock });
  parts.push(postgres);
  const program = join(import.meta.dirname, '..', 'src', 'cli', `main${extname(import.meta.filename)}`);
  const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${profile}`];
  const gateway = await startProgram(
    process.execPath,
    [...nodeFlags, ...profiling, program, 'gateway', '--home', home, '--port', '0'],
    { env: { GATEHOUSE_DATABASE_URL: postgres.url }, ms: 60_000 },
  );
  parts.push(gateway);
  const admin = readKubeconfig(join(home, 'kubeconfig'));
  const transport = createTransport({ ...admin, identity: () => admin.identity, clock });
  parts.push(transport);
  const client = createClient({ fetch: transport.fetch, server: admin.server, userAgent: 'gatehouse-bench' });
  const { body, token } = await populate(client);

  const bare = startHelper('bare', nodeFlags);
  parts.push(bare);
  const [key, cert] = await Promise.all(
    ['key', 'crt'].map((kind) => readFile(join(home, 'pki', `serving.${kind}`), 'utf8')),
  );
  const options: BareOptions = { key: key ?? '', cert: cert ?? '', body };
  const { port } = (await bare.ask(options, 20_000)) as { readonly port: number };

  const database = new Client({ connectionString: postgres.url });
  await database.connect();
  parts.push({ stop: () => database.end() });
  return {
    contestants: {
      bare: { pid: bare.pid, port, settle: async () => {} },
      gateway: { pid: gateway.pid, port: Number(new URL(admin.server).port), settle: rowsCounted(database) },
    },
    order: { ca: admin.ca, path, token, connections },
  };
}

/** Waits until each request has its row, and none has two. Throws when rows are missing after 60 s. */
function rowsCounted(database: Client): (count: number) => Promise<void> {
  let before = 0;
  const user = `system:serviceaccount:${namespace}:${account}`;
  return async (count) => {
    const giveUpAt = clock.monotonic() + drainMs;
    for (;;) {
      const { rows } = await database.query<{ rows: string }>(
        'select count(*) as rows from audit_facts where user_name = $1',
        [user],
      );
      const found = Number(rows[0]?.rows ?? 0) - before;
      if (found > count) throw new Error(`${found} fact rows for ${count} requests`);
      if (found === count) {
        before += count;
        return;
      }
      if (clock.monotonic() > giveUpAt) throw new Error(`${found} fact rows for ${count} requests`);
      await clock.sleep(20);
    }
  };
}

async function populate(client: ClusterClient): Promise<{ readonly body: string; readonly token: string }> {
  await client.create(namespaces, { metadata: { name: namespace }, spec: {} });
  for (const name of ['default', account]) await client.create(serviceAccounts, { metadata: { namespace, name } });
  const container = { name: 'main', image: 'registry.example/bench:1', command: ['sleep', 'infinity'] };
  await client.create(pods, { metadata: { namespace, name: 'one' }, spec: { containers: [container] } });
  const rbac = (resource: string, kind: string) => resourceRef('rbac.authorization.k8s.io', 'v1', resource, kind);
  const role = {
    metadata: { namespace, name: account },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
  };
  const binding = {
    metadata: { namespace, name: account },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account },
    subjects: [{ kind: 'ServiceAccount', namespace, name: account }],
  };
  await client.create(rbac('roles', 'Role'), role);
  await client.create(rbac('rolebindings', 'RoleBinding'), binding);
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [], expirationSeconds: 3600 },
  };
  const { status } = (await client.post(serviceAccounts, { namespace, name: account }, 'token', request)) as {
    readonly status: { readonly token: string };
  };
  return { body: JSON.stringify(await client.get(pods, { namespace, name: 'one' })), token: status.token };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
