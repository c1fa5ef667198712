/** Which data plane this machine and user can have: tried for real, best first, and said aloud. */
import { readFileSync } from 'node:fs';
import type { ChosenRuntime } from '../core/node/runtimes/choose.ts';
import type { Sandbox } from '../core/node/runtimes/runtime.ts';
import type { DataPlane } from '../netpolicy/backends/backend.ts';
import { createNftables, whyNoNftables } from '../netpolicy/backends/nftables.ts';
import { serviceRangeRoute } from '../netpolicy/backends/service-range.ts';
import { createSocketFinder } from '../netpolicy/backends/sockets.ts';
import { createUserspace } from '../netpolicy/backends/userspace.ts';
import type { UserspaceOptions } from '../netpolicy/backends/userspace.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import { identifyClient } from './client-identity.ts';
import type { NetworkRanges } from './network-ranges.ts';
import { UsageError } from './usage-error.ts';

export interface DataPlaneChoice {
  /** `auto`, `nftables`, `userspace` or `none`. */
  readonly kind: string;
  /** Unlike that of any other node whose rules stand in the same network namespace. */
  readonly key: string;
  readonly chosen: ChosenRuntime;
  /** Whether this node's proxy serves the host's own clients, too; of several nodes on one host one does. */
  readonly serveHost: boolean;
  readonly ranges: NetworkRanges;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ChosenDataPlane {
  /** Undefined: nothing is enforced and no service is served. */
  readonly plane: DataPlane | undefined;
  /** Sentences about what is not enforced here. */
  readonly notEnforced: readonly string[];
}

/** The data plane for `choice`. Throws UsageError where the one that was asked for cannot be. */
export async function chooseDataPlane(choice: DataPlaneChoice): Promise<ChosenDataPlane> {
  const { kind, log, ranges } = choice;
  const { runtime } = choice.chosen;
  if (kind === 'none')
    return withoutPlane('network policy is not enforced and services are not served (--dataplane none).');
  // Pretended pods send nothing that could be judged.
  if (kind === 'auto' && runtime.name === 'hollow') return { plane: undefined, notEnforced: [] };
  if (kind !== 'userspace') {
    const why = runtime.isolation.network
      ? await whyNoNftables()
      : 'pods have no network of their own here: their traffic cannot be told apart in the kernel';
    if (why === undefined)
      return enforcedBy(
        await createNftables({
          ...choice,
          node: choice.key,
          serveOthers: choice.serveHost,
          clusterNetworks: [ranges.pods, ranges.services],
        }),
      );
    if (kind === 'nftables') throw new UsageError(`network policy cannot be enforced by nftables: ${why}`);
    log.warn('network policy is enforced in userspace on this node', { why });
  }
  if (runtime.name === 'hollow')
    throw new UsageError('--dataplane userspace serves pods that run: with hollow nothing does, use --dataplane none');
  // Two proxies cannot listen on one address, and a node's list is not another node's to read.
  if (!choice.serveHost)
    throw new UsageError('with --dataplane userspace a machine is one node: start it with --nodes 1');
  return enforcedBy(createUserspace(userspaceOptions(choice)));
}

function userspaceOptions({ chosen, clock, log, ranges }: DataPlaneChoice): UserspaceOptions {
  const { runtime, ownerOf } = chosen;
  const common = { clock, log, podRange: ranges.pods };
  if (ownerOf === undefined) return { ...common, route: serviceRangeRoute(ranges.services) };
  const holderOf = createSocketFinder(process.getuid?.() ?? 0);
  const sandboxes = async (): Promise<readonly Sandbox[]> => (await runtime.list()).sandboxes;
  return {
    ...common,
    identify: (client) => identifyClient({ holderOf, ownerOf, sandboxes }, client),
    nodePortAddresses: ['127.0.0.1'],
    firstPort: firstUnprivilegedPort(),
  };
}

/** The least port that an ordinary user may listen on. */
function firstUnprivilegedPort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    return 1024; // an old kernel: it cannot be changed there
  }
}

function enforcedBy(plane: DataPlane): ChosenDataPlane {
  return { plane, notEnforced: plane.capabilities.notEnforced };
}

function withoutPlane(why: string): ChosenDataPlane {
  return { plane: undefined, notEnforced: [why] };
}
