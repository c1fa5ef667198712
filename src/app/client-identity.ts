/**
 * Who dials a service where pods share the machine's network: found by the process that holds the client's socket. What
 * another machine sends is its address's; what another account of this machine or this account itself sends is the
 * node's, which reaches its pods in every cluster; a pod's process is that pod, whatever address it dials from. Whoever
 * cannot be told apart is unknown.
 */
import { networkInterfaces } from 'node:os';
import type { ProcessOwner } from '../core/node/runtimes/process/bare.ts';
import type { Sandbox } from '../core/node/runtimes/runtime.ts';
import type { ClientSocket, SocketHolder } from '../netpolicy/backends/sockets.ts';
import type { ClientIdentity } from '../netpolicy/backends/userspace.ts';

export interface ClientIdentityOptions {
  readonly holderOf: (client: ClientSocket) => Promise<SocketHolder>;
  readonly ownerOf: (pid: number) => Promise<ProcessOwner>;
  readonly sandboxes: () => Promise<readonly Sandbox[]>;
  /** This machine's own addresses; asked each time, as they come and go. */
  readonly ownAddresses?: () => readonly string[];
}

/** The identity of `client`. */
export async function identifyClient(options: ClientIdentityOptions, client: ClientSocket): Promise<ClientIdentity> {
  const own = (options.ownAddresses ?? machineAddresses)();
  if (!client.address.startsWith('127.') && !own.includes(client.address)) {
    return { kind: 'address', address: client.address };
  }
  const holder = await options.holderOf(client);
  if (holder.kind === 'other') return { kind: 'node' };
  if (holder.kind === 'none') return { kind: 'unknown' };
  const owners = await Promise.all(holder.pids.map(options.ownerOf));
  const pods = new Set(owners.flatMap((owner) => (owner.kind === 'pod' ? [owner.uid] : [])));
  // A socket that a pod shares with anybody is that pod's; one of two pods is nobody's.
  const [uid] = pods;
  if (pods.size > 1) return { kind: 'unknown' };
  if (uid !== undefined) return podIdentity(await options.sandboxes(), uid);
  return owners.every(({ kind }) => kind === 'account') ? { kind: 'node' } : { kind: 'unknown' };
}

function podIdentity(sandboxes: readonly Sandbox[], uid: string): ClientIdentity {
  const sandbox = sandboxes.find(({ id }) => id === uid);
  if (sandbox?.spec.network.kind === 'host') return { kind: 'node' };
  return sandbox?.address === undefined ? { kind: 'unknown' } : { kind: 'pod', address: sandbox.address };
}

function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}
