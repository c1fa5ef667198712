import { describe, expect, test } from 'vitest';
import { at } from '../../../src/std/value.ts';
import { outcomeLater } from '../../support/outcome.ts';
import { body, harness, plainWrite, pod, target } from '../resources/harness.ts';

const refused = (text: string): unknown => expect.stringContaining(text);

const created: unknown = expect.objectContaining({ code: 201 });

describe('what every pod gets', () => {
  test('an account, its token, tolerations, a priority', async () => {
    const h = await harness();
    const made = await h.create('pods', pod('p'));
    expect(made['spec']).toMatchObject({
      serviceAccountName: 'default',
      priority: 0,
      preemptionPolicy: 'PreemptLowerPriority',
    });
    expect(at(made, 'spec', 'volumes', 0, 'name')).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    expect(at(made, 'spec', 'containers', 0, 'volumeMounts', 0)).toMatchObject({
      mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
      readOnly: true,
    });
    expect(at(made, 'spec', 'tolerations', 1)).toMatchObject({
      key: 'node.kubernetes.io/unreachable',
      tolerationSeconds: 300,
    });
    expect(made['status']).toMatchObject({ phase: 'Pending', qosClass: 'BestEffort' });
  });

  test.for([
    {
      spec: { serviceAccountName: 'nobody' },
      says: 'pods "p" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    },
    {
      spec: { priorityClassName: 'nowhere' },
      says: 'pods "p" is forbidden: no PriorityClass with name nowhere was found',
    },
  ])('a pod with $spec is refused', async ({ spec, says }) => {
    const h = await harness();
    expect(await outcomeLater(() => h.create('pods', pod('p', spec)))).toEqual(refused(says));
  });

  test('no token where the pod says so', async () => {
    const h = await harness();
    expect(
      at(await h.create('pods', pod('p', { automountServiceAccountToken: false })), 'spec', 'volumes'),
    ).toBeUndefined();
  });

  test('a certificate request says who sent it, whatever the body says', async () => {
    const h = await harness();
    const request = Buffer.from('-----BEGIN CERTIFICATE REQUEST-----\nx\n-----END CERTIFICATE REQUEST-----').toString(
      'base64',
    );
    const spec = {
      request,
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
      username: 'root',
      groups: ['system:masters'],
    };
    const object = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'c' },
      spec,
    };
    const path = 'certificates.k8s.io/v1/certificatesigningrequests';
    const made = await h.resources.create(h.as('alice', 'dev'), target(path, ''), body(object), plainWrite);
    expect(made.object['spec']).toMatchObject({ username: 'alice', groups: ['dev'] });
    const approved = await h
      .update(`${path}/c/approval`, {
        ...made.object,
        status: { conditions: [{ type: 'Approved', status: 'True' }], certificate: 'eA==' },
      })
      .catch((error: unknown) => error);
    expect(at(approved, 'status')).toMatchObject({ conditions: [{ type: 'Approved' }] });
    expect(at(approved, 'status', 'certificate')).toBeUndefined();
  });
});

describe('what a node may write', () => {
  const node = (name: string, labels = {}): object => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });

  test.for([
    { guarantees: 'itself', path: 'nodes', object: node('n1'), allowed: true },
    {
      guarantees: 'no other node',
      path: 'nodes',
      object: node('n2'),
      says: 'node "n1" is not allowed to modify node "n2"',
    },
    {
      guarantees: 'no restricted label',
      path: 'nodes',
      object: node('n1', { 'node-restriction.kubernetes.io/a': 'b' }),
      says: 'is not allowed to modify labels: node-restriction.kubernetes.io/a',
    },
    {
      guarantees: 'no pod of its choosing',
      path: 'pods',
      object: pod('p', { nodeName: 'n1' }),
      says: 'node "n1" can only create mirror pods',
    },
    {
      guarantees: 'no lease elsewhere',
      path: 'coordination.k8s.io/v1/leases',
      object: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'n1' }, spec: {} },
      says: 'can only access leases in the "kube-node-lease" system namespace',
    },
  ])('$guarantees', async ({ path, object, says }) => {
    const h = await harness();
    const call = h.as('system:node:n1', 'system:nodes', 'system:authenticated');
    const made = await outcomeLater(() =>
      h.resources.create(call, target(path, path === 'nodes' ? '' : 'default'), body(object), plainWrite),
    );
    expect(made).toEqual(says === undefined ? created : refused(says));
  });

  test('the status and the end of pods bound to it, of no others', async () => {
    const h = await harness();
    await h.create('pods', pod('mine', { nodeName: 'n1' }));
    await h.create('pods', pod('other', { nodeName: 'n2' }));
    const call = h.as('system:node:n1', 'system:nodes');
    const running = body({ status: { phase: 'Running' } });
    await h.resources.patch(call, target('pods/mine/status'), 'merge', running, plainWrite);
    expect(
      await outcomeLater(() => h.resources.patch(call, target('pods/other/status'), 'merge', running, plainWrite)),
    ).toEqual(refused('can only update pod status for pods with spec.nodeName set to itself'));
    const empty = { bytes: Buffer.alloc(0), contentType: '' };
    expect(await outcomeLater(() => h.resources.delete(call, target('pods/other'), empty, plainWrite))).toEqual(
      refused('can only delete pods with spec.nodeName set to itself'),
    );
    await h.resources.delete(call, target('pods/mine'), empty, plainWrite);
  });
});

describe('what is created on a pod', () => {
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'p' }, target: { kind: 'Node', name: 'n1' } };

  test('a binding sets the node once', async () => {
    const h = await harness();
    await h.create('pods', pod('p'));
    await h.create('pods/p/binding', binding);
    const bound = await h.get('pods/p');
    expect([at(bound, 'spec', 'nodeName'), at(bound, 'status', 'conditions', 0, 'type')]).toEqual([
      'n1',
      'PodScheduled',
    ]);
    expect(await outcomeLater(() => h.create('pods/p/binding', binding))).toEqual(
      refused('pod p is already assigned to node "n1"'),
    );
  });

  test('an eviction spends the budget, and is refused when there is none left', async () => {
    const h = await harness();
    const budget = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'b' },
      spec: { minAvailable: 1, selector: { matchLabels: { a: 'b' } } },
    };
    await h.create('policy/v1/poddisruptionbudgets', budget);
    const status = {
      observedGeneration: 1,
      disruptionsAllowed: 1,
      currentHealthy: 2,
      desiredHealthy: 1,
      expectedPods: 2,
    };
    await h.patch('policy/v1/poddisruptionbudgets/b/status', 'merge', { status });
    for (const name of ['p', 'q']) {
      await h.create('pods', { ...pod(name, { nodeName: 'n1' }), metadata: { name, labels: { a: 'b' } } });
      await h.patch(`pods/${name}/status`, 'merge', {
        status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
      });
    }
    const evict = (name: string): Promise<unknown> =>
      h.create(`pods/${name}/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } });
    await evict('p');
    expect((await h.get('pods/p')).metadata.deletionTimestamp).toBeDefined();
    expect(await outcomeLater(() => evict('q'))).toEqual(
      refused("Cannot evict pod as it would violate the pod's disruption budget."),
    );
  });
});
