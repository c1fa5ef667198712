import { describe, expect, test } from 'vitest';
import { outcomeLater } from '../../../support/outcome.ts';
import { deployment, harness, pod, service } from '../harness.ts';

const refused = (text: string): unknown => expect.stringContaining(text);
const main = { name: 'main', image: 'img' };
const rbac = 'rbac.authorization.k8s.io';
const role = (rule: object): object => ({
  apiVersion: `${rbac}/v1`,
  kind: 'Role',
  metadata: { name: 'r' },
  rules: [rule],
});
const secret = (more: object): object => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, ...more });

describe('a new object is refused in the words of its field', () => {
  test.for([
    { path: 'pods', object: pod('p', { containers: [] }), says: 'spec.containers: Required value' },
    {
      path: 'pods',
      object: pod('p', { containers: [{ name: 'main' }] }),
      says: 'spec.containers[0].image: Required value',
    },
    {
      path: 'pods',
      object: pod('p', { containers: [{ name: 'Main', image: 'i' }] }),
      says: 'spec.containers[0].name: Invalid value: "Main": a lowercase RFC 1123 label must',
    },
    {
      path: 'pods',
      object: pod('p', { containers: [main, main] }),
      says: 'spec.containers[1].name: Duplicate value: "main"',
    },
    {
      path: 'pods',
      object: pod('p', { restartPolicy: 'Sometimes' }),
      says: 'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
    },
    {
      path: 'pods',
      object: pod('p', { containers: [{ ...main, volumeMounts: [{ name: 'v', mountPath: '/v' }] }] }),
      says: 'spec.containers[0].volumeMounts[0].name: Not found: "v"',
    },
    {
      path: 'pods',
      object: pod('p', {
        volumes: [
          { name: 'v', emptyDir: {} },
          { name: 'v', emptyDir: {} },
        ],
      }),
      says: 'spec.volumes[1].name: Duplicate value: "v"',
    },
    {
      path: 'pods',
      object: pod('p', { containers: [{ ...main, ports: [{ containerPort: 70_000 }] }] }),
      says: 'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    },
    {
      path: 'pods',
      object: pod('p', { containers: [{ ...main, readinessProbe: {} }] }),
      says: 'spec.containers[0].readinessProbe: Required value: must specify a handler type',
    },
    {
      path: 'pods',
      object: pod('p', { containers: [{ ...main, resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }] }),
      says: 'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    },
    {
      path: 'pods',
      object: { ...pod('p'), metadata: { name: 'p', labels: { 'a b': 'c' } } },
      says: 'metadata.labels: Invalid value: "a b": name part must consist of',
    },
    {
      path: 'apps/v1/deployments',
      object: deployment('d', { selector: { matchLabels: { app: 'x' } } }),
      says: 'Deployment.apps "d" is invalid: spec.template.metadata.labels: Invalid value: {"app":"d"}: `selector` does not match template `labels`',
    },
    {
      path: 'apps/v1/deployments',
      object: deployment('d', { strategy: { type: 'Recreate', rollingUpdate: {} } }),
      says: "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    },
    {
      path: 'apps/v1/deployments',
      object: deployment('d', { replicas: -1 }),
      says: 'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    },
    { path: 'services', object: service('1s'), says: 'metadata.name: Invalid value: "1s": a DNS-1035 label must' },
    { path: 'services', object: service('s', { ports: [] }), says: 'spec.ports: Required value' },
    {
      path: 'services',
      object: service('s', { ports: [{ port: 1 }, { port: 2 }] }),
      says: 'spec.ports[0].name: Required value',
    },
    { path: 'services', object: service('s', { type: 'ExternalName' }), says: 'spec.externalName: Required value' },
    {
      path: `${rbac}/v1/roles`,
      object: role({ apiGroups: [''], resources: ['pods'], verbs: [] }),
      says: 'rules[0].verbs: Required value: verbs must contain at least one value',
    },
    {
      path: `${rbac}/v1/roles`,
      object: role({ nonResourceURLs: ['/x'], verbs: ['get'] }),
      says: 'namespaced rules cannot apply to non-resource URLs',
    },
    { path: 'secrets', object: secret({ type: 'kubernetes.io/tls' }), says: 'data[tls.crt]: Required value' },
    {
      path: 'secrets',
      object: secret({ type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'e25vcGV9' } }),
      says: 'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>"',
    },
    {
      path: 'secrets',
      object: secret({ type: 'kubernetes.io/basic-auth', data: { other: '' } }),
      says: 'data[password]: Required value',
    },
    {
      path: 'secrets',
      object: secret({ data: { 'a/b': '' } }),
      says: 'data[a/b]: Invalid value: "a/b": a valid config key must consist of',
    },
    {
      path: 'scheduling.k8s.io/v1/priorityclasses',
      object: {
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata: { name: 'p' },
        value: 2_000_000_000,
      },
      says: 'value: Forbidden: maximum allowed value',
    },
  ])('$path: $says', async ({ path, object, says }) => {
    const h = await harness();
    expect(await outcomeLater(() => h.create(path, object))).toEqual(refused(says));
  });
});

describe('what may not change', () => {
  test.for([
    {
      guarantees: 'a pod keeps its spec',
      path: 'pods',
      object: pod('x'),
      patch: { spec: { hostNetwork: true } },
      says: 'spec: Forbidden: pod updates may not change fields other than',
    },
    {
      guarantees: 'a deployment keeps its selector',
      path: 'apps/v1/deployments',
      object: deployment('x'),
      patch: { spec: { selector: { matchLabels: { b: 'c' } } } },
      says: 'spec.selector: Invalid value: {"matchLabels":{"app":"x","b":"c"}}: field is immutable',
    },
    {
      guarantees: 'a service keeps its address',
      path: 'services',
      object: service('x'),
      patch: { spec: { clusterIP: '10.96.7.7', clusterIPs: ['10.96.7.7'] } },
      says: 'spec.clusterIPs[0]: Invalid value: "10.96.7.7": may not change once set',
    },
    {
      guarantees: 'a secret keeps its type',
      path: 'secrets',
      object: { ...secret({}), metadata: { name: 'x' } },
      patch: { type: 'other' },
      says: 'type: Invalid value: "other": field is immutable',
    },
    {
      guarantees: 'what is immutable stays',
      path: 'secrets',
      object: { ...secret({ immutable: true }), metadata: { name: 'x' } },
      patch: { data: { a: 'YQ==' } },
      says: 'data: Forbidden: field is immutable when `immutable` is set',
    },
    {
      guarantees: 'a binding keeps its role',
      path: `${rbac}/v1/rolebindings`,
      object: {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: { name: 'x' },
        roleRef: { apiGroup: rbac, kind: 'Role', name: 'a' },
      },
      patch: { roleRef: { name: 'b' } },
      says: 'cannot change roleRef',
    },
  ])('$guarantees', async ({ path, object, patch, says }) => {
    const h = await harness();
    await h.create(path, object);
    expect(await outcomeLater(() => h.patch(`${path}/x`, 'merge', patch))).toEqual(refused(says));
  });

  test("a pod's image may change", async () => {
    const h = await harness();
    await h.create('pods', pod('x'));
    const made = await h.patch('pods/x', 'strategic', { spec: { containers: [{ name: 'main', image: 'img:2' }] } });
    expect(made.metadata.generation).toBe(2);
  });
});
