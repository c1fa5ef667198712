import { describe, expect, test } from 'vitest';
import type { ResourceAccess } from '../../src/api/access.ts';
import type { KubeObject } from '../../src/api/meta.ts';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import { access, userNamed } from './support.ts';

const node = userNamed('system:node:w1', ['system:nodes', 'system:authenticated']);

function pod(name: string, nodeName: string, spec: object = {}, metadata: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'n1', ...metadata },
    spec: { nodeName, serviceAccountName: 'default', containers: [], ...spec },
  };
}

const rich = pod('a', 'w1', {
  imagePullSecrets: [{ name: 'pull' }],
  containers: [
    {
      env: [
        { valueFrom: { secretKeyRef: { name: 'env-key' } } },
        { valueFrom: { configMapKeyRef: { name: 'env-map' } } },
      ],
      envFrom: [{ secretRef: { name: 'env-from' } }],
    },
  ],
  initContainers: [{ envFrom: [{ configMapRef: { name: 'init-map' } }] }],
  volumes: [
    { name: 'x', secret: { secretName: 'mounted' } },
    { name: 'y', projected: { sources: [{ configMap: { name: 'kube-root-ca.crt' } }, { secret: { name: 'part' } }] } },
    { name: 'z', persistentVolumeClaim: { claimName: 'data' } },
    { name: 'scratch', ephemeral: {} },
  ],
});

const volume = (name: string, claim: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: { claimRef: { namespace: 'n1', name: claim } },
});

interface Row {
  readonly guarantees: string;
  readonly request: Partial<ResourceAccess>;
  readonly allowed: boolean;
}

const secret = (name: string): Partial<ResourceAccess> => ({ resource: 'secrets', name });
const lease = { group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease' };
const lists = { group: 'netpolicy.gatehouse.dev', resource: 'nodeallowlists', namespace: '' };

describe('a node', () => {
  test.for<Row>([
    { guarantees: 'reads a secret that a volume mounts', request: secret('mounted'), allowed: true },
    { guarantees: 'reads a pull secret', request: secret('pull'), allowed: true },
    { guarantees: 'reads a secret of a variable', request: secret('env-key'), allowed: true },
    { guarantees: 'reads a secret of a whole environment', request: secret('env-from'), allowed: true },
    { guarantees: 'reads a projected secret', request: secret('part'), allowed: true },
    { guarantees: 'watches one by name', request: { ...secret('pull'), verb: 'watch' }, allowed: true },
    {
      guarantees: 'watches one by field selector',
      request: { ...secret(''), verb: 'watch', fieldSelector: 'metadata.name=pull' },
      allowed: true,
    },
    { guarantees: 'may not list secrets', request: { ...secret(''), verb: 'list' }, allowed: false },
    { guarantees: 'may not write a secret', request: { ...secret('pull'), verb: 'update' }, allowed: false },
    {
      guarantees: 'reads no secret of the same name elsewhere',
      request: { ...secret('pull'), namespace: 'n2' },
      allowed: false,
    },
    { guarantees: 'reads no secret of a pod elsewhere', request: secret('theirs'), allowed: false },
    {
      guarantees: 'reads a config map of an init container',
      request: { resource: 'configmaps', name: 'init-map' },
      allowed: true,
    },
    {
      guarantees: 'reads the projected root certificate',
      request: { resource: 'configmaps', name: 'kube-root-ca.crt' },
      allowed: true,
    },
    {
      guarantees: 'does not read a secret’s namesake map',
      request: { resource: 'configmaps', name: 'pull' },
      allowed: false,
    },
    {
      guarantees: 'reads the claim of a pod',
      request: { resource: 'persistentvolumeclaims', name: 'data' },
      allowed: true,
    },
    {
      guarantees: 'reads a claim made for a pod',
      request: { resource: 'persistentvolumeclaims', name: 'a-scratch' },
      allowed: true,
    },
    {
      guarantees: 'reads the volume of that claim',
      request: { resource: 'persistentvolumes', name: 'pv1', namespace: '' },
      allowed: true,
    },
    {
      guarantees: 'reads no other volume',
      request: { resource: 'persistentvolumes', name: 'pv2', namespace: '' },
      allowed: false,
    },
    {
      guarantees: 'asks tokens for the account of a pod',
      request: { verb: 'create', resource: 'serviceaccounts', subresource: 'token', name: 'default' },
      allowed: true,
    },
    {
      guarantees: 'asks none for another account',
      request: { verb: 'create', resource: 'serviceaccounts', subresource: 'token', name: 'admin' },
      allowed: false,
    },
    { guarantees: 'reads its pod', request: {}, allowed: true },
    { guarantees: 'reads no other pod', request: { name: 'b' }, allowed: false },
    {
      guarantees: 'lists its pods',
      request: { verb: 'list', namespace: '', name: '', fieldSelector: 'spec.nodeName=w1' },
      allowed: true,
    },
    { guarantees: 'does not list all pods', request: { verb: 'list', namespace: '', name: '' }, allowed: false },
    {
      guarantees: 'does not list another node’s',
      request: { verb: 'watch', namespace: '', name: '', fieldSelector: 'spec.nodeName=w2' },
      allowed: false,
    },
    {
      guarantees: 'does not list all pods but its own',
      request: { verb: 'list', namespace: '', name: '', fieldSelector: 'spec.nodeName!=w1' },
      allowed: false,
    },
    { guarantees: 'writes the status of its pod', request: { verb: 'patch', subresource: 'status' }, allowed: true },
    {
      guarantees: 'writes no other pod’s',
      request: { verb: 'patch', subresource: 'status', name: 'b' },
      allowed: false,
    },
    { guarantees: 'does not write its pod itself', request: { verb: 'patch' }, allowed: false },
    { guarantees: 'may not exec', request: { verb: 'create', subresource: 'exec' }, allowed: false },
    {
      guarantees: 'writes its Node’s status',
      request: { verb: 'patch', resource: 'nodes', subresource: 'status', namespace: '', name: 'w1' },
      allowed: true,
    },
    {
      guarantees: 'writes no other Node',
      request: { verb: 'patch', resource: 'nodes', subresource: 'status', namespace: '', name: 'w2' },
      allowed: false,
    },
    {
      guarantees: 'opens its own tunnel',
      request: { verb: 'get', resource: 'nodes', subresource: 'tunnel', namespace: '', name: 'w1' },
      allowed: true,
    },
    {
      guarantees: 'opens no other',
      request: { verb: 'get', resource: 'nodes', subresource: 'tunnel', namespace: '', name: 'w2' },
      allowed: false,
    },
    { guarantees: 'renews its lease', request: { ...lease, verb: 'update', name: 'w1' }, allowed: true },
    { guarantees: 'renews no other', request: { ...lease, verb: 'update', name: 'w2' }, allowed: false },
    {
      guarantees: 'has no lease elsewhere',
      request: { ...lease, verb: 'update', name: 'w1', namespace: 'n1' },
      allowed: false,
    },
    {
      guarantees: 'watches its allow-list',
      request: { ...lists, verb: 'watch', name: '', fieldSelector: 'metadata.name=w1' },
      allowed: true,
    },
    { guarantees: 'watches no other’s', request: { ...lists, verb: 'get', name: 'w2' }, allowed: false },
    { guarantees: 'does not watch all', request: { ...lists, verb: 'watch', name: '' }, allowed: false },
  ])('$guarantees', ({ request, allowed }) => {
    const authorizer = createAuthorizer();
    const theirs = pod('b', 'w2', { imagePullSecrets: [{ name: 'theirs' }] });
    for (const object of [rich, theirs, volume('pv1', 'data'), volume('pv2', 'other')]) {
      authorizer.observe({ kind: 'set', object });
    }
    expect(authorizer.authorize(access({ user: node, ...request })).allowed).toBe(allowed);
  });

  test('is one by name and group together', () => {
    const authorizer = createAuthorizer();
    authorizer.observe({ kind: 'set', object: rich });
    for (const user of [
      userNamed('system:node:w1'),
      userNamed('w1', ['system:nodes']),
      userNamed('system:node:', ['system:nodes']),
    ]) {
      expect(authorizer.authorize(access({ user, ...secret('pull') })).allowed).toBe(false);
    }
  });

  test('loses a secret with the last pod that mentions it, and at once', () => {
    const authorizer = createAuthorizer();
    const asks = (): boolean => authorizer.authorize(access({ user: node, ...secret('s') })).allowed;
    const mentions = { imagePullSecrets: [{ name: 's' }] };
    expect(asks()).toBe(false);
    authorizer.observe({ kind: 'set', object: pod('p', '', mentions) });
    expect(asks()).toBe(false);
    authorizer.observe({ kind: 'set', object: pod('p', 'w1', mentions) });
    authorizer.observe({ kind: 'set', object: pod('q', 'w1', mentions) });
    expect(asks()).toBe(true);
    authorizer.observe({ kind: 'delete', object: pod('p', 'w1', mentions) });
    expect(asks()).toBe(true);
    authorizer.observe({ kind: 'set', object: pod('q', 'w1') });
    expect(asks()).toBe(false);
  });

  test('gains nothing from a mirror pod, which it writes itself', () => {
    const authorizer = createAuthorizer();
    const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' } };
    const object = pod('p', 'w1', { imagePullSecrets: [{ name: 's' }] }, mirror);
    authorizer.observe({ kind: 'set', object });
    expect(authorizer.authorize(access({ user: node, ...secret('s') })).allowed).toBe(false);
  });

  test('is told that its rules are not all there is', () => {
    expect(createAuthorizer().rulesFor(node, 'n1').incomplete).toBe(true);
  });
});
