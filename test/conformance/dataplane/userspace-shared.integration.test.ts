/**
 * The userspace data plane where pods share the machine's network: a client dials from no address of its own and is
 * known by its process alone. What it does not hold there, dials past the proxy, is in its capabilities and not here.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identifyClient } from '../../../src/app/client-identity.ts';
import type { ProcessOwner } from '../../../src/core/node/runtimes/process/bare.ts';
import type { DataPlane } from '../../../src/netpolicy/backends/backend.ts';
import { createSocketFinder } from '../../../src/netpolicy/backends/sockets.ts';
import { createUserspace } from '../../../src/netpolicy/backends/userspace.ts';
import { compileAllowLists } from '../../../src/netpolicy/plan.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { needs } from '../../support/needs.ts';
import { clusterOf } from './cluster.ts';
import { answer } from './loopback-server.ts';
import { dialMeanwhile } from './pod-programs.ts';
import type { Dial } from './pod-programs.ts';
import type { ServiceRig } from './service-probes.ts';
import { serviceProbes } from './service-probes.ts';

const addresses = { a: '127.78.0.1', b: '127.78.0.2', c: '127.78.0.3' } as const;
type Pod = keyof typeof addresses;
const linux = process.platform === 'linux' || needs('clients known by their processes', ['linux'], 'run on Linux');

describe.runIf(linux)('the userspace data plane where pods share a network', () => {
  const owners = new Map<number, ProcessOwner>();
  const holderOf = createSocketFinder(process.getuid?.() ?? 0);
  const sandboxes = Object.entries(addresses).map(([uid, address]) => ({
    id: uid,
    spec: {
      uid,
      namespace: 'x',
      name: uid,
      hostname: uid,
      network: { kind: 'routed' as const, address },
      hosts: '',
      resolvConf: '',
    },
    address,
    idOffset: 0,
  }));
  const plane: DataPlane = createUserspace({
    clock: systemClock,
    log: silentLogger,
    podRange: '127.78.0.0/24',
    nodePortAddresses: ['127.78.99.1'],
    identify: (client) =>
      identifyClient(
        {
          holderOf,
          ownerOf: async (pid) => owners.get(pid) ?? { kind: 'unknown' },
          sandboxes: async () => sandboxes,
        },
        client,
      ),
  });
  const closers: (() => void)[] = [];

  /** Dials from a process that is `owner`'s. */
  const dialAs = (owner: ProcessOwner, dial: Dial): ReturnType<ServiceRig['dial']> =>
    dialMeanwhile([], dial, (pid) => owners.set(pid, owner));

  const rig: ServiceRig = {
    addresses,
    services: ['127.78.96.1', '127.78.96.2'],
    enforce: async (policies) => {
      const pods = Object.entries(addresses).map(([name, address]) => ({ name, node: 'n1', addresses: [address] }));
      const { lists, slices } = compileAllowLists(clusterOf({ n1: ['127.78.99.2'] }, pods, policies));
      for (const allowList of lists) await plane.apply({ allowList, slices });
    },
    serve: (services) => plane.applyServices(services),
    dial: (from, dial) => dialAs({ kind: 'pod', uid: from }, dial),
  };
  const leadTo = (...pods: readonly Pod[]): Promise<void> =>
    rig.serve([
      {
        name: 'x/s:',
        address: '127.78.96.1',
        protocol: 'TCP',
        port: 7080,
        nodePort: 7081,
        endpoints: pods.map((pod) => ({ address: addresses[pod], port: 8080 })),
      },
    ]);
  const service: Dial = { to: '127.78.96.1', port: 7080, protocol: 'TCP' };
  const guardB = [{ podSelector: { matchLabels: { name: 'b' } }, policyTypes: ['Ingress'] }];

  beforeAll(async () => {
    for (const [name, address] of Object.entries(addresses)) {
      closers.push(await answer(name, address));
      await plane.podAdded({ uid: `uid-${name}`, addresses: [address] });
    }
  });

  afterAll(async () => {
    await plane.stop({ leaveRules: false });
    for (const close of closers) close();
  });

  serviceProbes(() => rig);

  test('whoever is not known is refused what any policy guards, and only that', async () => {
    await leadTo('b');
    await rig.enforce([]);
    expect((await dialAs({ kind: 'unknown' }, service)).outcome).toBe('answered');
    await rig.enforce(guardB);
    expect((await dialAs({ kind: 'unknown' }, service)).outcome).toBe('refused');
    // It might be a pod that may go nowhere.
    await leadTo('c');
    await rig.enforce([{ podSelector: { matchLabels: { name: 'a' } }, policyTypes: ['Egress'] }]);
    expect((await dialAs({ kind: 'unknown' }, service)).outcome).toBe('refused');
  });

  test("the machine's own programs reach a guarded pod, as its node's do everywhere", async () => {
    await leadTo('b');
    await rig.enforce(guardB);
    expect((await dialAs({ kind: 'account' }, service)).outcome).toBe('answered');
  });

  test('a pod is seen by its own address, over TCP and UDP', async () => {
    const seen = '127.78.0.9';
    const uid = 'uid-w';
    closers.push(await answer('w', seen, true));
    await plane.podAdded({ uid, addresses: [seen] });
    const pods = [...Object.entries(addresses), ['w', seen] as const];
    const cluster = clusterOf(
      { n1: ['127.78.99.2'] },
      pods.map(([name, address]) => ({ name, node: 'n1', addresses: [address] })),
      [],
    );
    const { lists, slices } = compileAllowLists(cluster);
    for (const allowList of lists) await plane.apply({ allowList, slices });
    const port = { name: 'x/w:', address: '127.78.96.1', port: 7090, endpoints: [{ address: seen, port: 8080 }] };
    await rig.serve([
      { ...port, protocol: 'TCP' },
      { ...port, protocol: 'UDP' },
    ]);
    for (const protocol of ['TCP', 'UDP'] as const)
      expect((await rig.dial('a', { to: '127.78.96.1', port: 7090, protocol })).who).toBe(`w ${addresses.a}`);
  });

  test('a node port is open on the addresses of the node, also when they are told later', async () => {
    await leadTo('b');
    await rig.enforce([]);
    for (const to of ['127.78.99.1', '127.78.99.2'])
      expect((await rig.dial('a', { to, port: 7081, protocol: 'TCP' })).outcome).toBe('answered');
  });

  test('a pod that no list of this node holds is not relayed to: nobody here could judge for it', async () => {
    await rig.enforce([]);
    closers.push(await answer('far', '127.78.0.200'));
    await rig.serve([
      {
        name: 'x/s:',
        address: '127.78.96.1',
        protocol: 'TCP',
        port: 7080,
        endpoints: [{ address: '127.78.0.200', port: 8080 }],
      },
    ]);
    expect((await rig.dial('a', service)).outcome).toBe('refused');
  });

  test('a client that is gone before it is looked for is nobody', async () => {
    await leadTo('b');
    await rig.enforce(guardB);
    const socket = connect(7080, '127.78.96.1');
    await once(socket, 'connect');
    const { localPort = 0 } = socket;
    socket.destroy();
    const client = {
      protocol: 'TCP',
      address: '127.0.0.1',
      port: localPort,
      to: { address: '127.78.96.1', port: 7080 },
    } as const;
    expect((await holderOf(client)).kind).toBe('none');
  });
});
