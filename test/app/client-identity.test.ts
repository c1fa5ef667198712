import { describe, expect, test } from 'vitest';
import { identifyClient } from '../../src/app/client-identity.ts';
import type { ProcessOwner } from '../../src/core/node/runtimes/process/bare.ts';
import type { PodNetwork, Sandbox } from '../../src/core/node/runtimes/runtime.ts';
import type { SocketHolder } from '../../src/netpolicy/backends/sockets.ts';
import type { ClientIdentity } from '../../src/netpolicy/backends/userspace.ts';

const sandbox = (uid: string, network: PodNetwork): Sandbox => ({
  id: uid,
  spec: { uid, namespace: 'shop', name: uid, hostname: uid, network, hosts: '', resolvConf: '' },
  ...(network.kind === 'routed' ? { address: network.address } : {}),
  idOffset: 0,
});
const sandboxes = [
  sandbox('api', { kind: 'routed', address: '127.244.0.2' }),
  sandbox('web', { kind: 'routed', address: '127.244.0.3' }),
  sandbox('agent', { kind: 'host' }),
];
const owners = new Map<number, ProcessOwner>([
  [10, { kind: 'pod', uid: 'api' }],
  [11, { kind: 'pod', uid: 'api' }],
  [20, { kind: 'pod', uid: 'web' }],
  [30, { kind: 'pod', uid: 'agent' }],
  [40, { kind: 'pod', uid: 'gone' }],
  [50, { kind: 'account' }],
]);

interface Row {
  readonly guarantees: string;
  readonly from?: string;
  readonly holder: SocketHolder;
  readonly is: ClientIdentity;
}

const held = (...pids: number[]): SocketHolder => ({ kind: 'held', pids });
const unknown: ClientIdentity = { kind: 'unknown' };
const api: ClientIdentity = { kind: 'pod', address: '127.244.0.2' };

describe("a client where pods share the machine's network", () => {
  test.for<Row>([
    { guarantees: 'a process of a pod is that pod', holder: held(10), is: api },
    { guarantees: "also from another pod's address", from: '127.244.0.3', holder: held(10), is: api },
    { guarantees: "and from the machine's own", from: '192.0.2.1', holder: held(10), is: api },
    { guarantees: 'two processes of one pod are that pod', holder: held(10, 11), is: api },
    { guarantees: 'a socket that it shares with the account is its', holder: held(50, 10), is: api },
    { guarantees: 'a socket of two pods is nobody known', holder: held(10, 20), is: unknown },
    { guarantees: 'a pod without a sandbox is nobody known', holder: held(40), is: unknown },
    { guarantees: 'a process that is gone is nobody known', holder: held(99), is: unknown },
    { guarantees: 'a socket that is gone is nobody known', holder: { kind: 'none' }, is: unknown },
    { guarantees: 'a pod of the host network is the node', holder: held(30), is: { kind: 'node' } },
    { guarantees: 'the account itself is the node', holder: held(50), is: { kind: 'node' } },
    { guarantees: 'another account of the machine is the node', holder: { kind: 'other' }, is: { kind: 'node' } },
    {
      guarantees: 'another machine is its address',
      from: '192.0.2.9',
      holder: { kind: 'none' },
      is: { kind: 'address', address: '192.0.2.9' },
    },
  ])('$guarantees', async ({ from = '127.0.0.1', holder, is }) => {
    const found = await identifyClient(
      {
        holderOf: async () => holder,
        ownerOf: async (pid) => owners.get(pid) ?? { kind: 'unknown' },
        sandboxes: async () => sandboxes,
        ownAddresses: () => ['127.0.0.1', '192.0.2.1'],
      },
      { protocol: 'TCP', address: from, port: 50_000, to: { address: '127.96.0.1', port: 80 } },
    );
    expect(found).toEqual(is);
  });
});
