/** From the container that a gateway names to the attempt that the runtime knows. Refusals in upstream's words. */
import type { ContainerStatus, Pod } from '../../../api/types/core.ts';
import { StatusError, badRequest } from '../../../api/status.ts';
import type { PodWorker } from '../pod-worker.ts';
import type { Container } from '../runtimes/runtime.ts';
import type { ContainerRef, PodRef } from './wire.ts';

/** What streams ask of the node agent. */
export interface PodFinder {
  find(namespace: string, name: string): { readonly pod: Pod; readonly worker: Pick<PodWorker, 'attempt'> } | undefined;
}

/** The attempt whose log is asked for. Throws NotFound, or BadRequest when there is none yet. */
export function attemptForLog(agent: PodFinder, ref: ContainerRef, previous: boolean): Container {
  const { pod, worker } = podOf(agent, ref);
  const attempt = worker.attempt(ref.container, previous);
  if (attempt !== undefined) return attempt;
  const which = `container "${ref.container}" in pod "${ref.pod}"`;
  if (previous) throw badRequest(`previous terminated ${which} not found`);
  throw badRequest(`${which} is waiting to start: ${waitingReason(pod, ref.container)}`);
}

/** The running attempt. Throws NotFound when the pod is not here, InternalError (as upstream) when it does not run. */
export function runningAttempt(agent: PodFinder, ref: ContainerRef): Container {
  const attempt = podOf(agent, ref).worker.attempt(ref.container, false);
  if (attempt?.state.kind !== 'running') throw notRunning(ref);
  return attempt;
}

export function notRunning({ container }: ContainerRef): StatusError {
  return new StatusError('InternalError', `container not found ("${container}")`);
}

/** The pod, if it is on this node. Throws NotFound. */
export function podOf(agent: PodFinder, ref: PodRef): NonNullable<ReturnType<PodFinder['find']>> {
  const found = agent.find(ref.namespace, ref.pod);
  if (found === undefined || found.pod.metadata.uid !== ref.uid) {
    throw new StatusError('NotFound', `pod "${ref.pod}" is not on this node, or not yet`);
  }
  return found;
}

function waitingReason({ status }: Pod, container: string): string {
  const lists: readonly (readonly ContainerStatus[] | undefined)[] = [
    status?.containerStatuses,
    status?.initContainerStatuses,
  ];
  const known = lists.flatMap((list) => list ?? []).find(({ name }) => name === container);
  return known?.state?.waiting?.reason ?? 'ContainerCreating';
}
