/** One node agent process: identity, runtime, data plane, pods and the tunnel back to the gateway, put together. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '../core/cluster/client.ts';
import { createTransport } from '../core/cluster/transport.ts';
import { obtainIdentity } from '../core/node/identity.ts';
import { startNodeAgent } from '../core/node/node-agent.ts';
import { chooseRuntime } from '../core/node/runtimes/choose.ts';
import { RuntimeError } from '../core/node/runtimes/runtime.ts';
import { startTunnel } from '../core/node/tunnel.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import type { Running } from '../std/stop.ts';
import { chooseDataPlane } from './choose-dataplane.ts';
import { readKubeconfig } from './credentials.ts';
import type { Home } from './home.ts';
import { identityFile } from './identities.ts';
import { stopAll } from './lifetime.ts';
import { machineAddress } from './machine-address.ts';
import type { IsolationKind, NetworkRanges } from './network-ranges.ts';
import { startNodeDataPlane } from './node-dataplane.ts';
import { release } from './release.ts';
import { UsageError } from './usage-error.ts';

export interface NodeOptions {
  readonly home: Home;
  readonly name: string;
  readonly runtime: string;
  readonly dataplane: string;
  /** Whether this node's proxy serves the host's own clients, too; of several nodes on one host one does. */
  readonly serveHost: boolean;
  readonly isolation: IsolationKind;
  /** What pods reach outside of these ranges sees the node's address. */
  readonly ranges: NetworkRanges;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NodeProcess extends Running {
  /** Sentences about what is not isolated or enforced here; empty when everything is. */
  readonly notEnforced: readonly string[];
  /** Ends the containers of this node; their objects stay, so that the next start brings them back. */
  stopPods(): Promise<void>;
}

/** The agent is registered and follows its pods when it resolves. */
export async function startNode(options: NodeOptions): Promise<NodeProcess> {
  const { home, name, clock, log } = options;
  const parts: Running[] = [];
  const folder = join(home.nodes, name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stop = async (): Promise<void> => {
    for (const error of await stopAll(parts.splice(0))) log.warn('a part did not stop cleanly', { error });
  };
  try {
    // First of all: it closes what this process inherited and must not leak into containers.
    const chosenRuntime = await chooseRuntime({
      kind: options.runtime === 'process' || options.runtime === 'hollow' ? options.runtime : 'auto',
      isolation: options.isolation,
      state: join(folder, 'runtime'),
      hide: [home.folder],
      cgroup: cgroupName(home, name),
      clock,
      log,
    }).catch(explain);
    const { runtime } = chosenRuntime;
    const bootstrap = readKubeconfig(identityFile(home, 'bootstrap'));
    const { server, ca } = bootstrap;
    const identity = await joinCluster(options, folder, bootstrap);
    const transport = createTransport({ server, ca, identity: () => identity, clock });
    parts.push(transport);
    const client = createClient({ fetch: transport.fetch, server, userAgent: `gatehouse/${release} node ${name}` });
    const chosen = await chooseDataPlane({
      kind: options.dataplane,
      key: `${home.folder} ${name}`,
      chosen: chosenRuntime,
      serveHost: options.serveHost,
      ranges: options.ranges,
      clock,
      log,
    });
    const dataPlane =
      chosen.plane &&
      (await startNodeDataPlane({
        plane: chosen.plane,
        node: name,
        client,
        adopted: (await runtime.list()).sandboxes,
        clock,
        log,
      }));
    if (dataPlane !== undefined) parts.push(dataPlane);
    const notEnforced = [...runtime.isolation.missing, ...chosen.notEnforced].map(sentence);
    const agent = await startNodeAgent({
      client,
      runtime,
      guard: dataPlane?.guard ?? { podAdded: async () => {}, podRemoved: async () => {} },
      clock,
      log,
      folder,
      facts: {
        name,
        address: machineAddress() ?? '127.0.0.1',
        runtime: runtime.name,
        notEnforced,
        version: `v${release}`,
        maxPods: 110,
      },
      nameservers: [],
      clusterDomain: 'cluster.local',
    });
    parts.push(agent);
    parts.push(startTunnel({ server, ca, identity: () => identity, agent, runtime, nodeName: name, clock, log }));
    return {
      notEnforced,
      stop,
      stopPods: async () => {
        await agent.stopPods().catch((error: unknown) => log.warn('pods stay', { error }));
        await dataPlane?.stopAndClean().catch((error: unknown) => log.warn('rules stay', { error }));
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** They stand one after another in the node's condition. */
function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}

/** What this machine cannot give is for a person to decide. */
function explain(error: unknown): never {
  throw error instanceof RuntimeError && error.reason === 'Unsupported' ? new UsageError(error.message, error) : error;
}

async function joinCluster(
  { name, clock }: NodeOptions,
  folder: string,
  bootstrap: ReturnType<typeof readKubeconfig>,
): Promise<{ readonly cert: string; readonly key: string }> {
  const { server, ca, identity } = bootstrap;
  const transport = createTransport({ server, ca, identity: () => identity, clock });
  try {
    return await obtainIdentity({
      bootstrap: createClient({ fetch: transport.fetch, server, userAgent: `gatehouse/${release} join ${name}` }),
      folder,
      name,
      clock,
      signal: AbortSignal.timeout(90_000),
      // Only a node without an identity needs this, and what it loads is large.
      createRequest: async (subject) => (await import('../gateway/signing-request.ts')).createSigningRequest(subject),
    });
  } finally {
    await transport.stop();
  }
}

/** A name for the node's control groups: unlike that of a node of the same name of another Gatehouse on this machine. */
function cgroupName(home: Home, name: string): string {
  let hash = 0;
  for (const char of home.folder) hash = (hash * 31 + char.charCodeAt(0)) >>> 0;
  return `gatehouse-${hash.toString(16)}-${name}`;
}
