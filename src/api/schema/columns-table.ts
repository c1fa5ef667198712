/** The columns of each kind, as kubectl users know them. `wide` ones are shown by -o wide. */
import type { Cell, Value } from './cells.ts';
import {
  age,
  ageOf,
  conditionStatus,
  containersOf,
  humanDuration,
  joined,
  labelsText,
  none,
  numberAt,
  numberOf,
  shortened,
  sizeOf,
  textAt,
  textOf,
  unknown,
  unset,
  valueAt,
} from './cells.ts';
import { parseInstant } from '../../std/clock.ts';
import { formatSelector, selectorOf } from '../selector.ts';
import type { LabelSelector } from '../types/meta.ts';
import type { Fields } from './conform.ts';
import { summarizePod } from './pod-summary.ts';
import { listIn, structIn } from './rules.ts';

export interface Column {
  readonly name: string;
  /** string, integer, boolean; of custom kinds also number and date. */
  readonly type: string;
  /** `name` marks the object's name. */
  readonly format: string;
  readonly description: string;
  readonly wide: boolean;
  /** Of custom kinds: how far to the back it is; otherwise 1 when wide, else 0. */
  readonly priority?: number;
  /** A cell of a custom kind is null where its value is missing. */
  readonly cell: (...of: Parameters<Cell>) => Value | null;
}

function column(name: string, description: string, cell: Cell, more: Partial<Column> = {}): Column {
  return { name, type: 'string', format: '', description, wide: false, cell, ...more };
}
const count = (name: string, description: string, cell: Cell): Column =>
  column(name, description, cell, { type: 'integer' });
const wide = (name: string, description: string, cell: Cell): Column => column(name, description, cell, { wide: true });

const name = column('Name', 'The name, unique among its kind in the namespace.', textOf('metadata.name', ''), {
  format: 'name',
});
const ageColumn = column('Age', 'How long ago it was created.', ageOf());
const createdAt = column('Created At', 'When it was created.', textOf('metadata.creationTimestamp', unknown));

const template = 'spec.template.spec';
const selectorText: Cell = (object) =>
  formatSelector(selectorOf(valueAt(object, 'spec.selector') as LabelSelector | undefined)) || none;
const workload = [
  wide('Containers', 'Names of the containers.', containersOf(template, 'name')),
  wide('Images', 'Images of the containers.', containersOf(template, 'image')),
];
const selected = wide('Selector', 'The labels of its pods.', selectorText);

const of = (cell: (object: Fields, now: number) => Value): Cell => cell;
const desired = (object: Fields): number => {
  const replicas = valueAt(object, 'spec.replicas');
  return typeof replicas === 'number' ? replicas : 1;
};

/** Columns of a kind that has none of its own. */
export const plainColumns: readonly Column[] = [name, ageColumn];

const events: readonly Column[] = [
  column('Last Seen', 'How long ago it last happened.', of(lastSeen)),
  column('Type', 'Normal or Warning.', textOf('type', '')),
  column('Reason', 'Why it happened, in one word.', textOf('reason', '')),
  column('Object', 'What it is about.', of(eventObject)),
  wide(
    'Subobject',
    'Which part of it.',
    of((event) => textAt(event, 'involvedObject.fieldPath') || textAt(event, 'regarding.fieldPath')),
  ),
  wide('Source', 'Who reported it.', of(eventSource)),
  column(
    'Message',
    'What happened.',
    of((event) => (textAt(event, 'message') || textAt(event, 'note')).trim()),
  ),
  wide('First Seen', 'How long ago it first happened.', of(firstSeen)),
  column('Count', 'How often it happened.', of(eventCount), { type: 'integer', wide: true }),
  column('Name', 'The name of the event.', textOf('metadata.name', ''), { format: 'name', wide: true }),
];

const scaledBy = (kind: string): readonly Column[] => [
  name,
  count('Desired', `Pods that the ${kind} wants.`, desired),
  count('Current', 'Pods there are.', numberOf('status.replicas')),
  count('Ready', 'Pods that are ready.', numberOf('status.readyReplicas')),
  ageColumn,
  ...workload,
];

const bindingColumns: readonly Column[] = [
  name,
  column(
    'Role',
    'The role that is granted.',
    of((binding) => `${textAt(binding, 'roleRef.kind')}/${textAt(binding, 'roleRef.name')}`),
  ),
  ageColumn,
  wide('Users', 'Users it is granted to.', subjects('User')),
  wide('Groups', 'Groups it is granted to.', subjects('Group')),
  wide('ServiceAccounts', 'Service accounts it is granted to.', subjects('ServiceAccount')),
];

/** By `GROUP/RESOURCE`. */
export const columnsTable: ReadonlyMap<string, readonly Column[]> = new Map<string, readonly Column[]>([
  [
    '/pods',
    [
      name,
      column(
        'Ready',
        'Containers that are ready, of all.',
        of((pod, now) => {
          const { ready, total } = summarizePod(pod, now);
          return `${ready}/${total}`;
        }),
      ),
      column(
        'Status',
        'Its phase, or what its containers are at.',
        of((pod, now) => summarizePod(pod, now).status),
      ),
      column(
        'Restarts',
        'How often containers were restarted, and when last.',
        of((pod, now) => summarizePod(pod, now).restarts),
      ),
      ageColumn,
      wide(
        'IP',
        'The address of the pod.',
        of((pod) => textAt(listIn(structIn(pod, 'status'), 'podIPs')[0], 'ip') || textAt(pod, 'status.podIP') || none),
      ),
      wide('Node', 'The node it runs on.', textOf('spec.nodeName')),
      wide('Nominated Node', 'The node where room is being made for it.', textOf('status.nominatedNodeName')),
      wide('Readiness Gates', 'Further conditions that are met, of all.', of(readinessGates)),
    ],
  ],
  [
    '/podtemplates',
    [
      name,
      column('Containers', 'Names of the containers.', containersOf('template.spec', 'name')),
      column('Images', 'Images of the containers.', containersOf('template.spec', 'image')),
      column(
        'Pod Labels',
        'Labels of its pods.',
        of((object) => labelsText(valueAt(object, 'template.metadata.labels') as Fields | undefined)),
      ),
    ],
  ],
  [
    '/replicationcontrollers',
    [
      ...scaledBy('controller'),
      wide(
        'Selector',
        'The labels of its pods.',
        of((rc) => labelsText(structIn(structIn(rc, 'spec'), 'selector'))),
      ),
    ],
  ],
  ['apps/replicasets', [...scaledBy('replica set'), selected]],
  [
    'apps/deployments',
    [
      name,
      column(
        'Ready',
        'Pods that are ready, of those wanted.',
        of((d) => `${numberAt(d, 'status.readyReplicas')}/${desired(d)}`),
      ),
      count('Up-to-date', 'Pods of the current template.', numberOf('status.updatedReplicas')),
      count('Available', 'Pods that have been ready long enough.', numberOf('status.availableReplicas')),
      ageColumn,
      ...workload,
      selected,
    ],
  ],
  [
    'apps/daemonsets',
    [
      name,
      count('Desired', 'Nodes that should run it.', numberOf('status.desiredNumberScheduled')),
      count('Current', 'Nodes that run it.', numberOf('status.currentNumberScheduled')),
      count('Ready', 'Nodes where it is ready.', numberOf('status.numberReady')),
      count('Up-to-date', 'Nodes with the current template.', numberOf('status.updatedNumberScheduled')),
      count('Available', 'Nodes where it has been ready long enough.', numberOf('status.numberAvailable')),
      column(
        'Node Selector',
        'Labels of the nodes it is for.',
        of((ds) => labelsText(valueAt(ds, `${template}.nodeSelector`) as Fields | undefined)),
      ),
      ageColumn,
      ...workload,
      selected,
    ],
  ],
  [
    'apps/statefulsets',
    [
      name,
      column(
        'Ready',
        'Pods that are ready, of those wanted.',
        of((s) => `${numberAt(s, 'status.readyReplicas')}/${desired(s)}`),
      ),
      ageColumn,
      ...workload,
    ],
  ],
  [
    'apps/controllerrevisions',
    [
      name,
      column('Controller', 'Whose history it is part of.', of(controllerOf)),
      count('Revision', 'Its place in the history.', numberOf('revision')),
      ageColumn,
    ],
  ],
  [
    'batch/jobs',
    [
      name,
      column('Status', 'What it is at.', of(jobStatus)),
      column('Completions', 'Pods that succeeded, of those wanted.', of(jobCompletions)),
      column('Duration', 'How long it took, or takes so far.', of(jobDuration)),
      ageColumn,
      ...workload,
      selected,
    ],
  ],
  [
    'batch/cronjobs',
    [
      name,
      column('Schedule', 'When it runs, in cron format.', textOf('spec.schedule', '')),
      column('Timezone', 'The time zone of the schedule.', textOf('spec.timeZone')),
      column(
        'Suspend',
        'Whether it rests.',
        of((cj) => (textAt(cj, 'spec.suspend') === 'true' ? 'True' : 'False')),
      ),
      count('Active', 'Jobs that run now.', sizeOf('status.active')),
      column('Last Schedule', 'How long ago it last started a job.', ageOf('status.lastScheduleTime', none)),
      ageColumn,
      wide('Containers', 'Names of the containers.', containersOf('spec.jobTemplate.spec.template.spec', 'name')),
      wide('Images', 'Images of the containers.', containersOf('spec.jobTemplate.spec.template.spec', 'image')),
      wide(
        'Selector',
        'The labels of its pods.',
        of(
          (cj) =>
            formatSelector(selectorOf(valueAt(cj, 'spec.jobTemplate.spec.selector') as LabelSelector | undefined)) ||
            none,
        ),
      ),
    ],
  ],
  [
    '/services',
    [
      name,
      column('Type', 'How far it can be reached.', textOf('spec.type', '')),
      column(
        'Cluster-IP',
        'Its address inside the cluster.',
        of((svc) => textAt(svc, 'spec.clusterIP') || none),
      ),
      column('External-IP', 'Its address outside.', of(externalAddress)),
      column('Port(s)', 'Its ports, with the node port after a colon.', of(servicePorts)),
      ageColumn,
      wide(
        'Selector',
        'The labels of its pods.',
        of((svc) => labelsText(structIn(structIn(svc, 'spec'), 'selector'))),
      ),
    ],
  ],
  ['/endpoints', [name, column('Endpoints', 'Addresses and ports behind the service.', of(endpointsText)), ageColumn]],
  [
    'discovery.k8s.io/endpointslices',
    [
      name,
      column('AddressType', 'IPv4, IPv6 or FQDN.', textOf('addressType', '')),
      column(
        'Ports',
        'Ports of the endpoints.',
        of((slice) =>
          listIn(slice, 'ports').length === 0
            ? unset
            : shortened(
                listIn(slice, 'ports').map((p) => textAt(p, 'port') || '*'),
                3,
              ),
        ),
      ),
      column(
        'Endpoints',
        'Addresses of the endpoints.',
        of((slice) => sliceAddresses(slice)),
      ),
      ageColumn,
    ],
  ],
  [
    'networking.k8s.io/ingresses',
    [
      name,
      column('Class', 'The class of controller that serves it.', textOf('spec.ingressClassName')),
      column('Hosts', 'Host names it answers to.', of(ingressHosts)),
      column(
        'Address',
        'Where it can be reached.',
        of((ing) => loadBalancerAddresses(ing).join(',')),
      ),
      column(
        'Ports',
        'Ports it listens on.',
        of((ing) => (listIn(structIn(ing, 'spec'), 'tls').length > 0 ? '80, 443' : '80')),
      ),
      ageColumn,
    ],
  ],
  [
    'networking.k8s.io/ingressclasses',
    [
      name,
      column('Controller', 'Who serves it.', textOf('spec.controller', '')),
      column('Parameters', 'Further settings of the controller.', of(classParameters)),
      ageColumn,
    ],
  ],
  [
    'networking.k8s.io/networkpolicies',
    [
      name,
      column(
        'Pod-Selector',
        'The labels of the pods it is about.',
        of((np) => formatSelector(selectorOf(valueAt(np, 'spec.podSelector') as LabelSelector | undefined)) || none),
      ),
      ageColumn,
    ],
  ],
  [
    'networking.k8s.io/ipaddresses',
    [
      name,
      column(
        'ParentRef',
        'Who uses it.',
        of((ip) =>
          joined(
            ['group', 'resource', 'namespace', 'name']
              .map((part) => textAt(ip, `spec.parentRef.${part}`))
              .filter((part) => part !== ''),
            '/',
          ),
        ),
      ),
      ageColumn,
    ],
  ],
  [
    'networking.k8s.io/servicecidrs',
    [
      name,
      column(
        'CIDRs',
        'Ranges that services get addresses from.',
        of((c) => joined(texts(valueAt(c, 'spec.cidrs')))),
      ),
      ageColumn,
    ],
  ],
  [
    '/nodes',
    [
      name,
      column('Status', 'Whether it is ready, and takes pods.', of(nodeStatus)),
      column('Roles', 'What it is for.', of(nodeRoles)),
      ageColumn,
      column('Version', 'The version of its agent.', textOf('status.nodeInfo.kubeletVersion', '')),
      wide('Internal-IP', 'Its address inside the cluster.', nodeAddress('InternalIP')),
      wide('External-IP', 'Its address outside.', nodeAddress('ExternalIP')),
      wide('OS-Image', 'Its operating system.', textOf('status.nodeInfo.osImage', unknown)),
      wide('Kernel-Version', 'Its kernel.', textOf('status.nodeInfo.kernelVersion', unknown)),
      wide(
        'Container-Runtime',
        'What runs its containers.',
        textOf('status.nodeInfo.containerRuntimeVersion', unknown),
      ),
    ],
  ],
  ['/namespaces', [name, column('Status', 'Active, or Terminating.', textOf('status.phase', '')), ageColumn]],
  [
    '/configmaps',
    [
      name,
      count(
        'Data',
        'How many entries it has.',
        of((cm, now) => Number(sizeOf('data')(cm, now)) + Number(sizeOf('binaryData')(cm, now))),
      ),
      ageColumn,
    ],
  ],
  [
    '/secrets',
    [
      name,
      column('Type', 'What it is for.', textOf('type', '')),
      count('Data', 'How many entries it has.', sizeOf('data')),
      ageColumn,
    ],
  ],
  ['/serviceaccounts', [name, count('Secrets', 'How many secrets it refers to.', sizeOf('secrets')), ageColumn]],
  ['/events', events],
  ['events.k8s.io/events', events],
  ['/limitranges', [name, createdAt]],
  ['apiextensions.k8s.io/customresourcedefinitions', [name, createdAt]],
  [
    '/resourcequotas',
    [
      name,
      column(
        'Request',
        'What is used, of what may be requested.',
        of((q) => quotaUse(q, false)),
      ),
      column(
        'Limit',
        'What is used, of the limits.',
        of((q) => quotaUse(q, true)),
      ),
      ageColumn,
    ],
  ],
  [
    '/persistentvolumes',
    [
      name,
      column('Capacity', 'How much it holds.', textOf('spec.capacity.storage', '')),
      column(
        'Access Modes',
        'How it can be mounted.',
        of((pv) => accessModes(valueAt(pv, 'spec.accessModes'))),
      ),
      column('Reclaim Policy', 'What happens to it once released.', textOf('spec.persistentVolumeReclaimPolicy', '')),
      column(
        'Status',
        'What it is at.',
        of((pv) => terminatingOr(pv, textAt(pv, 'status.phase'))),
      ),
      column(
        'Claim',
        'Who has it.',
        of((pv) =>
          textAt(pv, 'spec.claimRef.name') === ''
            ? ''
            : `${textAt(pv, 'spec.claimRef.namespace')}/${textAt(pv, 'spec.claimRef.name')}`,
        ),
      ),
      column('StorageClass', 'Its class.', textOf('spec.storageClassName', '')),
      column('VolumeAttributesClass', 'Its class of attributes.', textOf('spec.volumeAttributesClassName', unset)),
      column('Reason', 'Why it failed.', textOf('status.reason', '')),
      ageColumn,
      wide('VolumeMode', 'A file system or a raw block.', textOf('spec.volumeMode', unset)),
    ],
  ],
  [
    '/persistentvolumeclaims',
    [
      name,
      column(
        'Status',
        'What it is at.',
        of((pvc) => terminatingOr(pvc, textAt(pvc, 'status.phase'))),
      ),
      column('Volume', 'The volume it has.', textOf('spec.volumeName', '')),
      column(
        'Capacity',
        'How much that holds.',
        of((pvc) => (textAt(pvc, 'spec.volumeName') === '' ? '' : textAt(pvc, 'status.capacity.storage'))),
      ),
      column(
        'Access Modes',
        'How that can be mounted.',
        of((pvc) => (textAt(pvc, 'spec.volumeName') === '' ? '' : accessModes(valueAt(pvc, 'status.accessModes')))),
      ),
      column('StorageClass', 'The class it asks for.', textOf('spec.storageClassName', '')),
      column('VolumeAttributesClass', 'Its class of attributes.', textOf('spec.volumeAttributesClassName', unset)),
      ageColumn,
      wide('VolumeMode', 'A file system or a raw block.', textOf('spec.volumeMode', unset)),
    ],
  ],
  [
    'storage.k8s.io/storageclasses',
    [
      column(
        'Name',
        'The name, and whether it is the default.',
        of((sc) => `${textAt(sc, 'metadata.name')}${isDefaultClass(sc) ? ' (default)' : ''}`),
        { format: 'name' },
      ),
      column('Provisioner', 'Who makes its volumes.', textOf('provisioner', '')),
      column('ReclaimPolicy', 'What happens to a volume once released.', textOf('reclaimPolicy', 'Delete')),
      column('VolumeBindingMode', 'When a volume is made.', textOf('volumeBindingMode', unset)),
      column(
        'AllowVolumeExpansion',
        'Whether volumes may grow.',
        of((sc) => sc['allowVolumeExpansion'] === true),
        { type: 'boolean' },
      ),
      ageColumn,
    ],
  ],
  [
    'storage.k8s.io/volumeattachments',
    [
      name,
      column('Attacher', 'Who attaches it.', textOf('spec.attacher', '')),
      column('PV', 'The volume.', textOf('spec.source.persistentVolumeName', '')),
      column('Node', 'The node.', textOf('spec.nodeName', '')),
      column(
        'Attached',
        'Whether it is done.',
        of((va) => valueAt(va, 'status.attached') === true),
        { type: 'boolean' },
      ),
      ageColumn,
    ],
  ],
  [
    'storage.k8s.io/csidrivers',
    [
      name,
      column(
        'AttachRequired',
        'Whether volumes have to be attached.',
        of((d) => valueAt(d, 'spec.attachRequired') !== false),
        { type: 'boolean' },
      ),
      column(
        'PodInfoOnMount',
        'Whether it wants to know the pod.',
        of((d) => valueAt(d, 'spec.podInfoOnMount') === true),
        { type: 'boolean' },
      ),
      column(
        'StorageCapacity',
        'Whether it reports capacity.',
        of((d) => valueAt(d, 'spec.storageCapacity') === true),
        { type: 'boolean' },
      ),
      column(
        'Modes',
        'Lifetimes of its volumes.',
        of((d) => joined(texts(valueAt(d, 'spec.volumeLifecycleModes')))),
      ),
      ageColumn,
    ],
  ],
  ['storage.k8s.io/csinodes', [name, count('Drivers', 'Drivers on the node.', sizeOf('spec.drivers')), ageColumn]],
  [
    'storage.k8s.io/csistoragecapacities',
    [
      name,
      column('StorageClassName', 'The class it is about.', textOf('storageClassName', '')),
      column('Capacity', 'How much is left.', textOf('capacity', unset)),
      ageColumn,
    ],
  ],
  [
    'storage.k8s.io/volumeattributesclasses',
    [name, column('DriverName', 'The driver it is for.', textOf('driverName', '')), ageColumn],
  ],
  ['rbac.authorization.k8s.io/roles', [name, createdAt]],
  ['rbac.authorization.k8s.io/clusterroles', [name, createdAt]],
  ['rbac.authorization.k8s.io/rolebindings', bindingColumns],
  ['rbac.authorization.k8s.io/clusterrolebindings', bindingColumns],
  [
    'autoscaling/horizontalpodautoscalers',
    [
      name,
      column(
        'Reference',
        'What it scales.',
        of((hpa) => `${textAt(hpa, 'spec.scaleTargetRef.kind')}/${textAt(hpa, 'spec.scaleTargetRef.name')}`),
      ),
      column('Targets', 'What was measured, of what is aimed at.', of(hpaTargets)),
      column(
        'MinPods',
        'At least so many.',
        of((hpa) => textAt(hpa, 'spec.minReplicas') || unset),
      ),
      count('MaxPods', 'At most so many.', numberOf('spec.maxReplicas')),
      count('Replicas', 'So many now.', numberOf('status.currentReplicas')),
      ageColumn,
    ],
  ],
  [
    'policy/poddisruptionbudgets',
    [
      name,
      column('Min Available', 'Pods that have to stay.', textOf('spec.minAvailable', 'N/A')),
      column('Max Unavailable', 'Pods that may be away.', textOf('spec.maxUnavailable', 'N/A')),
      count('Allowed Disruptions', 'Pods that may be evicted now.', numberOf('status.disruptionsAllowed')),
      ageColumn,
    ],
  ],
  [
    'scheduling.k8s.io/priorityclasses',
    [
      name,
      count('Value', 'The priority of its pods.', numberOf('value')),
      column(
        'Global-Default',
        'Whether pods without a class are of it.',
        of((pc) => pc['globalDefault'] === true),
        { type: 'boolean' },
      ),
      ageColumn,
      column('PreemptionPolicy', 'Whether its pods may displace others.', textOf('preemptionPolicy', unset)),
    ],
  ],
  ['coordination.k8s.io/leases', [name, column('Holder', 'Who has it.', textOf('spec.holderIdentity', '')), ageColumn]],
  ['node.k8s.io/runtimeclasses', [name, column('Handler', 'What runs its pods.', textOf('handler', '')), ageColumn]],
  [
    'certificates.k8s.io/certificatesigningrequests',
    [
      name,
      ageColumn,
      column('SignerName', 'Who is asked to sign.', textOf('spec.signerName', none)),
      column('Requestor', 'Who asks.', textOf('spec.username', '')),
      column(
        'RequestedDuration',
        'How long it should be valid.',
        of((csr) =>
          valueAt(csr, 'spec.expirationSeconds') === undefined
            ? none
            : humanDuration(numberAt(csr, 'spec.expirationSeconds') * 1000),
        ),
      ),
      column('Condition', 'What was decided.', of(csrCondition)),
    ],
  ],
  [
    'netpolicy.gatehouse.dev/nodeallowlists',
    [
      name,
      count('Pods', 'Pods of the node.', sizeOf('spec.pods')),
      count('Policy-Sets', 'Sets of policies that judge them.', sizeOf('spec.policySets')),
      column(
        'Enforced',
        'Whether the node enforces this list.',
        of((list) =>
          numberAt(list, 'status.observedGeneration') === numberAt(list, 'metadata.generation') ? 'True' : 'False',
        ),
      ),
      column('Backend', 'What enforces it.', textOf('status.backend')),
      ageColumn,
    ],
  ],
  [
    'netpolicy.gatehouse.dev/peersetslices',
    [
      name,
      column('Peer-Set', 'The set it is part of.', textOf('spec.peerSet', '')),
      count(
        'Members',
        'Addresses in this slice.',
        of((s, now) => Number(sizeOf('spec.addresses')(s, now)) + Number(sizeOf('spec.endpoints')(s, now))),
      ),
      ageColumn,
    ],
  ],
]);

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function terminatingOr(object: Fields, word: string): string {
  return textAt(object, 'metadata.deletionTimestamp') === '' ? word : 'Terminating';
}

function readinessGates(pod: Fields): string {
  const gates = listIn(structIn(pod, 'spec'), 'readinessGates');
  if (gates.length === 0) return none;
  return `${gates.filter((gate) => conditionStatus(pod, textAt(gate, 'conditionType')) === 'True').length}/${gates.length}`;
}

function controllerOf(object: Fields): string {
  const owner = listIn(structIn(object, 'metadata'), 'ownerReferences').find((one) => one['controller'] === true);
  if (owner === undefined) return none;
  const [group, version] = textAt(owner, 'apiVersion').split('/');
  return `${textAt(owner, 'kind').toLowerCase()}${version === undefined ? '' : `.${group}`}/${textAt(owner, 'name')}`;
}

function jobStatus(job: Fields): string {
  if (conditionStatus(job, 'Complete') === 'True') return 'Complete';
  if (conditionStatus(job, 'Failed') === 'True') return 'Failed';
  if (textAt(job, 'metadata.deletionTimestamp') !== '') return 'Terminating';
  if (conditionStatus(job, 'Suspended') === 'True') return 'Suspended';
  if (conditionStatus(job, 'FailureTarget') === 'True') return 'FailureTarget';
  return conditionStatus(job, 'SuccessCriteriaMet') === 'True' ? 'SuccessCriteriaMet' : 'Running';
}

function jobCompletions(job: Fields): string {
  const done = numberAt(job, 'status.succeeded');
  const wanted = valueAt(job, 'spec.completions');
  if (typeof wanted === 'number') return `${done}/${wanted}`;
  const parallel = numberAt(job, 'spec.parallelism');
  return parallel > 1 ? `${done}/1 of ${parallel}` : `${done}/1`;
}

function jobDuration(job: Fields, now: number): string {
  const start = parseInstant(textAt(job, 'status.startTime'));
  if (start === undefined) return '';
  return humanDuration((parseInstant(textAt(job, 'status.completionTime')) ?? now) - start);
}

function loadBalancerAddresses(object: Fields): readonly string[] {
  return listIn(structIn(structIn(object, 'status'), 'loadBalancer'), 'ingress').map(
    (entry) => textAt(entry, 'ip') || textAt(entry, 'hostname'),
  );
}

function externalAddress(service: Fields): string {
  const given = texts(valueAt(service, 'spec.externalIPs'));
  switch (textAt(service, 'spec.type')) {
    case 'ExternalName':
      return textAt(service, 'spec.externalName');
    case 'LoadBalancer': {
      const all = [...loadBalancerAddresses(service), ...given];
      return all.length === 0 ? '<pending>' : all.join(',');
    }
    default:
      return joined(given);
  }
}

function servicePorts(service: Fields): string {
  return joined(
    listIn(structIn(service, 'spec'), 'ports').map((port) => {
      const nodePort = numberAt(port, 'nodePort');
      return `${textAt(port, 'port')}${nodePort > 0 ? `:${nodePort}` : ''}/${textAt(port, 'protocol')}`;
    }),
  );
}

function endpointsText(endpoints: Fields): string {
  const all = listIn(endpoints, 'subsets').flatMap((subset) => {
    const addresses = listIn(subset, 'addresses').map((address) => textAt(address, 'ip'));
    const ports = listIn(subset, 'ports').map((port) => textAt(port, 'port'));
    if (ports.length === 0) return addresses;
    return ports.flatMap((port) => addresses.map((ip) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)));
  });
  return shortened(all, 3);
}

function sliceAddresses(slice: Fields): string {
  const all = listIn(slice, 'endpoints').flatMap((endpoint) => texts(endpoint['addresses']));
  return all.length === 0 ? unset : shortened(all, 3);
}

function ingressHosts(ingress: Fields): string {
  const hosts = listIn(structIn(ingress, 'spec'), 'rules').map((rule) => textAt(rule, 'host') || '*');
  return hosts.length === 0 ? '*' : shortened(hosts, 3);
}

function classParameters(ingressClass: Fields): string {
  const parameters = structIn(structIn(ingressClass, 'spec'), 'parameters');
  if (parameters === undefined) return none;
  const group = textAt(parameters, 'apiGroup');
  return `${textAt(parameters, 'kind')}${group === '' ? '' : `.${group}`}/${textAt(parameters, 'name')}`;
}

function nodeStatus(node: Fields): string {
  const ready = conditionStatus(node, 'Ready');
  const word = ready === 'True' ? 'Ready' : ready === '' ? 'Unknown' : 'NotReady';
  return valueAt(node, 'spec.unschedulable') === true ? `${word},SchedulingDisabled` : word;
}

const rolePrefix = 'node-role.kubernetes.io/';

function nodeRoles(node: Fields): string {
  const roles = Object.entries(structIn(structIn(node, 'metadata'), 'labels') ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return [key.slice(rolePrefix.length)];
    return key === 'kubernetes.io/role' ? [String(value)] : [];
  });
  return joined([...new Set(roles.filter((role) => role !== ''))].toSorted());
}

function nodeAddress(type: string): Cell {
  return (node) =>
    textAt(
      listIn(structIn(node, 'status'), 'addresses').find((address) => address['type'] === type),
      'address',
    ) || none;
}

function firstTime(event: Fields): string {
  return textAt(event, 'firstTimestamp') || textAt(event, 'deprecatedFirstTimestamp') || textAt(event, 'eventTime');
}

function firstSeen(event: Fields, now: number): string {
  return age(firstTime(event), now);
}

function lastSeen(event: Fields, now: number): string {
  const series = textAt(event, 'series.lastObservedTime');
  return age(
    series || textAt(event, 'lastTimestamp') || textAt(event, 'deprecatedLastTimestamp') || firstTime(event),
    now,
  );
}

function eventCount(event: Fields): number {
  return numberAt(event, 'series.count') || numberAt(event, 'count') || numberAt(event, 'deprecatedCount') || 1;
}

function eventObject(event: Fields): string {
  const about = structIn(event, 'involvedObject') ?? structIn(event, 'regarding');
  const kind = textAt(about, 'kind').toLowerCase();
  const of = textAt(about, 'name');
  return of === '' ? kind : `${kind}/${of}`;
}

function eventSource(event: Fields): string {
  const source = structIn(event, 'source') ?? structIn(event, 'deprecatedSource');
  const component = textAt(source, 'component');
  if (component !== '')
    return joined(
      [component, textAt(source, 'host')].filter((part) => part !== ''),
      ', ',
    );
  const reporter = textAt(event, 'reportingComponent') || textAt(event, 'reportingController');
  return [reporter, textAt(event, 'reportingInstance')].filter((part) => part !== '').join(', ');
}

function quotaUse(quota: Fields, limits: boolean): string {
  return Object.entries(structIn(structIn(quota, 'status'), 'hard') ?? {})
    .filter(([resource]) => resource.startsWith('limits.') === limits)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([resource, hard]) =>
        `${resource}: ${textAt({ used: structIn(structIn(quota, 'status'), 'used')?.[resource] ?? 0 }, 'used')}/${String(hard)}`,
    )
    .join(', ');
}

const modeNames = new Map([
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
]);

function accessModes(modes: unknown): string {
  return texts(modes)
    .map((mode) => modeNames.get(mode) ?? mode)
    .join(',');
}

function isDefaultClass(storageClass: Fields): boolean {
  return (
    structIn(structIn(storageClass, 'metadata'), 'annotations')?.['storageclass.kubernetes.io/is-default-class'] ===
    'true'
  );
}

function subjects(kind: string): Cell {
  return (binding) =>
    listIn(binding, 'subjects')
      .filter((subject) => subject['kind'] === kind)
      .map((subject) => (kind === 'ServiceAccount' ? `${textAt(subject, 'namespace')}/` : '') + textAt(subject, 'name'))
      .join(', ');
}

function hpaTargets(hpa: Fields): string {
  const wanted = listIn(structIn(hpa, 'spec'), 'metrics');
  if (wanted.length === 0) {
    const target = textAt(hpa, 'spec.targetCPUUtilizationPercentage');
    const current = textAt(hpa, 'status.currentCPUUtilizationPercentage');
    return target === '' ? none : `cpu: ${current === '' ? unknown : `${current}%`}/${target}%`;
  }
  const measured = listIn(structIn(hpa, 'status'), 'currentMetrics');
  const all = wanted.map((metric, index) => {
    const part = textAt(metric, 'type');
    const field = `${part.charAt(0).toLowerCase()}${part.slice(1)}`;
    const resource = textAt(metric, `${field}.name`);
    const amount = (of: Fields | undefined, where: string): string => {
      const percent = textAt(of, `${field}.${where}.averageUtilization`);
      if (percent !== '') return `${percent}%`;
      return textAt(of, `${field}.${where}.averageValue`) || textAt(of, `${field}.${where}.value`);
    };
    return `${resource === '' ? '' : `${resource}: `}${amount(measured[index], 'current') || unknown}/${amount(metric, 'target')}`;
  });
  return all.length <= 2 ? all.join(', ') : `${all.slice(0, 2).join(', ')} + ${all.length - 2} more...`;
}

function csrCondition(csr: Fields): string {
  const is = (type: string): boolean =>
    listIn(structIn(csr, 'status'), 'conditions').some((one) => one['type'] === type);
  const decided = is('Denied') ? 'Denied' : is('Approved') ? 'Approved' : 'Pending';
  const words = [
    decided,
    ...(is('Failed') ? ['Failed'] : []),
    ...(textAt(csr, 'status.certificate') === '' ? [] : ['Issued']),
  ];
  return words.join(',');
}
