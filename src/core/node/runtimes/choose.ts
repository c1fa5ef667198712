/** Which runtime this machine and user can have: tried for real, best first, and said aloud. */
import type { Clock } from '../../../std/clock.ts';
import type { Logger } from '../../../std/log.ts';
import { createHollowRuntime } from './hollow.ts';
import { createBareRuntime } from './process/bare.ts';
import type { ProcessOwner } from './process/bare.ts';
import { createProcessRuntime } from './process/process.ts';
import { isInUserNamespace } from './process/shared.ts';
import type { Runtime } from './runtime.ts';
import { RuntimeError } from './runtime.ts';

export interface RuntimeChoice {
  /** `auto`: the best there is, at worst `hollow`. `process`: programs really run, or Unsupported is thrown. */
  readonly kind: 'auto' | 'process' | 'hollow';
  /** `none`: containers are programs of this account, kept apart by nothing; never chosen unless asked for. */
  readonly isolation: 'auto' | 'none';
  /** Absolute folder for state and containers' files; made for this user alone. */
  readonly state: string;
  /** Folders no container may see: Gatehouse's home, keys. */
  readonly hide: readonly string[];
  /** Name of this node's group in each cgroup tree: one path segment, unique on the machine. */
  readonly cgroup: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How containers come to be: as root, in user namespaces, as bare processes, or pretended. */
export type RuntimeMode = 'root' | 'rootless' | 'bare' | 'hollow';

export interface ChosenRuntime {
  readonly runtime: Runtime;
  readonly mode: RuntimeMode;
  /** Whose process it is, where no network of their own tells pods apart. */
  readonly ownerOf?: (pid: number) => Promise<ProcessOwner>;
}

/**
 * The runtime for `choice`, with what an earlier agent left in its folder adopted, and its mode. What it cannot keep
 * apart is in `runtime.isolation.missing`. Throws RuntimeError Unsupported where `process` was asked for and cannot be.
 */
export async function chooseRuntime(choice: RuntimeChoice): Promise<ChosenRuntime> {
  if (choice.kind === 'hollow') return { runtime: createHollowRuntime(choice.clock), mode: 'hollow' };
  if (choice.isolation === 'none') {
    const runtime = await createBareRuntime(choice);
    return { runtime, mode: 'bare', ownerOf: runtime.ownerOf };
  }
  try {
    return { runtime: await createProcessRuntime(choice), mode: isInUserNamespace() ? 'rootless' : 'root' };
  } catch (error) {
    if (choice.kind === 'process' || !(error instanceof RuntimeError) || error.reason !== 'Unsupported') throw error;
    choice.log.warn(
      'containers are only pretended on this node; --runtime process --isolation none runs them, with all that this account may do',
      { why: error.message },
    );
    return { runtime: createHollowRuntime(choice.clock), mode: 'hollow' };
  }
}
