/**
 * Each part a process of its own, and one of them away: the controllers that lead, the database, the gateway. A test client
 * follows all the while as any informer does, and the database's own record says what really happened.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCaller } from '../../bench/support/caller.ts';
import type { Answer, Caller } from '../../bench/support/caller.ts';
import { readKubeconfig } from '../../src/app/credentials.ts';
import { createClient } from '../../src/core/cluster/client.ts';
import type { ClusterClient } from '../../src/core/cluster/client.ts';
import { startInformer } from '../../src/core/cluster/informer.ts';
import { configMaps, leases, pods } from '../../src/core/cluster/resource-ref.ts';
import { createTransport } from '../../src/core/cluster/transport.ts';
import { systemClock as clock } from '../../src/std/clock.ts';
import { silentLogger } from '../../src/std/log.ts';
import type { Running } from '../../src/std/stop.ts';
import { runSql } from '../support/postgres.ts';
import { prepareParts } from './support/parts.ts';
import type { Parts } from './support/parts.ts';
import { eventually } from './support/up.ts';
import type { Program } from './support/up.ts';

const namespace = 'default';
const maps = `/api/v1/namespaces/${namespace}/configmaps`;
const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;

let parts: Parts;
let gateway: Program;
let leader: Program;
let follower: Program;
let caller: Caller;
let client: ClusterClient;
let transport: Running;
const ended = new AbortController();

beforeAll(async () => {
  parts = await prepareParts();
  gateway = await parts.start('gateway');
  leader = await parts.start('controllers');
  const credentials = readKubeconfig(parts.kubeconfig);
  caller = createCaller(credentials);
  const made = createTransport({ ...credentials, identity: () => credentials.identity, clock });
  transport = made;
  client = createClient({ fetch: made.fetch, server: credentials.server, userAgent: 'e2e' });
  await eventually('the first controllers process leads', 30_000, async () =>
    (await holders()).every((one) => one !== ''),
  );
  follower = await parts.start('controllers');
  await parts.start('node', '--name', 'node-1', '--runtime', 'hollow', '--dataplane', 'none');
});

afterAll(async () => {
  ended.abort();
  caller.stop();
  await transport.stop();
  await parts.stop();
});

/** Who holds the leases of controllers and scheduler. */
async function holders(): Promise<readonly string[]> {
  const read = async (name: string): Promise<string> =>
    (await client.get(leases, { namespace: 'kube-system', name })).spec.holderIdentity ?? '';
  return Promise.all(['kube-controller-manager', 'kube-scheduler'].map(read));
}

function deployment(name: string, replicas: number): object {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'none' }] } };
  return { metadata: { name, namespace }, spec: { replicas, selector: { matchLabels: labels }, template } };
}

async function scale(name: string, replicas: number): Promise<number> {
  return (await caller.call('PATCH', `${deployments}/${name}`, { spec: { replicas } })).code;
}

/** Uids of the running pods of a deployment; nothing while their number is not `count`. */
async function running(name: string, count: number): Promise<readonly string[] | undefined> {
  const { items } = await client.list(pods, { namespace, labelSelector: `app=${name}` });
  const ready = items.filter(({ status }) => status?.phase === 'Running');
  return items.length === count && ready.length === count ? ready.map(({ metadata }) => metadata.uid ?? '') : undefined;
}

/** How many objects of a kind whose names begin with `prefix` were ever created. */
async function everCreated(resource: string, prefix: string): Promise<number> {
  const sql = `select count(*)::int as n from store_changes where kind = 0 and resource = $1 and name like $2`;
  return (await runSql<{ n: number }>(parts.databaseUrl, sql, [resource, `${prefix}%`]))[0]?.n ?? 0;
}

describe('controllers', () => {
  test('two processes: one leads; when it is killed the other one does within 15 s, and nothing is created twice', async () => {
    const first = await holders();
    expect((await caller.call('POST', deployments, deployment('taken-over', 2))).code).toBe(201);
    await eventually('two replicas run', 60_000, () => running('taken-over', 2));
    expect(await holders()).toEqual(first);

    expect(await scale('taken-over', 5)).toBe(200); // the leader is cut off somewhere in this
    const killedAt = clock.monotonic();
    leader.signal('SIGKILL');
    await leader.ended;
    expect(await scale('taken-over', 7)).toBe(200); // and this happens while nobody leads
    await eventually('both leases have another holder', 60_000, async () =>
      (await holders()).every((holder, index) => holder !== first[index] && holder !== ''),
    );
    expect(clock.monotonic() - killedAt).toBeLessThan(15_000);

    await eventually('seven replicas run', 60_000, () => running('taken-over', 7));
    expect(await everCreated('pods', 'taken-over-')).toBe(7);
    expect(await everCreated('replicasets.apps', 'taken-over-')).toBe(1);
    leader = follower;
    follower = await parts.start('controllers');
  });
});

describe('the database', () => {
  test('15 s away: refused with 503, none hangs, watches go on without loss, and all of it recovers by itself', async () => {
    expect((await caller.call('POST', deployments, deployment('through', 2))).code).toBe(201);
    const before = await eventually('two replicas run', 60_000, () => running('through', 2));
    const watch = await followMaps();
    const told = new Map<string, number>(); // the last answer counts: a name that was refused may be tried again
    const create = async (name: string): Promise<Answer> => {
      const answer = await caller.call('POST', maps, { metadata: { name, namespace } });
      told.set(name, answer.code);
      return answer;
    };
    for (let n = 0; n < 5; n++) expect((await create(`before-${n}`)).code).toBe(201);

    const thaw = parts.freezeDatabase();
    const frozenAt = clock.monotonic();
    const refused: Answer[] = [];
    const slowestMs = { first: 0, later: 0 };
    const during: Promise<unknown>[] = [];
    const ask = async (work: () => Promise<Answer>): Promise<void> => {
      const began = clock.monotonic();
      const answer = await work();
      const when = began - frozenAt < 6_000 ? 'first' : 'later';
      slowestMs[when] = Math.max(slowestMs[when], clock.monotonic() - began);
      if (answer.code >= 400 || answer.code === 0) refused.push(answer);
    };
    const alive = { asked: 0, well: 0, slowestMs: 0 };
    const live = async (): Promise<void> => {
      const began = clock.monotonic();
      alive.asked += 1;
      if ((await caller.call('GET', '/livez')).code === 200) alive.well += 1;
      alive.slowestMs = Math.max(alive.slowestMs, clock.monotonic() - began);
    };
    for (let n = 0; clock.monotonic() - frozenAt < 15_000; n++) {
      during.push(ask(() => create(`during-${n}`)));
      during.push(ask(() => caller.call('GET', maps)));
      during.push(ask(() => caller.call('GET', `/api/v1/namespaces/${namespace}/secrets`)));
      during.push(live());
      await clock.sleep(500);
    }
    thaw();
    await Promise.all(during);
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set([503]));
    expect(refused.length).toBeGreaterThan(20);
    for (const { body } of refused) expect(body).toMatchObject({ kind: 'Status', status: 'Failure', code: 503 });
    // A change whose COMMIT was under way is answered when its outcome is known. What comes when the outage has been
    // noticed is refused at once, after its record has waited for the database for 5 s at most.
    expect(slowestMs.first).toBeLessThan(20_000);
    expect(slowestMs.later).toBeLessThan(8_000);
    expect(alive.slowestMs).toBeLessThan(3_000);
    expect(alive.well).toBe(alive.asked);

    await eventually('writes are taken again', 20_000, async () => (await create('first-after')).code !== 503);
    for (let n = 0; n < 5; n++) expect((await create(`after-${n}`)).code).toBe(201);
    const happened = await watch.happened();
    await eventually('the watch has come to the end', 20_000, () => watch.seen.length >= happened.length);
    expect(watch.seen).toEqual(happened);
    expect(watch.lists()).toBe(1);
    const made = new Set(happened.map((each) => each.split(' ')[0]));
    for (const [name, code] of told) expect([name, made.has(name)]).toEqual([name, code === 201]);

    expect(await scale('through', 4)).toBe(200);
    const later = await eventually('the deployment follows', 60_000, () => running('through', 4));
    expect(before.filter((uid) => !later.includes(uid))).toEqual([]);
    expect(await everCreated('pods', 'through-')).toBe(4);
  });
});

describe('the gateway', () => {
  test.for<NodeJS.Signals>(['SIGKILL', 'SIGTERM'])(
    'ended by %s and started again: informers go on where they were, and nobody lists anew',
    async (signal) => {
      const watch = await followMaps();
      const name = `around-${signal.toLowerCase()}`;
      const create = async (which: string): Promise<boolean> =>
        (await caller.call('POST', maps, { metadata: { name: `${name}-${which}`, namespace } })).code === 201;
      expect(await create('before')).toBe(true);
      const endedAt = clock.monotonic();
      gateway.signal(signal);
      await gateway.ended;
      const since = await databaseTime();
      gateway = await parts.start('gateway');
      await eventually('a write is taken', 20_000, () => create('after'));
      const awayMs = clock.monotonic() - endedAt;
      const happened = await watch.happened();
      await eventually('the informer has it', 20_000, () => watch.seen.length >= happened.length);
      expect(watch.seen).toEqual(happened);
      expect(watch.lists()).toBe(1);

      expect((await caller.call('POST', deployments, deployment(name, 2))).code).toBe(201);
      await eventually('controllers, scheduler and node follow, too', 60_000, () => running(name, 2));
      // Who leads lets go when it cannot renew for 8 s; whoever leads next begins with a list of each kind.
      expect(Math.max(0, ...(await listed(since)).map(({ n }) => n))).toBeLessThanOrEqual(awayMs < 6_000 ? 0 : 1);
    },
  );
});

/** How often each of Gatehouse's own clients has listed each kind since `since`, where at all. */
function listed(since: string): Promise<readonly { readonly n: number }[]> {
  const sql = `select user_agent, resource, count(*)::int as n from audit_facts
    where verb = 'list' and user_agent like 'gatehouse/%' and user_agent not like '%bootstrap' and received_at > $1
    group by user_agent, resource, request_uri`;
  return runSql(parts.databaseUrl, sql, [since]);
}

async function databaseTime(): Promise<string> {
  return (await runSql<{ now: string }>(parts.databaseUrl, 'select clock_timestamp()::text as now'))[0]?.now ?? '';
}

interface Followed {
  /** `NAME REVISION` of each change, in the order in which the informer told of it. */
  readonly seen: readonly string[];
  /** How often it has listed. */
  lists(): number;
  /** What has really happened meanwhile, in the order of commits. */
  happened(): Promise<readonly string[]>;
}

/** Follows config maps of the namespace with an informer, from now on. */
async function followMaps(): Promise<Followed> {
  const seen: string[] = [];
  let lists = 0;
  const counting: ClusterClient = {
    ...client,
    list: (of, query, signal) => {
      lists += 1;
      return client.list(of, query, signal);
    },
  };
  const { signal } = ended;
  const log = silentLogger;
  const informer = startInformer({ client: counting, of: configMaps, query: { namespace }, clock, log, signal });
  await informer.whenSynced(AbortSignal.timeout(20_000));
  const from = (await changes()).length;
  informer.onChange((event) => {
    const { name, resourceVersion = '' } = (event.kind === 'set' ? event.object : event.previous).metadata;
    seen.push(`${name} ${resourceVersion}`);
  });
  return { seen, lists: () => lists, happened: async () => (await changes()).slice(from) };
}

/** Every change of config maps in the namespace so far, in the order of commits. */
async function changes(): Promise<readonly string[]> {
  const sql = `select name || ' ' || revision as change from store_changes where resource = 'configmaps' and namespace = $1 order by revision`;
  return (await runSql<{ change: string }>(parts.databaseUrl, sql, [namespace])).map(({ change }) => change);
}
