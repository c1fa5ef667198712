/** Kinds of the cluster itself: leases, budgets, priorities, autoscalers, certificates, storage, ingresses, quotas. */
import ipaddr from 'ipaddr.js';
import type { KubeObject } from '../../../api/meta.ts';
import { parseQuantity } from '../../../std/quantity.ts';
import type { FieldCause } from '../../../api/status.ts';
import { at, equal, fieldsOf, isFields, listOf, textOf, without } from '../../../std/value.ts';
import { forbiddenField, invalidValue, notSupported, required } from './causes.ts';
import type { KindChecks } from './checks.ts';
import { selectorCauses } from './selector.ts';

export const leaseChecks: KindChecks = {
  object: (object) =>
    ['leaseDurationSeconds', 'leaseTransitions'].flatMap((name) => {
      const value = at(object, 'spec', name);
      const least = name === 'leaseTransitions' ? 0 : 1;
      if (typeof value !== 'number' || value >= least) return [];
      return [
        invalidValue(
          `spec.${name}`,
          value,
          least === 0 ? 'must be greater than or equal to 0' : 'must be greater than 0',
        ),
      ];
    }),
};

export const budgetChecks: KindChecks = {
  object: (object) => {
    const spec = fieldsOf(object['spec']);
    const both = spec['minAvailable'] !== undefined && spec['maxUnavailable'] !== undefined;
    return [
      ...(both ? [invalidValue('spec', spec, 'minAvailable and maxUnavailable cannot be both set')] : []),
      ...['minAvailable', 'maxUnavailable'].flatMap((name) => {
        const value = spec[name];
        if (typeof value === 'number' && value < 0)
          return [invalidValue(`spec.${name}`, value, 'must be greater than or equal to 0')];
        return typeof value === 'string' && !/^\d+%$/.test(value)
          ? [
              invalidValue(
                `spec.${name}`,
                value,
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
              ),
            ]
          : [];
      }),
      ...selectorCauses(spec['selector'], 'spec.selector'),
    ];
  },
};

/** Above this only what the system makes. Source: scheduling.k8s.io/v1, HighestUserDefinablePriority. */
const highestPriority = 1_000_000_000;

export const priorityClassChecks: KindChecks = {
  object: (object) => {
    const value = object['value'];
    const isSystem = object.metadata.name.startsWith('system-');
    const isTooHigh = typeof value === 'number' && value > highestPriority && !isSystem;
    const known = ['system-cluster-critical', 'system-node-critical'].includes(object.metadata.name);
    return [
      ...(isSystem && !known
        ? [
            forbiddenField(
              'metadata.name',
              "priority class names with 'system-' prefix are reserved for system use only",
            ),
          ]
        : []),
      ...(isTooHigh
        ? [forbiddenField('value', `maximum allowed value of a user defined priority is ${highestPriority}`)]
        : []),
    ];
  },
  update: (next, old) => [
    ...(next['value'] === old['value'] ? [] : [forbiddenField('value', 'may not be changed in an update.')]),
    ...(next['preemptionPolicy'] === old['preemptionPolicy']
      ? []
      : [invalidValue('preemptionPolicy', next['preemptionPolicy'], 'field is immutable')]),
  ],
};

export const autoscalerChecks: KindChecks = {
  object: (object) => {
    const spec = fieldsOf(object['spec']);
    const { minReplicas, maxReplicas } = spec;
    const causes: FieldCause[] = [];
    if (typeof minReplicas === 'number' && minReplicas < 1)
      causes.push(invalidValue('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'));
    if (typeof maxReplicas !== 'number' || maxReplicas < 1)
      causes.push(invalidValue('spec.maxReplicas', maxReplicas ?? 0, 'must be greater than 0'));
    else if (typeof minReplicas === 'number' && maxReplicas < minReplicas) {
      causes.push(invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'));
    }
    for (const name of ['kind', 'name']) {
      if (textOf(at(spec, 'scaleTargetRef', name)) === '') causes.push(required(`spec.scaleTargetRef.${name}`));
    }
    return causes;
  },
};

export const certificateRequestChecks: KindChecks = {
  object: (object) => {
    const spec = fieldsOf(object['spec']);
    const pem = Buffer.from(textOf(spec['request']), 'base64').toString('latin1');
    const isPem = /-----BEGIN CERTIFICATE REQUEST-----[\s\S]+-----END CERTIFICATE REQUEST-----/.test(pem);
    const signer = textOf(spec['signerName']);
    const expires = spec['expirationSeconds'];
    return [
      ...(isPem ? [] : [invalidValue('spec.request', '', 'PEM block type must be CERTIFICATE REQUEST')]),
      ...(listOf(spec['usages']).length === 0 ? [required('spec.usages')] : []),
      ...(signer === '' ? [required('spec.signerName')] : []),
      ...(signer !== '' && !signer.includes('/')
        ? [
            invalidValue(
              'spec.signerName',
              signer,
              'must be a fully qualified domain and path of the form "example.com/signer-name"',
            ),
          ]
        : []),
      ...(typeof expires === 'number' && expires < 600
        ? [
            invalidValue(
              'spec.expirationSeconds',
              expires,
              'may not specify a duration less than 600 seconds (10 minutes)',
            ),
          ]
        : []),
    ];
  },
};

export const storageClassChecks: KindChecks = {
  object: (object) => (textOf(object['provisioner']) === '' ? [required('provisioner')] : []),
  update: (next, old) => [
    ...(equal(next['parameters'] ?? {}, old['parameters'] ?? {})
      ? []
      : [forbiddenField('parameters', 'updates to parameters are forbidden.')]),
    ...(next['provisioner'] === old['provisioner']
      ? []
      : [forbiddenField('provisioner', 'updates to provisioner are forbidden.')]),
  ],
};

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

function accessCauses(spec: unknown): readonly FieldCause[] {
  const modes = listOf(at(spec, 'accessModes'));
  if (modes.length === 0) return [required('spec.accessModes', 'at least 1 access mode is required')];
  return modes.flatMap((mode) =>
    accessModes.includes(textOf(mode)) ? [] : [notSupported('spec.accessModes', mode, accessModes)],
  );
}

function amountCauses(amount: unknown, field: string): readonly FieldCause[] {
  if (amount === undefined) return [required(field)];
  const quantity = parseQuantity(textOf(amount));
  return quantity === undefined || quantity.nanos <= 0n
    ? [invalidValue(field, amount, 'must be greater than zero')]
    : [];
}

export const claimChecks: KindChecks = {
  object: (object) => [
    ...accessCauses(object['spec']),
    ...amountCauses(at(object, 'spec', 'resources', 'requests', 'storage'), 'spec.resources.requests[storage]'),
  ],
  update: (next, old) => {
    // Binding sets volumeName once; the request may grow.
    const fixedPart = (object: KubeObject): unknown =>
      without(
        fieldsOf(object['spec']),
        'resources',
        'volumeAttributesClassName',
        ...(at(old, 'spec', 'volumeName') === undefined ? ['volumeName'] : []),
      );
    return equal(fixedPart(next), fixedPart(old))
      ? []
      : [
          forbiddenField(
            'spec',
            'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
          ),
        ];
  },
};

const volumeSettings = [
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
];

export const persistentVolumeChecks: KindChecks = {
  object: (object) => {
    const sources = Object.entries(fieldsOf(object['spec'])).filter(
      ([name, value]) => isFields(value) && !volumeSettings.includes(name),
    );
    return [
      ...accessCauses(object['spec']),
      ...amountCauses(at(object, 'spec', 'capacity', 'storage'), 'spec.capacity[storage]'),
      ...(sources.length === 0 ? [required('spec', 'must specify a volume type')] : []),
      ...sources.slice(1).map(([name]) => forbiddenField(`spec.${name}`, 'may not specify more than 1 volume type')),
    ];
  },
};

export const nodeChecks: KindChecks = {
  object: (object) =>
    listOf(at(object, 'spec', 'taints')).flatMap((taint, index) => {
      const effect = textOf(at(taint, 'effect'));
      const known = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];
      return [
        ...(textOf(at(taint, 'key')) === '' ? [required(`spec.taints[${index}].key`)] : []),
        ...(known.includes(effect) ? [] : [notSupported(`spec.taints[${index}].effect`, effect, known)]),
      ];
    }),
  update: (next, old) => {
    const before = at(old, 'spec', 'podCIDR');
    if (before !== undefined && before !== at(next, 'spec', 'podCIDR'))
      return [forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')];
    const cidr = at(next, 'spec', 'podCIDR');
    return typeof cidr === 'string' && cidr !== '' && !ipaddr.isValidCIDR(cidr)
      ? [invalidValue('spec.podCIDRs[0]', cidr, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')]
      : [];
  },
};

export const ingressChecks: KindChecks = {
  object: (object) => {
    const spec = fieldsOf(object['spec']);
    const types = ['Exact', 'ImplementationSpecific', 'Prefix'];
    const causes: FieldCause[] = [];
    if (listOf(spec['rules']).length === 0 && spec['defaultBackend'] === undefined) {
      causes.push(invalidValue('spec', spec, 'either `defaultBackend` or `rules` must be specified'));
    }
    for (const [index, rule] of listOf(spec['rules']).entries()) {
      for (const [at_, path] of listOf(at(rule, 'http', 'paths')).entries()) {
        const field = `spec.rules[${index}].http.paths[${at_}]`;
        const [type, value] = [textOf(at(path, 'pathType')), textOf(at(path, 'path'))];
        if (type === '') causes.push(required(`${field}.pathType`, 'pathType must be specified'));
        else if (!types.includes(type)) causes.push(notSupported(`${field}.pathType`, type, types));
        if (type !== 'ImplementationSpecific' && !value.startsWith('/'))
          causes.push(invalidValue(`${field}.path`, value, 'must be an absolute path'));
        if (textOf(at(path, 'backend', 'service', 'name')) === '' && !isFields(at(path, 'backend', 'resource'))) {
          causes.push(required(`${field}.backend`, 'must specify a service or a resource'));
        }
      }
    }
    return causes;
  },
};

export const quotaChecks: KindChecks = {
  object: (object) =>
    Object.entries(fieldsOf(at(object, 'spec', 'hard'))).flatMap(([name, value]) => {
      const amount = parseQuantity(textOf(value));
      return amount !== undefined && amount.nanos < 0n
        ? [invalidValue(`spec.hard[${name}]`, value, 'must be greater than or equal to 0')]
        : [];
    }),
};
