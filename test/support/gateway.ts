/** A gateway that listens on 127.0.0.1 with everything real behind it but the database: store and audit sink are in memory. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPolicy } from '../../src/audit/policy.ts';
import { createRecorder, type AuditRow } from '../../src/audit/recorder.ts';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import { defaultPolicy as defaultRoles } from '../../src/authz/default-roles-table.ts';
import { followKinds } from '../../src/core/resources/custom/kinds.ts';
import { celRules } from '../../src/core/resources/custom/cel-rules.ts';
import { createResources } from '../../src/core/resources/registry.ts';
import { createGateway, type Gateway, type GatewayDeps } from '../../src/gateway/gateway.ts';
import { kubeconfig } from '../../src/gateway/kubeconfig.ts';
import { issueClientCertificate, openPki, servingNames, type KeyPair, type Pki } from '../../src/gateway/pki.ts';
import type { ServerDeadlines } from '../../src/gateway/server.ts';
import { systemClock } from '../../src/std/clock.ts';
import { silentLogger } from '../../src/std/log.ts';
import { memoryStore, type MemoryStore } from './memory-store.ts';

export interface TestGateway {
  readonly gateway: Gateway;
  readonly store: MemoryStore<AuditRow>;
  readonly pki: Pki;
  /** Every row that was recorded apart from a change, durable or not. */
  readonly rows: readonly AuditRow[];
  /** Whether the store claims to be current. */
  readonly database: { current: boolean };
  issue(user: string, groups: readonly string[]): Promise<KeyPair>;
  /** A kubeconfig file of a new user. */
  kubeconfigFor(user: string, groups: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Starts one; stop it when done. */
export async function startTestGateway(
  options: { readonly deadlines?: Partial<ServerDeadlines>; readonly deps?: Partial<GatewayDeps> } = {},
): Promise<TestGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-gateway-'));
  const clock = systemClock;
  const pki = await openPki(join(folder, 'pki'), { now: clock.now(), names: servingNames([]) });
  const store = memoryStore<AuditRow>();
  const database = { current: true };
  const rows: AuditRow[] = [];
  const keep = (row: AuditRow): void => {
    rows.push(row);
  };
  const sink = { durable: async (row: AuditRow) => keep(row), lazy: keep };
  const recorder = createRecorder({ policy: defaultPolicy, sink, gatewayId: 'test', epoch: 1n, clock });
  const authorizer = createAuthorizer();
  for (const object of defaultRoles) authorizer.observe({ kind: 'set', object: { ...object } });
  const kinds = await followKinds(store);
  const resources = createResources<AuditRow>({
    kinds,
    store,
    clock,
    random: (count) => randomBytes(count),
    uid: () => randomUUID(),
    guards: [],
    rules: celRules,
  });
  const gateway = await createGateway(
    {
      clock,
      log: silentLogger,
      store: {
        get: (key, fresh, signal) => store.get(key, fresh, signal),
        revision: () => store.revision(),
        isCurrent: () => database.current,
      },
      resources,
      recorder,
      authorizer,
      kinds,
      table: (type, objects, { list }) => ({
        kind: 'Table',
        apiVersion: 'meta.k8s.io/v1',
        metadata: list ?? {},
        columnDefinitions: [{ name: 'Name', type: 'string', format: 'name', description: '', priority: 0 }],
        rows: objects.map((object) => ({ cells: [object.metadata.name], object: { kind: type.kind } })),
      }),
      openapi: {
        paths: () => ['api/v1'],
        document: (path) => (path === 'api/v1' ? '{"openapi":"3.0.0"}' : undefined),
        v2: (form) => (form === 'json' ? '{"swagger":"2.0"}' : Buffer.from([0x0a, 3, 0x32, 0x2e, 0x30])),
      },
      audit: undefined,
      streams: undefined,
      upgrades: new Map(),
      checks: [],
      gauges: [],
      ...options.deps,
    },
    {
      host: '127.0.0.1',
      port: 0,
      tls: { ...pki.serving, clientCa: pki.ca.cert },
      serviceAccountKey: pki.serviceAccountKey,
      issuer: 'https://kubernetes.default.svc.cluster.local',
      release: 'test',
      ...(options.deadlines === undefined ? {} : { deadlines: options.deadlines }),
    },
  );
  const issue = (user: string, groups: readonly string[]): Promise<KeyPair> =>
    issueClientCertificate(pki.ca, { user, groups, days: 1, now: clock.now() });
  return {
    gateway,
    store,
    pki,
    rows,
    database,
    issue,
    async kubeconfigFor(user, groups) {
      const file = join(folder, `${randomUUID()}.kubeconfig`);
      const identity = await issue(user, groups);
      writeFileSync(file, kubeconfig({ server: gateway.url, ca: pki.ca.cert, user, identity }), { mode: 0o600 });
      return file;
    },
    async stop() {
      await gateway.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
