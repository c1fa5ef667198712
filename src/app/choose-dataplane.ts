/** Which data plane this machine and user can have: tried for real, best first, and said aloud. */
import type { Runtime } from '../core/node/runtimes/runtime.ts';
import type { DataPlane } from '../netpolicy/backends/backend.ts';
import { createNftables, whyNoNftables } from '../netpolicy/backends/nftables.ts';
import { createUserspace } from '../netpolicy/backends/userspace.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import { UsageError } from './usage-error.ts';

export interface DataPlaneChoice {
  /** `auto`, `nftables`, `userspace` or `none`. */
  readonly kind: string;
  /** Unlike that of any other node whose rules stand in the same network namespace. */
  readonly key: string;
  readonly runtime: Pick<Runtime, 'isolation' | 'name'>;
  /** Whether this node's proxy serves the host's own clients, too; of several nodes on one host one does. */
  readonly serveHost: boolean;
  /** Ranges of pod addresses and of services. */
  readonly clusterNetworks: readonly string[];
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
  const { kind, clock, log, runtime } = choice;
  if (kind === 'none')
    return withoutPlane('network policy is not enforced and services are not served (--dataplane none).');
  // Pretended pods send nothing that could be judged.
  if (kind === 'auto' && runtime.name === 'hollow') return { plane: undefined, notEnforced: [] };
  if (kind !== 'userspace') {
    const why = runtime.isolation.network
      ? await whyNoNftables()
      : 'pods have no network of their own here: their traffic cannot be told apart in the kernel';
    if (why === undefined)
      return enforcedBy(await createNftables({ ...choice, node: choice.key, serveOthers: choice.serveHost }));
    if (kind === 'nftables') throw new UsageError(`network policy cannot be enforced by nftables: ${why}`);
    log.warn('network policy is enforced in userspace on this node', { why });
  }
  return enforcedBy(createUserspace({ clock, log }));
}

function enforcedBy(plane: DataPlane): ChosenDataPlane {
  return { plane, notEnforced: plane.capabilities.notEnforced.map(sentence) };
}

function withoutPlane(why: string): ChosenDataPlane {
  return { plane: undefined, notEnforced: [sentence(why)] };
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}
