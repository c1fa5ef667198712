/**
 * One word for a pod: what `kubectl get pods` shows as STATUS, and how many of its containers are ready and were
 * restarted. The word is the phase, unless a container has something more to say.
 */
import { age, conditionStatus, numberAt, textAt } from './cells.ts';
import type { Fields } from './conform.ts';
import { listIn, structIn } from './rules.ts';

export interface PodSummary {
  readonly status: string;
  readonly ready: number;
  readonly total: number;
  /** `3 (5m ago)`. */
  readonly restarts: string;
}

export function summarizePod(pod: Fields, now: number): PodSummary {
  const spec = structIn(pod, 'spec');
  const status = structIn(pod, 'status');
  const inits = listIn(spec, 'initContainers');
  const sidecars = new Set(inits.filter((c) => c['restartPolicy'] === 'Always').map((c) => c['name']));
  const initStatuses = listIn(status, 'initContainerStatuses');
  const statuses = listIn(status, 'containerStatuses');

  const waitsFor = initWord(initStatuses, sidecars, inits.length);
  const started = waitsFor === undefined || conditionStatus(pod, 'Initialized') === 'True';
  const sidecarStatuses = initStatuses.filter((c) => sidecars.has(c['name']));
  const counted = started ? [...sidecarStatuses, ...statuses] : initStatuses;
  const ready =
    sidecarStatuses.filter((c) => c['started'] === true && c['ready'] === true).length +
    (started ? statuses.filter(isRunning).length : 0);

  return {
    status: finalWord(
      pod,
      status,
      (started ? containerWord(pod, status, statuses) : waitsFor) ?? phaseWord(pod, status),
    ),
    ready,
    total: listIn(spec, 'containers').length + sidecars.size,
    restarts: restartsText(counted, now),
  };
}

function phaseWord(pod: Fields, status: Fields | undefined): string {
  const gated = listIn(structIn(pod, 'status'), 'conditions').some(
    (one) => one['type'] === 'PodScheduled' && one['reason'] === 'SchedulingGated',
  );
  return gated ? 'SchedulingGated' : textAt(status, 'reason') || textAt(status, 'phase');
}

/** What the first init container that is not done is at, or undefined when all are. */
function initWord(statuses: readonly Fields[], sidecars: ReadonlySet<unknown>, total: number): string | undefined {
  for (const [index, container] of statuses.entries()) {
    const state = structIn(container, 'state');
    const terminated = structIn(state, 'terminated');
    const waiting = textAt(state, 'waiting.reason');
    if (terminated !== undefined && numberAt(terminated, 'exitCode') === 0) continue;
    if (sidecars.has(container['name']) && container['started'] === true) continue;
    if (terminated !== undefined) return `Init:${exitWord(terminated)}`;
    if (waiting !== '' && waiting !== 'PodInitializing') return `Init:${waiting}`;
    return `Init:${index}/${total}`;
  }
  return undefined;
}

/** What the first container that has something to say says; the phase when none has. */
function containerWord(pod: Fields, status: Fields | undefined, statuses: readonly Fields[]): string {
  let word = phaseWord(pod, status);
  for (const container of statuses.toReversed()) {
    const state = structIn(container, 'state');
    const waiting = textAt(state, 'waiting.reason');
    const terminated = structIn(state, 'terminated');
    if (waiting !== '') word = waiting;
    else if (terminated !== undefined) word = exitWord(terminated);
  }
  if (word !== 'Completed' || !statuses.some(isRunning)) return word;
  return conditionStatus(pod, 'Ready') === 'True' ? 'Running' : 'NotReady';
}

function finalWord(pod: Fields, status: Fields | undefined, word: string): string {
  if (textAt(pod, 'metadata.deletionTimestamp') === '') return word;
  if (textAt(status, 'reason') === 'NodeLost') return 'Unknown';
  const phase = textAt(status, 'phase');
  return phase === 'Succeeded' || phase === 'Failed' ? word : 'Terminating';
}

function exitWord(terminated: Fields): string {
  const reason = textAt(terminated, 'reason');
  if (reason !== '') return reason;
  const signal = numberAt(terminated, 'signal');
  return signal === 0 ? `ExitCode:${numberAt(terminated, 'exitCode')}` : `Signal:${signal}`;
}

function isRunning(container: Fields): boolean {
  return container['ready'] === true && structIn(structIn(container, 'state'), 'running') !== undefined;
}

function restartsText(statuses: readonly Fields[], now: number): string {
  const restarts = statuses.reduce((sum, one) => sum + numberAt(one, 'restartCount'), 0);
  const last = statuses
    .map((one) => textAt(one, 'lastState.terminated.finishedAt'))
    .toSorted()
    .at(-1);
  return restarts === 0 || last === undefined || last === '' ? String(restarts) : `${restarts} (${age(last, now)} ago)`;
}
