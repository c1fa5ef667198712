/** The controllers process: scheduler and controllers, each behind an election of its own, all of them clients of the API. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterRole, PolicyRule } from '../api/types/rbac.ts';
import { selectsAny, uniqueRules } from '../authz/aggregate.ts';
import { createClient } from '../core/cluster/client.ts';
import type { ClusterClient } from '../core/cluster/client.ts';
import { runElection } from '../core/cluster/lease.ts';
import { createTransport } from '../core/cluster/transport.ts';
import { runCertificates } from '../core/controllers/certificates.ts';
import type { CertificateSigner } from '../core/controllers/certificates.ts';
import { runClusterRoles } from '../core/controllers/cluster-roles.ts';
import { startInformers } from '../core/controllers/context.ts';
import type { ControllerContext } from '../core/controllers/context.ts';
import { runDeployments } from '../core/controllers/deployment.ts';
import { runEndpoints } from '../core/controllers/endpoints.ts';
import { runGarbageCollector } from '../core/controllers/garbage.ts';
import { runNamespaces } from '../core/controllers/namespaces.ts';
import { runNodeLifecycle } from '../core/controllers/node-lifecycle.ts';
import { runReplicaSets } from '../core/controllers/replicaset.ts';
import { runServiceAccounts } from '../core/controllers/service-accounts.ts';
import { runScheduler } from '../core/scheduler/scheduler.ts';
import { parseSigningRequest, signRequest } from '../gateway/signing-request.ts';
import type { SignerName } from '../gateway/signing-request.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import type { Running } from '../std/stop.ts';
import { accountClient } from './account-client.ts';
import { readKubeconfig } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { Home } from './home.ts';
import { identityFile } from './identities.ts';
import { runNetworkPolicies } from './netpolicy-controller.ts';
import { release } from './release.ts';

const signers: readonly SignerName[] = [
  'kubernetes.io/kube-apiserver-client',
  'kubernetes.io/kube-apiserver-client-kubelet',
  'kubernetes.io/kubelet-serving',
];

export interface ControllersOptions {
  readonly home: Home;
  readonly clock: Clock;
  readonly log: Logger;
  /** Range of pod addresses of the whole cluster. */
  readonly clusterCIDR: string;
}

/** Takes part in both elections until it is stopped. */
export async function startControllers({ home, clock, log, clusterCIDR }: ControllersOptions): Promise<Running> {
  const ended = new AbortController();
  const identity = `${hostname()}_${randomUUID()}`;
  const forControllers = readKubeconfig(identityFile(home, 'controllers'));
  const forScheduler = readKubeconfig(identityFile(home, 'scheduler'));
  const anonymous = createTransport({ ...forControllers, identity: () => undefined, clock });
  const controllers = connect(forControllers, 'kube-controller-manager', clock);
  const scheduler = connect(forScheduler, 'kube-scheduler', clock);
  const accounts = new Map<string, ClusterClient>();
  const clientFor = (name: string): ClusterClient => {
    const known = accounts.get(name);
    if (known !== undefined) return known;
    const { server } = forControllers;
    const userAgent = `gatehouse/${release} ${name}`;
    const client = accountClient({
      name,
      parent: controllers.client,
      fetch: anonymous.fetch,
      server,
      userAgent,
      clock,
    });
    accounts.set(name, client);
    return client;
  };
  const election = { namespace: 'kube-system', identity, clock, log };
  const elections = [
    runElection(
      {
        ...election,
        client: controllers.client,
        name: 'kube-controller-manager',
        lead: (signal) => {
          const informers = startInformers({ client: controllers.client, clock, log, signal });
          const context = { clientFor, informers, clock, log, signal };
          return leadControllers(context, { ca: forControllers.ca, clusterCIDR, signer: createSigner(home, clock) });
        },
      },
      ended.signal,
    ),
    runElection(
      {
        ...election,
        client: scheduler.client,
        name: 'kube-scheduler',
        lead: (signal) => runScheduler({ client: scheduler.client, clock, log, signal }),
      },
      ended.signal,
    ),
  ];
  return {
    stop: async () => {
      ended.abort();
      await Promise.all(elections);
      await Promise.all([controllers.transport.stop(), scheduler.transport.stop(), anonymous.stop()]);
    },
  };
}

/** Runs every controller until the context's signal aborts; throws when one of them cannot start. */
async function leadControllers(
  context: ControllerContext,
  options: { readonly ca: string; readonly clusterCIDR: string; readonly signer: CertificateSigner },
): Promise<void> {
  await Promise.all([
    runCertificates(context, options.signer),
    runClusterRoles(context, aggregate),
    runDeployments(context),
    runEndpoints(context),
    runGarbageCollector(context),
    runNamespaces(context),
    runNetworkPolicies(context),
    runNodeLifecycle(context, options),
    runReplicaSets(context),
    runServiceAccounts(context, options.ca),
  ]);
  await new Promise<void>((resolve) => {
    if (context.signal.aborted) resolve();
    context.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** The rules that an aggregated role shows: those of every role that one of its selectors selects. */
function aggregate(role: ClusterRole, all: readonly ClusterRole[]): readonly PolicyRule[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
  const selected = all.filter(
    ({ metadata }) => metadata.name !== role.metadata.name && selectsAny(selectors, metadata.labels),
  );
  const ordered = selected.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return uniqueRules(ordered.flatMap(({ rules = [] }) => rules));
}

/** Signs with the authority in the home folder: this process and the gateway are the only ones that read its key. */
function createSigner(home: Home, clock: Clock): CertificateSigner {
  const read = (file: string): string => readFileSync(join(home.pki, file), 'utf8');
  return {
    inspect: parseSigningRequest,
    sign: async ({ signerName, request, expirationSeconds }) => {
      const signer = signers.find((each) => each === signerName);
      if (signer === undefined) return undefined;
      const days = Math.min((expirationSeconds ?? 365 * 86_400) / 86_400, 365);
      return signRequest(
        { cert: read('ca.crt'), key: read('ca.key') },
        { pem: request, signer, days, now: clock.now() },
      );
    },
  };
}

function connect(
  credentials: Credentials,
  userAgent: string,
  clock: Clock,
): { readonly client: ClusterClient; readonly transport: ReturnType<typeof createTransport> } {
  const { server, ca, identity } = credentials;
  const transport = createTransport({ server, ca, identity: () => identity, clock });
  return {
    transport,
    client: createClient({ fetch: transport.fetch, server, userAgent: `gatehouse/${release} ${userAgent}` }),
  };
}
