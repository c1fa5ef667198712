/** What a Deployment tells about its rollout. Pure; `now` in milliseconds since the epoch. */
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../api/types/apps.ts';
import { parseInstant, rfc3339 } from '../../std/clock.ts';
import { rollingBounds } from './deployment-plan.ts';

// The largest number of the field's type: upstream's way to say that there is no deadline.
const noDeadline = 2 ** 31 - 1;

/** Counts and conditions for `deployment` with its sets as they are. `current` is undefined until it exists. */
export function deploymentStatus(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  now: number,
): DeploymentStatus {
  const sets = current === undefined ? old : [...old, current];
  const sum = (of: (set: ReplicaSet) => number | undefined): number =>
    sets.reduce((count, set) => count + (of(set) ?? 0), 0);
  const replicas = deployment.spec.replicas ?? 1;
  const counts = {
    replicas: sum((set) => set.status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum((set) => set.status?.readyReplicas),
    availableReplicas: sum((set) => set.status?.availableReplicas),
  };
  const known = deployment.status?.conditions ?? [];
  const enough = counts.availableReplicas >= replicas - rollingBounds(deployment).unavailable;
  const available: Finding = enough
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
  const failure = current?.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
  const findings: readonly Finding[] = [
    available,
    ...progress(deployment, current, counts, now),
    ...(failure === undefined
      ? []
      : [
          {
            type: 'ReplicaFailure',
            status: 'True',
            reason: failure.reason ?? '',
            message: failure.message ?? '',
          } as const,
        ]),
  ];
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...counts,
    unavailableReplicas: Math.max(replicas - counts.availableReplicas, counts.replicas - counts.availableReplicas, 0),
    conditions: findings.map((finding) => settle(finding, known, now)),
    ...(deployment.status?.collisionCount === undefined ? {} : { collisionCount: deployment.status.collisionCount }),
  };
}

/** Whether the rollout has come to its end. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const replicas = deployment.spec.replicas ?? 1;
  return (
    status.updatedReplicas === replicas &&
    status.replicas === replicas &&
    status.availableReplicas === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

/** How long until the progress deadline passes, or undefined when none is running. */
export function progressDeadlineInMs(
  deployment: Deployment,
  status: DeploymentStatus,
  now: number,
): number | undefined {
  const seconds = deployment.spec.progressDeadlineSeconds;
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  if (seconds === undefined || seconds >= noDeadline || deployment.spec.paused === true) return undefined;
  if (progressing?.status !== 'True' || progressing.reason === 'NewReplicaSetAvailable') return undefined;
  const since = parseInstant(progressing.lastUpdateTime ?? '') ?? now;
  return Math.max(since + seconds * 1000 - now, 0) + 1;
}

interface Finding {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  /** Progress was made: the deadline counts from now. */
  readonly moved?: boolean;
}

function progress(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  counts: Pick<DeploymentStatus, 'replicas' | 'updatedReplicas' | 'readyReplicas' | 'availableReplicas'>,
  now: number,
): readonly Finding[] {
  if ((deployment.spec.progressDeadlineSeconds ?? noDeadline) >= noDeadline) return [];
  const known = deployment.status?.conditions?.find(({ type }) => type === 'Progressing');
  const finding = (status: 'True' | 'False' | 'Unknown', reason: string, message: string): readonly Finding[] => [
    { type: 'Progressing', status, reason, message },
  ];
  const set = current === undefined ? '' : `ReplicaSet "${current.metadata.name}"`;
  const replicas = deployment.spec.replicas ?? 1;
  const done =
    counts.updatedReplicas === replicas && counts.replicas === replicas && counts.availableReplicas === replicas;
  if (deployment.spec.paused === true && known?.reason === 'ProgressDeadlineExceeded') return [keep(known)];
  if (deployment.spec.paused === true) return finding('Unknown', 'DeploymentPaused', 'Deployment is paused');
  if (known?.reason === 'DeploymentPaused') return finding('Unknown', 'DeploymentResumed', 'Deployment is resumed');
  if (done && current !== undefined)
    return finding('True', 'NewReplicaSetAvailable', `${set} has successfully progressed.`);
  if (current === undefined) return known === undefined ? [] : [keep(known)];
  // A rollout that has ended stays so, also when a pod fails later: its deadline is over.
  const others = (counts.replicas ?? 0) - (counts.updatedReplicas ?? 0);
  if (known?.reason === 'NewReplicaSetAvailable' && known.message?.startsWith(set) === true && others === 0)
    return [keep(known)];
  const before = deployment.status;
  const moved =
    known === undefined ||
    known.reason === 'NewReplicaSetAvailable' ||
    known.reason === 'DeploymentResumed' ||
    known.message?.startsWith(set) !== true || // another template: its time begins now
    (counts.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    (counts.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (counts.availableReplicas ?? 0) > (before?.availableReplicas ?? 0) ||
    others < (before?.replicas ?? 0) - (before?.updatedReplicas ?? 0);
  if (moved)
    return [
      { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message: `${set} is progressing.`, moved },
    ];
  const since = parseInstant(known.lastUpdateTime ?? '') ?? now;
  if (known.status === 'True' && now - since > (deployment.spec.progressDeadlineSeconds ?? noDeadline) * 1000) {
    return finding('False', 'ProgressDeadlineExceeded', `${set} has timed out progressing.`);
  }
  return [keep(known)];
}

function keep(known: DeploymentCondition): Finding {
  return {
    type: known.type ?? '',
    status: known.status ?? 'Unknown',
    reason: known.reason ?? '',
    message: known.message ?? '',
  };
}

/** `finding` with its times: the transition's when the status turned, the update's when anything did or progress was made. */
function settle(finding: Finding, known: readonly DeploymentCondition[], now: number): DeploymentCondition {
  const before = known.find(({ type }) => type === finding.type);
  const time = rfc3339(now);
  const lasting = before?.status === finding.status;
  const same = lasting && before?.reason === finding.reason;
  return {
    type: finding.type,
    status: finding.status,
    lastUpdateTime: same && finding.moved !== true ? (before?.lastUpdateTime ?? time) : time,
    lastTransitionTime: lasting ? (before?.lastTransitionTime ?? time) : time,
    reason: finding.reason,
    message: finding.message,
  };
}
