/** What makes pods: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob. Source: apps/v1, batch/v1. */
import type { KubeObject } from '../../../api/meta.ts';
import { matchesLabels, selectorOf } from '../../../api/selector.ts';
import type { FieldCause } from '../../../api/status.ts';
import type { Fields } from '../../../std/value.ts';
import { at, equal, fieldsOf, isFields, textOf, without } from '../../../std/value.ts';
import { forbiddenField, invalidValue, notSupported, required } from './causes.ts';
import type { KindChecks } from './checks.ts';
import { templateCauses } from './pod.ts';
import { isEmptySelector, selectorCauses } from './selector.ts';

const atLeastZero = 'must be greater than or equal to 0';

function countCauses(spec: Fields, field: string, ...names: readonly string[]): readonly FieldCause[] {
  return names.flatMap((name) => {
    const value = spec[name];
    return typeof value === 'number' && value < 0 ? [invalidValue(`${field}.${name}`, value, atLeastZero)] : [];
  });
}

/** A selector, and a template whose labels it selects. */
function selectingCauses(kind: string, spec: Fields): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  const { selector } = spec;
  if (!isFields(selector)) causes.push(required('spec.selector'));
  else {
    causes.push(...selectorCauses(selector, 'spec.selector'));
    if (isEmptySelector(selector))
      causes.push(invalidValue('spec.selector', selector, `empty selector is invalid for ${kind}`));
    const labels = fieldsOf(at(spec, 'template', 'metadata', 'labels')) as Readonly<Record<string, string>>; // decoded as a map of text
    if (!isEmptySelector(selector) && !matchesLabels(selectorOf(selector), labels)) {
      causes.push(invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
    }
  }
  return [...causes, ...templateCauses(fieldsOf(spec['template']), 'spec.template', ['Always'])];
}

function fixed(next: KubeObject, old: KubeObject, ...path: readonly string[]): readonly FieldCause[] {
  const [value, before] = [at(next, ...path), at(old, ...path)];
  return equal(value, before) ? [] : [invalidValue(path.join('.'), value, 'field is immutable')];
}

function deploymentCauses(object: KubeObject): readonly FieldCause[] {
  const spec = fieldsOf(object['spec']);
  const strategy = fieldsOf(spec['strategy']);
  const causes = [
    ...countCauses(spec, 'spec', 'replicas', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'),
  ];
  const type = textOf(strategy['type']);
  if (type === 'Recreate' && strategy['rollingUpdate'] !== undefined) {
    causes.push(
      forbiddenField('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'"),
    );
  } else if (type === 'RollingUpdate')
    causes.push(...rollingCauses(fieldsOf(strategy['rollingUpdate']), 'spec.strategy.rollingUpdate'));
  else if (type !== 'Recreate') causes.push(notSupported('spec.strategy.type', type, ['Recreate', 'RollingUpdate']));
  const [deadline, ready = 0] = [spec['progressDeadlineSeconds'], spec['minReadySeconds']];
  if (typeof deadline === 'number' && typeof ready === 'number' && deadline <= ready) {
    causes.push(invalidValue('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'));
  }
  return [...causes, ...selectingCauses('deployment', spec)];
}

function rollingCauses(rolling: Fields, field: string): readonly FieldCause[] {
  const causes = ['maxUnavailable', 'maxSurge'].flatMap((name) => {
    const value = rolling[name];
    if (typeof value === 'number') return value < 0 ? [invalidValue(`${field}.${name}`, value, atLeastZero)] : [];
    if (typeof value !== 'string') return [];
    if (!/^\d+%$/.test(value))
      return [
        invalidValue(
          `${field}.${name}`,
          value,
          "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
      ];
    const tooMany = name === 'maxUnavailable' && Number.parseInt(value, 10) > 100;
    return tooMany ? [invalidValue(`${field}.${name}`, value, 'must not be greater than 100%')] : [];
  });
  const isZero = (value: unknown): boolean => value === 0 || (typeof value === 'string' && /^0+%$/.test(value));
  return isZero(rolling['maxUnavailable']) && isZero(rolling['maxSurge'])
    ? [
        ...causes,
        invalidValue(`${field}.maxUnavailable`, rolling['maxUnavailable'], 'may not be 0 when `maxSurge` is 0'),
      ]
    : causes;
}

export const deploymentChecks: KindChecks = {
  object: deploymentCauses,
  update: (next, old) => fixed(next, old, 'spec', 'selector'),
};

export const replicaSetChecks: KindChecks = {
  object: (object) => {
    const spec = fieldsOf(object['spec']);
    return [...countCauses(spec, 'spec', 'replicas', 'minReadySeconds'), ...selectingCauses('replicaset', spec)];
  },
  update: (next, old) => fixed(next, old, 'spec', 'selector'),
};

export const daemonSetChecks: KindChecks = {
  object: (object) => {
    const spec = fieldsOf(object['spec']);
    const type = textOf(at(spec, 'updateStrategy', 'type'));
    const known = ['OnDelete', 'RollingUpdate'];
    return [
      ...countCauses(spec, 'spec', 'minReadySeconds', 'revisionHistoryLimit'),
      ...(known.includes(type) ? [] : [notSupported('spec.updateStrategy.type', type, known)]),
      ...selectingCauses('daemonset', spec),
    ];
  },
  update: (next, old) => fixed(next, old, 'spec', 'selector'),
};

const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

export const statefulSetChecks: KindChecks = {
  object: (object) => {
    const spec = fieldsOf(object['spec']);
    const [type, policy] = [textOf(at(spec, 'updateStrategy', 'type')), textOf(spec['podManagementPolicy'])];
    const policies = ['OrderedReady', 'Parallel'];
    return [
      ...countCauses(spec, 'spec', 'replicas', 'minReadySeconds', 'revisionHistoryLimit'),
      ...(policies.includes(policy) ? [] : [notSupported('spec.podManagementPolicy', policy, policies)]),
      ...(['OnDelete', 'RollingUpdate'].includes(type)
        ? []
        : [notSupported('spec.updateStrategy.type', type, ['OnDelete', 'RollingUpdate'])]),
      ...selectingCauses('statefulset', spec),
    ];
  },
  update: (next, old) =>
    equal(without(fieldsOf(next['spec']), ...changeable), without(fieldsOf(old['spec']), ...changeable))
      ? []
      : [
          forbiddenField(
            'spec',
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
          ),
        ],
};

function jobSpecCauses(spec: Fields, field: string): readonly FieldCause[] {
  const causes = [
    ...countCauses(
      spec,
      field,
      'parallelism',
      'completions',
      'activeDeadlineSeconds',
      'backoffLimit',
      'ttlSecondsAfterFinished',
    ),
  ];
  if (spec['completionMode'] === 'Indexed' && spec['completions'] === undefined) {
    causes.push(required(`${field}.completions`, 'when completion mode is Indexed'));
  }
  return [...causes, ...templateCauses(fieldsOf(spec['template']), `${field}.template`, ['OnFailure', 'Never'])];
}

export const jobChecks: KindChecks = {
  object: (object) => jobSpecCauses(fieldsOf(object['spec']), 'spec'),
  update: (next, old) => [
    ...fixed(next, old, 'spec', 'selector'),
    ...fixed(next, old, 'spec', 'completionMode'),
    ...(at(next, 'spec', 'completionMode') === 'Indexed' ? [] : fixed(next, old, 'spec', 'completions')),
    // A suspended job that never started may still be told where to run.
    ...(at(old, 'spec', 'suspend') === true && at(old, 'status', 'startTime') === undefined
      ? []
      : fixed(next, old, 'spec', 'template')),
  ],
};

export const cronJobChecks: KindChecks = {
  object: (object) => {
    const spec = fieldsOf(object['spec']);
    const [schedule, concurrency] = [textOf(spec['schedule']), textOf(spec['concurrencyPolicy'])];
    const causes = [
      ...countCauses(spec, 'spec', 'startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit'),
    ];
    if (schedule === '') causes.push(required('spec.schedule'));
    else if (
      !/^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every \S+)$/.test(schedule) &&
      schedule.trim().split(/\s+/).length !== 5
    ) {
      causes.push(
        invalidValue(
          'spec.schedule',
          schedule,
          `expected exactly 5 fields, found ${schedule.trim().split(/\s+/).length}: ${schedule}`,
        ),
      );
    }
    const policies = ['Allow', 'Forbid', 'Replace'];
    if (!policies.includes(concurrency)) causes.push(notSupported('spec.concurrencyPolicy', concurrency, policies));
    const { name } = object.metadata;
    if (name.length > 52) causes.push(invalidValue('metadata.name', name, 'must be no more than 52 characters'));
    return [...causes, ...jobSpecCauses(fieldsOf(at(spec, 'jobTemplate', 'spec')), 'spec.jobTemplate.spec')];
  },
};
