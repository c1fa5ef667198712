import { describe, expect, test } from 'vitest';
import { humanDuration } from '../../../src/api/schema/cells.ts';
import { columnsOf, toTable } from '../../../src/api/schema/columns.ts';
import { servedTypes } from '../../../src/api/schema/kinds.ts';

const now = Date.parse('2026-01-01T01:00:00Z');
const hourAgo = '2026-01-01T00:00:00Z';

/** Cells by column name. */
function row(group: string, resource: string, object: object): Readonly<Record<string, unknown>> {
  const whole = { apiVersion: 'v1', kind: 'X', metadata: { name: 'x', creationTimestamp: hourAgo }, ...object };
  const table = toTable({ group, resource }, [whole], { includeObject: 'None', now, metadata: {} });
  return Object.fromEntries(table.columnDefinitions.map((column, i) => [column.name, table.rows[0]?.cells[i]]));
}

describe('a span of time', () => {
  const [s, m, h, d] = [1000, 60_000, 3_600_000, 86_400_000];
  test.for<[number, string]>([
    [-5 * s, '<invalid>'],
    [-500, '0s'],
    [0, '0s'],
    [119 * s, '119s'],
    [120 * s, '2m'],
    [125 * s, '2m5s'],
    [10 * m + 30 * s, '10m'],
    [179 * m, '179m'],
    [3 * h, '3h'],
    [3 * h + 20 * m, '3h20m'],
    [8 * h + 20 * m, '8h'],
    [47 * h, '47h'],
    [48 * h, '2d'],
    [2 * d + h, '2d1h'],
    [8 * d + h, '8d'],
    [729 * d, '729d'],
    [730 * d, '2y'],
    [800 * d, '2y70d'],
    [3000 * d, '8y'],
  ])('%d ms is %s', ([ms, text]) => {
    expect(humanDuration(ms)).toBe(text);
  });
});

const running = { ready: true, state: { running: {} }, restartCount: 0 };
const initialized = { type: 'Initialized', status: 'True' };

interface PodRow {
  readonly pod: { readonly metadata?: object; readonly spec?: object; readonly status?: object };
  readonly status: string;
  readonly ready?: string;
  readonly restarts?: string;
}

describe('the status of a pod', () => {
  test.for<PodRow>([
    { status: 'Pending', ready: '0/1', restarts: '0', pod: { status: { phase: 'Pending' } } },
    { status: 'Running', ready: '1/1', pod: { status: { phase: 'Running', containerStatuses: [running] } } },
    { status: 'Evicted', pod: { status: { phase: 'Failed', reason: 'Evicted' } } },
    {
      status: 'SchedulingGated',
      pod: {
        status: {
          phase: 'Pending',
          conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
        },
      },
    },
    {
      status: 'CrashLoopBackOff',
      ready: '0/1',
      restarts: '3 (5m ago)',
      pod: {
        status: {
          phase: 'Running',
          containerStatuses: [
            {
              ready: false,
              restartCount: 3,
              state: { waiting: { reason: 'CrashLoopBackOff' } },
              lastState: { terminated: { finishedAt: '2026-01-01T00:55:00Z' } },
            },
          ],
        },
      },
    },
    {
      status: 'Completed',
      pod: {
        status: {
          phase: 'Succeeded',
          containerStatuses: [{ state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
        },
      },
    },
    {
      status: 'ExitCode:3',
      pod: { status: { phase: 'Failed', containerStatuses: [{ state: { terminated: { exitCode: 3 } } }] } },
    },
    {
      status: 'Signal:9',
      pod: { status: { phase: 'Failed', containerStatuses: [{ state: { terminated: { signal: 9 } } }] } },
    },
    {
      status: 'NotReady',
      ready: '1/2',
      pod: {
        spec: { containers: [{}, {}] },
        status: { phase: 'Running', containerStatuses: [{ state: { terminated: { reason: 'Completed' } } }, running] },
      },
    },
    {
      status: 'Init:0/2',
      pod: {
        spec: { initContainers: [{ name: 'a' }, { name: 'b' }], containers: [{}] },
        status: { phase: 'Pending', initContainerStatuses: [{ name: 'a', state: { running: {} } }] },
      },
    },
    {
      status: 'Init:ErrImagePull',
      pod: {
        spec: { initContainers: [{ name: 'a' }, { name: 'b' }], containers: [{}] },
        status: {
          phase: 'Pending',
          initContainerStatuses: [
            { name: 'a', state: { terminated: { exitCode: 0 } } },
            { name: 'b', state: { waiting: { reason: 'ErrImagePull' } } },
          ],
        },
      },
    },
    {
      status: 'Init:Error',
      pod: {
        spec: { initContainers: [{ name: 'a' }], containers: [{}] },
        status: {
          phase: 'Pending',
          initContainerStatuses: [{ name: 'a', state: { terminated: { exitCode: 1, reason: 'Error' } } }],
        },
      },
    },
    {
      status: 'PodInitializing',
      pod: {
        spec: { initContainers: [{ name: 'a' }], containers: [{}] },
        status: {
          phase: 'Pending',
          initContainerStatuses: [{ name: 'a', state: { terminated: { exitCode: 0 } } }],
          containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }],
        },
      },
    },
    {
      status: 'Running',
      ready: '2/2',
      restarts: '1',
      pod: {
        spec: { initContainers: [{ name: 'side', restartPolicy: 'Always' }], containers: [{}] },
        status: {
          phase: 'Running',
          conditions: [initialized],
          initContainerStatuses: [
            { name: 'side', started: true, ready: true, restartCount: 1, state: { running: {} } },
          ],
          containerStatuses: [running],
        },
      },
    },
    {
      status: 'Terminating',
      pod: { metadata: { deletionTimestamp: hourAgo }, status: { phase: 'Running', containerStatuses: [running] } },
    },
    {
      status: 'Unknown',
      pod: { metadata: { deletionTimestamp: hourAgo }, status: { phase: 'Running', reason: 'NodeLost' } },
    },
  ])('is $status', ({ pod, status, ready, restarts }) => {
    const cells = row('', 'pods', { spec: { containers: [{}] }, ...pod, metadata: { name: 'x', ...pod.metadata } });
    expect(cells).toMatchObject({
      Status: status,
      ...(ready === undefined ? {} : { Ready: ready }),
      ...(restarts === undefined ? {} : { Restarts: restarts }),
    });
  });
});

interface Row {
  readonly of: readonly [group: string, resource: string];
  readonly object: object;
  readonly shows: object;
}

const template = {
  spec: {
    containers: [
      { name: 'a', image: 'i' },
      { name: 'b', image: 'j' },
    ],
  },
};

describe('what is shown', () => {
  test.for<Row>([
    {
      of: ['apps', 'deployments'],
      object: {
        spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template },
        status: { readyReplicas: 2, updatedReplicas: 3 },
      },
      shows: {
        Ready: '2/3',
        'Up-to-date': 3,
        Available: 0,
        Age: '60m',
        Containers: 'a,b',
        Images: 'i,j',
        Selector: 'app=web',
      },
    },
    {
      of: ['', 'services'],
      object: {
        spec: {
          type: 'NodePort',
          clusterIP: '10.0.0.1',
          ports: [
            { port: 80, nodePort: 30_080, protocol: 'TCP' },
            { port: 53, protocol: 'UDP' },
          ],
          selector: { b: '1', a: '2' },
        },
      },
      shows: {
        Type: 'NodePort',
        'Cluster-IP': '10.0.0.1',
        'External-IP': '<none>',
        'Port(s)': '80:30080/TCP,53/UDP',
        Selector: 'a=2,b=1',
      },
    },
    {
      of: ['', 'services'],
      object: { spec: { type: 'LoadBalancer' } },
      shows: { 'External-IP': '<pending>', 'Port(s)': '<none>' },
    },
    {
      of: ['', 'nodes'],
      object: {
        metadata: { name: 'n', labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/edge': '' } },
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: 'Ready', status: 'True' }],
          addresses: [{ type: 'InternalIP', address: '10.0.0.9' }],
          nodeInfo: { kubeletVersion: 'v1' },
        },
      },
      shows: {
        Status: 'Ready,SchedulingDisabled',
        Roles: 'edge,worker',
        Age: '<unknown>',
        'Internal-IP': '10.0.0.9',
        'External-IP': '<none>',
        'OS-Image': '<unknown>',
      },
    },
    {
      of: ['', 'events'],
      object: {
        involvedObject: { kind: 'Pod', name: 'web' },
        reason: 'Killing',
        type: 'Normal',
        message: ' gone\n',
        lastTimestamp: '2026-01-01T00:58:00Z',
        source: { component: 'kubelet', host: 'n' },
      },
      shows: { 'Last Seen': '2m', Object: 'pod/web', Message: 'gone', Source: 'kubelet, n', Count: 1 },
    },
    {
      of: ['batch', 'jobs'],
      object: { spec: { completions: 2 }, status: { succeeded: 1, startTime: '2026-01-01T00:59:00Z' } },
      shows: { Status: 'Running', Completions: '1/2', Duration: '60s' },
    },
    { of: ['', 'configmaps'], object: { data: { a: '1' }, binaryData: { b: '' } }, shows: { Data: 2 } },
    {
      of: ['networking.k8s.io', 'networkpolicies'],
      object: { spec: { podSelector: {} } },
      shows: { 'Pod-Selector': '<none>' },
    },
    { of: ['rbac.authorization.k8s.io', 'roles'], object: {}, shows: { 'Created At': hourAgo } },
    {
      of: ['rbac.authorization.k8s.io', 'rolebindings'],
      object: {
        roleRef: { kind: 'Role', name: 'r' },
        subjects: [
          { kind: 'User', name: 'u' },
          { kind: 'ServiceAccount', namespace: 'n', name: 's' },
        ],
      },
      shows: { Role: 'Role/r', Users: 'u', ServiceAccounts: 'n/s' },
    },
    {
      of: ['autoscaling', 'horizontalpodautoscalers'],
      object: {
        spec: {
          maxReplicas: 3,
          scaleTargetRef: { kind: 'Deployment', name: 'd' },
          metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 80 } } }],
        },
      },
      shows: { Reference: 'Deployment/d', Targets: 'cpu: <unknown>/80%', MinPods: '<unset>' },
    },
    {
      of: ['certificates.k8s.io', 'certificatesigningrequests'],
      object: { status: { conditions: [{ type: 'Approved' }], certificate: 'x' } },
      shows: { Condition: 'Approved,Issued', RequestedDuration: '<none>' },
    },
    {
      of: ['certificates.k8s.io', 'certificatesigningrequests'],
      object: {
        spec: { signerName: 'kubernetes.io/kube-apiserver-client', username: 'alice', expirationSeconds: 86_400 },
      },
      shows: {
        Age: '60m',
        SignerName: 'kubernetes.io/kube-apiserver-client',
        Requestor: 'alice',
        RequestedDuration: '24h',
        Condition: 'Pending',
      },
    },
    {
      of: ['certificates.k8s.io', 'certificatesigningrequests'],
      object: { status: { conditions: [{ type: 'Approved' }, { type: 'Denied' }] } },
      shows: { Condition: 'Denied', SignerName: '<none>' },
    },
    {
      of: ['certificates.k8s.io', 'certificatesigningrequests'],
      object: { status: { conditions: [{ type: 'Approved' }, { type: 'Failed' }] } },
      shows: { Condition: 'Approved,Failed' },
    },
    {
      of: ['discovery.k8s.io', 'endpointslices'],
      object: { ports: [{ port: 80 }], endpoints: [1, 2, 3, 4].map((n) => ({ addresses: [`10.0.0.${n}`] })) },
      shows: { Ports: '80', Endpoints: '10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...' },
    },
    {
      of: ['storage.k8s.io', 'storageclasses'],
      object: { metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } } },
      shows: { Name: 'fast (default)', ReclaimPolicy: 'Delete' },
    },
  ])('of $of', ({ of: [group, resource], object, shows }) => {
    expect(row(group, resource, object)).toMatchObject(shows);
  });

  test.for(servedTypes().map((type) => ({ title: `${type.group}/${type.resource}`, type })))(
    '$title shows an object that has nothing but a name',
    ({ type }) => {
      const empty = { apiVersion: type.apiVersion, kind: type.kind, metadata: { name: 'x' } };
      const { rows, columnDefinitions } = toTable(type, [empty], { includeObject: 'None', now, metadata: {} });
      expect(rows[0]?.cells).toHaveLength(columnDefinitions.length);
      expect(rows[0]?.cells.filter((cell) => cell === undefined || Number.isNaN(cell))).toEqual([]);
      expect(columnDefinitions.filter((one) => one.format === 'name')).toHaveLength(1);
    },
  );

  test('the object stands beside its cells as it was asked for, and columns can be left out', () => {
    const object = { apiVersion: 'v1', kind: 'X', metadata: { name: 'x' }, spec: {} };
    const type = { group: 'example.com', resource: 'xs' };
    const table = (includeObject: 'None' | 'Metadata' | 'Object') =>
      toTable(type, [object], { includeObject, now, metadata: { resourceVersion: '5' }, withColumns: false });
    expect(table('Object').rows[0]?.object).toBe(object);
    expect(table('None').rows[0]).toEqual({ cells: ['x', '<unknown>'] });
    expect(table('Metadata')).toEqual({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: '5' },
      columnDefinitions: [],
      rows: [
        {
          cells: ['x', '<unknown>'],
          object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name: 'x' } },
        },
      ],
    });
    expect(columnsOf(type).map((column) => column.name)).toEqual(['Name', 'Age']);
  });
});
