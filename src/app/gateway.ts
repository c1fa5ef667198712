/** The gateway process: store, audit, authorization, resources and the door in front of them, put together. */
import { randomBytes, randomUUID } from 'node:crypto';
import { hostname, networkInterfaces } from 'node:os';
import { Pool } from 'pg';
import type { KubeObject } from '../api/meta.ts';
import { toTable } from '../api/schema/columns.ts';
import { openChain, makePartitions } from '../audit/chain.ts';
import { auditCompanion } from '../audit/insert.ts';
import { defaultPolicy } from '../audit/policy.ts';
import { createAuditQuery } from '../audit/query.ts';
import { createRecorder } from '../audit/recorder.ts';
import type { AuditRow, Recorder } from '../audit/recorder.ts';
import { createAuditSink } from '../audit/sink.ts';
import { createAuthorizer } from '../authz/authorizer.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import { escalationOf } from '../authz/escalation.ts';
import { celRules } from '../core/resources/custom/cel-rules.ts';
import { startDefinitionKeeper } from '../core/resources/custom/keeper.ts';
import { followKinds } from '../core/resources/custom/kinds.ts';
import type { ServedKinds } from '../core/resources/custom/kinds.ts';
import { createResources } from '../core/resources/registry.ts';
import type { InternalRows } from '../core/resources/services/allocator.ts';
import { addressRange, defaultRanges, toAddress } from '../core/resources/services/ranges.ts';
import { createStore } from '../core/store/create-store.ts';
import { createSealing } from '../core/store/sealing.ts';
import type { Change, Store } from '../core/store/store.ts';
import { createGateway } from '../gateway/gateway.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { openPki, servingNames } from '../gateway/pki.ts';
import { auditHandler } from '../gateway/routes/audit.ts';
import { createStreams } from '../gateway/streams/streams.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import type { Running } from '../std/stop.ts';
import { bootstrapCluster } from './bootstrap.ts';
import type { Home } from './home.ts';
import { ensureIdentities, readSealingKeys } from './identities.ts';
import { isLoopback } from './network-ranges.ts';
import type { NetworkRanges } from './network-ranges.ts';
import { openApiOf } from './openapi.ts';
import { release } from './release.ts';

export interface GatewayProcessOptions {
  readonly home: Home;
  readonly databaseUrl: string;
  readonly host: string;
  readonly port: number;
  /** Unlike that of any other gateway on the same database. */
  readonly gatewayId: string;
  /** Further names and addresses by which clients reach the gateway. */
  readonly names: readonly string[];
  readonly ranges: NetworkRanges;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface GatewayProcess extends Running {
  readonly url: string;
}

const halfDayMs = 12 * 60 * 60 * 1000;
/** Kinds whose every change authorization has to know before the change is answered. */
const policyResources = [
  'roles.rbac.authorization.k8s.io',
  'clusterroles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
  'clusterrolebindings.rbac.authorization.k8s.io',
  'pods',
  'persistentvolumes',
  'persistentvolumeclaims',
];

/** Serves when it resolves. Throws UsageError and DatabaseUnusable for what a person has to mend. */
export async function startGateway(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const { home, clock, log, ranges } = options;
  // The first address of the service range is the `kubernetes` service's.
  const gatewayServiceIP = toAddress(addressRange(ranges.services).first);
  const started: Running[] = [];
  const stop = async (): Promise<void> => {
    for (const each of started.splice(0).toReversed()) await each.stop();
  };
  try {
    const pki = await openPki(home.pki, { now: clock.now(), names: servingNames(options.names, gatewayServiceIP) });
    const seal = createSealing(readSealingKeys(home.pki, randomBytes));
    const store = await createStore<AuditRow>({
      url: options.databaseUrl,
      clock,
      log,
      companion: auditCompanion(),
      seal,
    });
    started.push(store);
    const pool = new Pool({ connectionString: options.databaseUrl, max: 4, application_name: 'gatehouse audit' });
    pool.on('error', (error) => log.warn('an idle audit connection was lost', { error }));
    started.push({ stop: () => pool.end() });
    const sink = createAuditSink({ pool, clock, log });
    started.push(
      sink,
      repeat(clock, halfDayMs, () => makePartitions(pool), log),
    );
    const epoch = await openChain(pool, options.gatewayId);
    const recorder = createRecorder({ policy: defaultPolicy, sink, gatewayId: options.gatewayId, epoch, clock });

    const authorizer = createAuthorizer({ onError: (error) => log.error('authorization failed', { error }) });
    await followPolicy(store, authorizer);
    const kinds = await followKinds(store);
    started.push(await startDefinitionKeeper({ store, kinds, clock, log, internalRows: internalRows(recorder) }));
    const gateway = await serve(options, {
      kinds,
      pki,
      store,
      recorder,
      authorizer,
      pool,
      queued: () => sink.stats().queuedRows,
    });
    started.push(gateway);
    const url = `https://127.0.0.1:${gateway.port}`;
    await ensureIdentities(home, pki.ca, url, clock.now());
    await bootstrapCluster({
      home,
      clock,
      gateway: {
        clusterIP: gatewayServiceIP,
        serviceCidr: ranges.services,
        address: reachable(options.host),
        port: gateway.port,
      },
    });
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function serve(
  { host, port, ranges, clock, log }: GatewayProcessOptions,
  parts: {
    readonly pki: Awaited<ReturnType<typeof openPki>>;
    readonly store: Store<AuditRow>;
    readonly kinds: ServedKinds;
    readonly recorder: Recorder;
    readonly authorizer: Authorizer;
    readonly pool: Pool;
    readonly queued: () => number;
  },
): Promise<Gateway> {
  const { pki, store, kinds, recorder, authorizer, pool } = parts;
  const resources = createResources<AuditRow>({
    kinds,
    store,
    clock,
    random: (count) => randomBytes(count),
    uid: () => randomUUID(),
    guards: [refuseEscalation(authorizer)],
    rules: celRules,
    serviceRanges: { ...defaultRanges, clusterCIDR: ranges.services },
    loopbackPods: isLoopback(ranges.pods) ? [ranges.pods] : [],
    internalRows: internalRows(recorder),
  });
  return createGateway(
    {
      clock,
      log,
      store,
      resources,
      recorder,
      authorizer,
      kinds,
      table: (type, objects, { format, list, now }) =>
        toTable(type, objects, { includeObject: format.includeObject, now, metadata: list ?? {} }),
      openapi: openApiOf(kinds),
      audit: auditHandler(createAuditQuery({ pool, clock })),
      streams: createStreams({ store, clock, log }),
      upgrades: new Map(),
      checks: [],
      gauges: [{ name: 'gatehouse_audit_queued_rows', help: 'Audit rows not yet committed.', value: parts.queued }],
    },
    {
      host,
      port,
      tls: { key: pki.serving.key, cert: pki.serving.cert, clientCa: pki.ca.cert },
      serviceAccountKey: pki.serviceAccountKey,
      issuer: 'https://kubernetes.default.svc.cluster.local',
      release,
    },
  );
}

/** The address of this gateway that pods can reach, if it listens on one: the one asked for, or the machine's own for "any". */
function reachable(host: string): string | undefined {
  if (host === 'localhost' || host.startsWith('127.') || host === '::1') return undefined;
  if (host !== '0.0.0.0' && host !== '::') return host;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return own.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}

/** Hands every change of policy to the authorizer, the present first. */
async function followPolicy(store: Store<AuditRow>, authorizer: Authorizer): Promise<void> {
  const observe = ({ kind, stored }: Change): void =>
    authorizer.observe({ kind: kind === 'deleted' ? 'delete' : 'set', object: stored.object });
  for (const resource of policyResources) await store.observe(resource, observe);
}

/** Roles and bindings are refused when they grant more than their author holds. */
function refuseEscalation(authorizer: Authorizer) {
  return async (
    call: { readonly user: Parameters<typeof escalationOf>[0]['user'] },
    _target: unknown,
    old: KubeObject | undefined,
    object: KubeObject,
  ): Promise<void> => {
    const refusal = escalationOf({ user: call.user, old, object }, authorizer);
    if (refusal !== undefined) throw refusal;
  };
}

/** Records of writes that the gateway makes of itself, such as holding a cluster IP: one record a write, however often its batch is formed. */
function internalRows(recorder: Recorder): InternalRows<AuditRow> {
  return ({ kind, key }) => {
    const [resource = '', ...group] = key.resource.split('.');
    const recording = recorder.begin({
      verb: kind,
      requestURI: '',
      isResource: true,
      group: group.join('.'),
      version: 'v1',
      resource,
      subresource: '',
      namespace: key.namespace,
      name: key.name,
      sourceIPs: [],
      userAgent: `gatehouse/${release} (${hostname()})`,
      traceId: '',
    });
    recording.authenticated({ name: 'system:apiserver', uid: '', groups: ['system:masters'], extra: {} }, 'internal');
    recording.decided({ allowed: true, reason: 'the gateway acts for itself', grant: ownRight });
    return (revision) => recording.changeRows(kind === 'create' ? 201 : 200, revision);
  };
}

const ownRight = {
  bindingKind: 'builtin',
  bindingNamespace: '',
  binding: '',
  roleKind: 'builtin',
  role: 'system:masters',
  rule: 0,
} as const;

function repeat(clock: Clock, ms: number, run: () => Promise<void>, log: Logger): Running {
  const ended = new AbortController();
  const loop = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await clock.sleep(ms, ended.signal).catch(() => {});
      if (!ended.signal.aborted)
        await run().catch((error: unknown) => log.warn('audit partitions not made', { error }));
    }
  };
  const running = loop();
  return {
    stop: async () => {
      ended.abort();
      await running;
    },
  };
}
