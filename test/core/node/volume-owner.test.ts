import { expect, test } from 'vitest';
import type { Pod } from '../../../src/api/types/core.ts';
import { defaultUser } from '../../../src/core/node/runtimes/runtime.ts';
import { volumeOwner } from '../../../src/core/node/volume-owner.ts';
import { main, podOf } from './pod-view.ts';

const offset = 1_000_000;
const as = (runAsUser: number): Pod['spec']['containers'][number] => ({ ...main, securityContext: { runAsUser } });

interface Row {
  readonly guarantees: string;
  readonly spec: Partial<Pod['spec']>;
  readonly owner: { readonly user: number; readonly group?: number; readonly groupReads?: boolean };
}

test.for<Row>([
  { guarantees: 'without a user: the user that such a container is here', spec: {}, owner: { user: defaultUser } },
  { guarantees: 'the user of the pod', spec: { securityContext: { runAsUser: 1000 } }, owner: { user: 1000 } },
  { guarantees: 'the user of the container', spec: { containers: [as(1000)] }, owner: { user: 1000 } },
  { guarantees: 'root of the pod before others', spec: { containers: [as(1000), as(0)] }, owner: { user: 0 } },
  {
    guarantees: 'who would be root upstream before others',
    spec: { containers: [as(1000)], initContainers: [main] },
    owner: { user: defaultUser },
  },
  {
    guarantees: 'the fsGroup, which may read everything',
    spec: { containers: [as(1000)], securityContext: { fsGroup: 2000 } },
    owner: { user: 1000, group: 2000, groupReads: true },
  },
  {
    guarantees: 'never an id of another pod, however large the number',
    spec: { containers: [as(4_000_000)] },
    owner: { user: 65_535 },
  },
])('files belong to: $guarantees', ({ spec, owner }) => {
  const sandbox = { id: 'u1', idOffset: offset, spec: { ...sandboxSpec } };
  expect(volumeOwner(podOf(spec), sandbox)).toEqual({
    offset,
    uid: offset + owner.user,
    gid: offset + (owner.group ?? owner.user),
    groupReads: owner.groupReads ?? false,
  });
});

test("where a pod has no ids of its own, files stay the agent's", () => {
  expect(volumeOwner(podOf({ securityContext: { fsGroup: 5 } }), { id: 'u1', idOffset: 0, spec: sandboxSpec })).toBe(
    undefined,
  );
});

const sandboxSpec = {
  uid: 'u1',
  namespace: 'default',
  name: 'p',
  hostname: 'p',
  network: { kind: 'none' },
  hosts: '',
  resolvConf: '',
} as const;
