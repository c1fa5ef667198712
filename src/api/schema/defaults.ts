/**
 * What the API fills in where a client left it open, per kind. Pure, and safe to run again: a value that is there is
 * never changed (but for write-only and doubled spellings). What is decided only once, on create (names, addresses,
 * finalizers), is the registry's. Source: Kubernetes API reference, the defaults of each kind.
 */
import type { Fields } from './conform.ts';
import { pod, podTemplate } from './defaults-pod.ts';
import { all, at, each, fill, listIn, structIn, when } from './rules.ts';
import type { Rule } from './rules.ts';

/** `object` (decoded, of kind `kind` in `apiVersion`) with its defaults. The same value when there is nothing to fill in. */
export function applyDefaults(of: { readonly apiVersion: string; readonly kind: string }, object: Fields): Fields {
  const rule = rules.get(`${of.apiVersion} ${of.kind}`);
  return rule === undefined ? object : rule(object);
}

const claimSpec = at('spec', fill({ volumeMode: 'Filesystem' }));
const claim = all(claimSpec, at('status', fill({ phase: 'Pending' })));

const rollingUpdate = (field: string, defaults: Fields): Rule =>
  at(
    field,
    fill({ type: 'RollingUpdate' }),
    when(
      (strategy) => strategy['type'] === 'RollingUpdate',
      fill({ rollingUpdate: {} }),
      at('rollingUpdate', fill(defaults)),
    ),
  );

const jobSpec = all(
  when(
    (spec) => spec['parallelism'] === undefined && spec['completions'] === undefined,
    fill({ completions: 1, parallelism: 1 }),
  ),
  fill({ parallelism: 1, completionMode: 'NonIndexed', suspend: false }),
  (spec) => fill({ backoffLimit: spec['backoffLimitPerIndex'] === undefined ? 6 : 2_147_483_647 })(spec),
  (spec) =>
    fill({ podReplacementPolicy: spec['podFailurePolicy'] === undefined ? 'TerminatingOrFailed' : 'Failed' })(spec),
  at('podFailurePolicy', each('rules', each('onPodConditions', fill({ status: 'True' })))),
  podTemplate,
);

const isOfType =
  (...types: readonly string[]) =>
  (fields: Fields): boolean =>
    types.some((type) => type === fields['type']);

const serviceSpec = all(
  fill({ type: 'ClusterIP', sessionAffinity: 'None' }),
  when(
    (spec) => spec['sessionAffinity'] === 'ClientIP',
    fill({ sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } } }),
  ),
  when(isOfType('ClusterIP', 'NodePort', 'LoadBalancer'), fill({ internalTrafficPolicy: 'Cluster' })),
  when(isOfType('NodePort', 'LoadBalancer'), fill({ externalTrafficPolicy: 'Cluster' })),
  when(isOfType('LoadBalancer'), fill({ allocateLoadBalancerNodePorts: true })),
  each('ports', fill({ protocol: 'TCP' }), (port) =>
    port['targetPort'] === undefined || port['targetPort'] === 0 || port['targetPort'] === ''
      ? { ...port, targetPort: port['port'] }
      : port,
  ),
);

const rbacGroup = 'rbac.authorization.k8s.io';
const binding = all(
  at('roleRef', (ref) =>
    ref['apiGroup'] === undefined || ref['apiGroup'] === '' ? { ...ref, apiGroup: rbacGroup } : ref,
  ),
  each(
    'subjects',
    when((subject) => subject['kind'] === 'User' || subject['kind'] === 'Group', fill({ apiGroup: rbacGroup })),
  ),
);

const policyPorts = each('ports', fill({ protocol: 'TCP' }));
const networkPolicy = at('spec', each('ingress', policyPorts), each('egress', policyPorts), (spec) =>
  listIn(spec, 'policyTypes').length > 0
    ? spec
    : { ...spec, policyTypes: listIn(spec, 'egress').length > 0 ? ['Ingress', 'Egress'] : ['Ingress'] },
);

/** Double, or four more, every fifteen seconds up; everything at once down. Only where a behavior is given at all. */
const behavior = at(
  'behavior',
  fill({ scaleUp: {}, scaleDown: {} }),
  at(
    'scaleUp',
    fill({
      stabilizationWindowSeconds: 0,
      selectPolicy: 'Max',
      policies: [
        { type: 'Pods', value: 4, periodSeconds: 15 },
        { type: 'Percent', value: 100, periodSeconds: 15 },
      ],
    }),
  ),
  at('scaleDown', fill({ selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] })),
);

const cpuAt80Percent = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
};

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['v1 Pod', pod],
  ['v1 PodTemplate', podTemplate],
  ['v1 ReplicationController', all(at('spec', fill({ replicas: 1 }), podTemplate), selectorFromTemplate)],
  ['v1 Service', at('spec', serviceSpec)],
  ['v1 Endpoints', each('subsets', each('ports', fill({ protocol: 'TCP' })))],
  ['v1 Secret', all(fill({ type: 'Opaque' }), plainTextToData)],
  ['v1 Namespace', all(at('status', fill({ phase: 'Active' })), nameLabel)],
  ['v1 Node', at('status', (status) => fillDefined(status, { allocatable: status['capacity'] }))],
  [
    'v1 PersistentVolume',
    all(
      at(
        'spec',
        fill({ persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' }),
        at('hostPath', fill({ type: '' })),
      ),
      at('status', fill({ phase: 'Pending' })),
    ),
  ],
  ['v1 PersistentVolumeClaim', claim],
  ['v1 LimitRange', at('spec', each('limits', limitDefaults))],
  [
    'apps/v1 Deployment',
    at(
      'spec',
      fill({ replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 }),
      rollingUpdate('strategy', { maxUnavailable: '25%', maxSurge: '25%' }),
      podTemplate,
    ),
  ],
  ['apps/v1 ReplicaSet', at('spec', fill({ replicas: 1 }), podTemplate)],
  [
    'apps/v1 DaemonSet',
    at(
      'spec',
      fill({ revisionHistoryLimit: 10 }),
      rollingUpdate('updateStrategy', { maxUnavailable: 1, maxSurge: 0 }),
      podTemplate,
    ),
  ],
  [
    'apps/v1 StatefulSet',
    at(
      'spec',
      fill({
        replicas: 1,
        revisionHistoryLimit: 10,
        podManagementPolicy: 'OrderedReady',
        persistentVolumeClaimRetentionPolicy: {},
      }),
      at('persistentVolumeClaimRetentionPolicy', fill({ whenDeleted: 'Retain', whenScaled: 'Retain' })),
      rollingUpdate('updateStrategy', { partition: 0 }),
      each('volumeClaimTemplates', fill({ apiVersion: 'v1', kind: 'PersistentVolumeClaim' }), claim),
      podTemplate,
    ),
  ],
  ['batch/v1 Job', all(at('spec', jobSpec), labelsFromTemplate)],
  [
    'batch/v1 CronJob',
    at(
      'spec',
      fill({ concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 }),
      at('jobTemplate', at('spec', podTemplate)),
    ),
  ],
  ['rbac.authorization.k8s.io/v1 RoleBinding', binding],
  ['rbac.authorization.k8s.io/v1 ClusterRoleBinding', binding],
  ['networking.k8s.io/v1 NetworkPolicy', networkPolicy],
  ['networking.k8s.io/v1 IngressClass', at('spec', at('parameters', fill({ scope: 'Cluster' })))],
  ['discovery.k8s.io/v1 EndpointSlice', each('ports', fill({ name: '', protocol: 'TCP' }))],
  ['autoscaling/v1 HorizontalPodAutoscaler', at('spec', fill({ minReplicas: 1 }))],
  ['autoscaling/v2 HorizontalPodAutoscaler', at('spec', fill({ minReplicas: 1, metrics: [cpuAt80Percent] }), behavior)],
  ['storage.k8s.io/v1 StorageClass', fill({ reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' })],
  [
    'storage.k8s.io/v1 CSIDriver',
    at(
      'spec',
      fill({
        attachRequired: true,
        podInfoOnMount: false,
        storageCapacity: false,
        fsGroupPolicy: 'ReadWriteOnceWithFSType',
        volumeLifecycleModes: ['Persistent'],
        requiresRepublish: false,
        seLinuxMount: false,
      }),
    ),
  ],
  [
    'apiextensions.k8s.io/v1 CustomResourceDefinition',
    at(
      'spec',
      at('names', definedNames),
      fill({ conversion: { strategy: 'None' } }),
      at('conversion', at('webhook', at('clientConfig', at('service', fill({ port: 443 }))))),
    ),
  ],
  ['scheduling.k8s.io/v1 PriorityClass', fill({ preemptionPolicy: 'PreemptLowerPriority' })],
  ['authentication.k8s.io/v1 TokenRequest', at('spec', fill({ expirationSeconds: 3600 }))],
]);

/** A kind's further names follow from its kind. */
function definedNames(names: Fields): Fields {
  const { kind } = names;
  if (typeof kind !== 'string' || kind === '') return names;
  return fill({ singular: kind.toLowerCase(), listKind: `${kind}List` })(names);
}

function fillDefined(fields: Fields, defaults: Fields): Fields {
  return fill(Object.fromEntries(Object.entries(defaults).filter(([, value]) => value !== undefined)))(fields);
}

/** `stringData` is for writing only: it becomes part of `data`, which it overrides. */
function plainTextToData(secret: Fields): Fields {
  const plain = structIn(secret, 'stringData');
  if (plain === undefined) return secret;
  const { stringData: _, ...rest } = secret;
  const added = Object.entries(plain).map(([key, text]) => [key, Buffer.from(String(text)).toString('base64')]);
  return { ...rest, data: { ...structIn(secret, 'data'), ...Object.fromEntries(added) } };
}

/** Each namespace can be selected by its name; the label cannot be lost. */
function nameLabel(namespace: Fields): Fields {
  const metadata = structIn(namespace, 'metadata');
  const name = metadata?.['name'];
  if (typeof name !== 'string' || name === '') return namespace;
  return at(
    'metadata',
    fill({ labels: {} }),
    at('labels', (labels) => ({ ...labels, 'kubernetes.io/metadata.name': name })),
  )(namespace);
}

function templateLabels(object: Fields): Fields | undefined {
  return structIn(structIn(structIn(structIn(object, 'spec'), 'template'), 'metadata'), 'labels');
}

/** The oldest controller selects by its template's labels when it says nothing else. */
function selectorFromTemplate(object: Fields): Fields {
  const labels = templateLabels(object);
  return labels === undefined
    ? object
    : all(at('spec', fill({ selector: labels })), at('metadata', fill({ labels })))(object);
}

function labelsFromTemplate(object: Fields): Fields {
  const labels = templateLabels(object);
  return labels === undefined ? object : at('metadata', fill({ labels }))(object);
}

/** For containers: the limit defaults to the maximum, the request to the limit and then to the minimum. */
function limitDefaults(limit: Fields): Fields {
  if (limit['type'] !== 'Container') return limit;
  const max = structIn(limit, 'max');
  const min = structIn(limit, 'min');
  const limits = { ...max, ...structIn(limit, 'default') };
  const requests = { ...min, ...limits, ...structIn(limit, 'defaultRequest') };
  return {
    ...limit,
    ...(Object.keys(limits).length === 0 ? {} : { default: limits }),
    ...(Object.keys(requests).length === 0 ? {} : { defaultRequest: requests }),
  };
}
