import { describe, expect, test } from 'vitest';
import { parseApiVersion } from '../../../src/api/meta.ts';
import { decodeValue } from '../../../src/api/schema/decode.ts';
import { applyDefaults } from '../../../src/api/schema/defaults.ts';
import { schemaOf } from '../../../src/api/schema/kinds.ts';

/** What becomes of `fields`, decoded and defaulted. */
function defaulted(apiVersion: string, kind: string, fields: object): Readonly<Record<string, unknown>> {
  const schema = schemaOf(apiVersion, kind);
  if (schema === undefined) throw new Error(`no schema for ${kind}`);
  const { object } = decodeValue({ ...parseApiVersion(apiVersion), kind, schema }, fields, 'Strict');
  const out = applyDefaults({ apiVersion, kind }, object);
  expect(applyDefaults({ apiVersion, kind }, out)).toEqual(out); // twice is once
  return out;
}

const podSpec = {
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 30,
  dnsPolicy: 'ClusterFirst',
  securityContext: {},
  schedulerName: 'default-scheduler',
};
const container = {
  name: 'c',
  image: 'a:1',
  resources: {},
  imagePullPolicy: 'IfNotPresent',
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
};
const template = { metadata: {}, spec: { ...podSpec, containers: [container] } };
const given = { spec: { containers: [{ name: 'c', image: 'a:1' }] } };

describe('a pod', () => {
  const pod = (spec: object): unknown => defaulted('v1', 'Pod', { spec })['spec'];

  test('has its policies, and links to services', () => {
    expect(pod(given.spec)).toEqual({ ...podSpec, enableServiceLinks: true, containers: [container] });
  });

  test.for([
    ['a', 'Always'],
    ['a:latest', 'Always'],
    ['reg:5000/a', 'Always'],
    ['reg:5000/a:1.2', 'IfNotPresent'],
    ['a@sha256:00', 'IfNotPresent'],
    ['a:latest@sha256:00', 'IfNotPresent'],
  ])('image %s is pulled %s', ([image, imagePullPolicy]) => {
    expect(pod({ containers: [{ name: 'c', image }] })).toMatchObject({ containers: [{ imagePullPolicy }] });
  });

  test('requests what it is limited to, unless it says otherwise', () => {
    const resources = { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m' } };
    expect(pod({ containers: [{ name: 'c', resources }] })).toMatchObject({
      containers: [{ resources: { limits: resources.limits, requests: { cpu: '100m', memory: '1Gi' } } }],
    });
  });

  test('has complete probes, ports and references to fields', () => {
    const full = { timeoutSeconds: 1, periodSeconds: 5, successThreshold: 1, failureThreshold: 3 };
    expect(
      pod({
        hostNetwork: true,
        containers: [
          {
            name: 'c',
            ports: [{ containerPort: 80 }],
            readinessProbe: { periodSeconds: 5, httpGet: { port: 80 } },
            env: [{ name: 'N', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
          },
        ],
      }),
    ).toMatchObject({
      containers: [
        {
          ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }],
          readinessProbe: { ...full, httpGet: { port: 80, path: '/', scheme: 'HTTP' } },
          env: [{ valueFrom: { fieldRef: { apiVersion: 'v1' } } }],
        },
      ],
    });
  });

  test('has volumes with a source and modes', () => {
    const volumes = [
      { name: 'a' },
      { name: 'b', secret: { secretName: 's' } },
      { name: 'c', configMap: { name: 'c', defaultMode: 256 } },
      { name: 'd', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
      { name: 'e', hostPath: { path: '/' } },
    ];
    expect(pod({ containers: [], volumes })).toMatchObject({
      volumes: [
        { name: 'a', emptyDir: {} },
        { name: 'b', secret: { secretName: 's', defaultMode: 420 } },
        { name: 'c', configMap: { name: 'c', defaultMode: 256 } },
        {
          name: 'd',
          projected: {
            defaultMode: 420,
            sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }],
          },
        },
        { name: 'e', hostPath: { path: '/', type: '' } },
      ],
    });
  });

  test('names its service account under both names', () => {
    expect(pod({ containers: [], serviceAccountName: 'a', serviceAccount: 'b' })).toMatchObject({
      serviceAccountName: 'a',
      serviceAccount: 'a',
    });
    expect(pod({ containers: [], serviceAccount: 'b' })).toMatchObject({ serviceAccountName: 'b' });
  });
});

interface Row {
  readonly of: readonly [apiVersion: string, kind: string];
  readonly guarantees: string;
  readonly given: object;
  readonly becomes: object;
}

const rbac = 'rbac.authorization.k8s.io/v1';
const networking = 'networking.k8s.io/v1';
const rolling = { type: 'RollingUpdate' };

describe('defaults', () => {
  test.for<Row>([
    {
      of: ['apps/v1', 'Deployment'],
      guarantees: 'rolls a quarter at a time',
      given: { spec: { template: given } },
      becomes: {
        spec: {
          replicas: 1,
          revisionHistoryLimit: 10,
          progressDeadlineSeconds: 600,
          strategy: { ...rolling, rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
          template,
        },
        status: {},
      },
    },
    {
      of: ['apps/v1', 'Deployment'],
      guarantees: 'leaves Recreate and zero replicas alone',
      given: { spec: { replicas: 0, strategy: { type: 'Recreate' }, template: given } },
      becomes: { spec: { replicas: 0, strategy: { type: 'Recreate' } } },
    },
    {
      of: ['apps/v1', 'ReplicaSet'],
      guarantees: 'wants one replica',
      given: { spec: { template: given } },
      becomes: { spec: { replicas: 1, template } },
    },
    {
      of: ['apps/v1', 'DaemonSet'],
      guarantees: 'replaces one pod at a time',
      given: { spec: { template: given } },
      becomes: {
        spec: { updateStrategy: { ...rolling, rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } }, template },
      },
    },
    {
      of: ['apps/v1', 'StatefulSet'],
      guarantees: 'goes in order and keeps its claims',
      given: { spec: { serviceName: 's', template: given, volumeClaimTemplates: [{ metadata: { name: 'd' } }] } },
      becomes: {
        spec: {
          podManagementPolicy: 'OrderedReady',
          updateStrategy: { ...rolling, rollingUpdate: { partition: 0 } },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
          volumeClaimTemplates: [
            { kind: 'PersistentVolumeClaim', spec: { volumeMode: 'Filesystem' }, status: { phase: 'Pending' } },
          ],
        },
      },
    },
    {
      of: ['batch/v1', 'Job'],
      guarantees: 'runs once, with six retries, labelled like its pods',
      given: { spec: { template: { ...given, metadata: { labels: { a: 'b' } } } } },
      becomes: {
        metadata: { labels: { a: 'b' } },
        spec: {
          parallelism: 1,
          completions: 1,
          backoffLimit: 6,
          completionMode: 'NonIndexed',
          suspend: false,
          podReplacementPolicy: 'TerminatingOrFailed',
        },
      },
    },
    {
      of: ['batch/v1', 'CronJob'],
      guarantees: 'keeps three successes and one failure',
      given: { spec: { schedule: '* * * * *', jobTemplate: { spec: { template: given } } } },
      becomes: {
        spec: {
          concurrencyPolicy: 'Allow',
          suspend: false,
          successfulJobsHistoryLimit: 3,
          failedJobsHistoryLimit: 1,
          jobTemplate: { spec: { template } },
        },
      },
    },
    {
      of: ['v1', 'Service'],
      guarantees: 'is inside the cluster, and forwards to the same port',
      given: { spec: { ports: [{ port: 80 }] } },
      becomes: {
        spec: {
          type: 'ClusterIP',
          sessionAffinity: 'None',
          internalTrafficPolicy: 'Cluster',
          ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
        },
        status: { loadBalancer: {} },
      },
    },
    {
      of: ['v1', 'Service'],
      guarantees: 'that leads outside has no traffic policy',
      given: { spec: { type: 'ExternalName', externalName: 'a.b' } },
      becomes: { spec: { type: 'ExternalName', externalName: 'a.b', sessionAffinity: 'None' } },
    },
    {
      of: ['v1', 'Service'],
      guarantees: 'with a load balancer takes traffic at every node',
      given: { spec: { type: 'LoadBalancer', sessionAffinity: 'ClientIP', ports: [{ port: 1, targetPort: 'web' }] } },
      becomes: {
        spec: {
          externalTrafficPolicy: 'Cluster',
          allocateLoadBalancerNodePorts: true,
          sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
          ports: [{ targetPort: 'web' }],
        },
      },
    },
    {
      of: [rbac, 'RoleBinding'],
      guarantees: 'names the group of role, users and groups',
      given: {
        roleRef: { kind: 'Role', name: 'r' },
        subjects: [
          { kind: 'User', name: 'u' },
          { kind: 'ServiceAccount', name: 's' },
        ],
      },
      becomes: {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io' },
        subjects: [
          { kind: 'User', name: 'u', apiGroup: 'rbac.authorization.k8s.io' },
          { kind: 'ServiceAccount', name: 's' },
        ],
      },
    },
    {
      of: [networking, 'NetworkPolicy'],
      guarantees: 'is about ingress',
      given: { spec: { podSelector: {} } },
      becomes: { spec: { podSelector: {}, policyTypes: ['Ingress'] } },
    },
    {
      of: [networking, 'NetworkPolicy'],
      guarantees: 'with egress rules is about both, over TCP',
      given: { spec: { egress: [{ ports: [{ port: 53 }] }] } },
      becomes: { spec: { policyTypes: ['Ingress', 'Egress'], egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }] } },
    },
    {
      of: ['autoscaling/v2', 'HorizontalPodAutoscaler'],
      guarantees: 'aims at 80 % of the CPU',
      given: { spec: { maxReplicas: 3, behavior: { scaleDown: { stabilizationWindowSeconds: 5 } } } },
      becomes: {
        spec: {
          minReplicas: 1,
          metrics: [{ resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
          behavior: {
            scaleUp: { selectPolicy: 'Max' },
            scaleDown: { stabilizationWindowSeconds: 5, selectPolicy: 'Max' },
          },
        },
      },
    },
    {
      of: ['v1', 'Secret'],
      guarantees: 'takes plain text into its data',
      given: { stringData: { a: 'admin' }, data: { a: 'eA==', b: 'eA==' } },
      becomes: { type: 'Opaque', data: { a: 'YWRtaW4=', b: 'eA==' } },
    },
    {
      of: ['v1', 'Namespace'],
      guarantees: 'is labelled with its name',
      given: { metadata: { name: 'shop', labels: { 'kubernetes.io/metadata.name': 'x', a: 'b' } } },
      becomes: { metadata: { labels: { 'kubernetes.io/metadata.name': 'shop', a: 'b' } }, status: { phase: 'Active' } },
    },
    {
      of: ['v1', 'Node'],
      guarantees: 'can give what it has',
      given: { status: { capacity: { cpu: 2 } } },
      becomes: { status: { allocatable: { cpu: '2' } } },
    },
    {
      of: ['v1', 'PersistentVolume'],
      guarantees: 'is kept when released',
      given: {},
      becomes: {
        spec: { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' },
        status: { phase: 'Pending' },
      },
    },
    {
      of: ['v1', 'PersistentVolumeClaim'],
      guarantees: 'waits for a volume',
      given: {},
      becomes: { spec: { volumeMode: 'Filesystem' }, status: { phase: 'Pending' } },
    },
    {
      of: ['storage.k8s.io/v1', 'StorageClass'],
      guarantees: 'deletes, and binds at once',
      given: { provisioner: 'p' },
      becomes: { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
    },
    {
      of: ['discovery.k8s.io/v1', 'EndpointSlice'],
      guarantees: 'has ports of TCP',
      given: { addressType: 'IPv4', ports: [{ port: 1 }] },
      becomes: { ports: [{ name: '', port: 1, protocol: 'TCP' }] },
    },
    {
      of: ['scheduling.k8s.io/v1', 'PriorityClass'],
      guarantees: 'preempts',
      given: { value: 1 },
      becomes: { preemptionPolicy: 'PreemptLowerPriority' },
    },
    {
      of: ['v1', 'LimitRange'],
      guarantees: 'limits to the maximum',
      given: { spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { memory: '1Mi' } }] } },
      becomes: { spec: { limits: [{ default: { cpu: '2' }, defaultRequest: { cpu: '2', memory: '1Mi' } }] } },
    },
    {
      of: ['v1', 'ConfigMap'],
      guarantees: 'has none',
      given: { data: { a: 'b' } },
      becomes: { data: { a: 'b' }, metadata: {} },
    },
  ])('$of: $guarantees', ({ of: [apiVersion, kind], given, becomes }) => {
    expect(defaulted(apiVersion, kind, given)).toMatchObject(becomes);
  });

  test('what leads outside gets nothing that it has no use for', () => {
    const spec = defaulted('v1', 'Service', { spec: { type: 'ExternalName' } })['spec'];
    expect(spec).toEqual({ type: 'ExternalName', sessionAffinity: 'None' });
  });

  test('plain text does not stay in a secret', () => {
    expect(defaulted('v1', 'Secret', { stringData: { a: 'b' } })['stringData']).toBeUndefined();
  });
});
