import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DataPlane } from '../../../src/netpolicy/backends/backend.ts';
import { createUserspace } from '../../../src/netpolicy/backends/userspace.ts';
import { compileAllowLists } from '../../../src/netpolicy/plan.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { clusterOf } from './cluster.ts';
import { answer } from './loopback-server.ts';
import type { Dial, Outcome } from './pod-programs.ts';
import type { ServiceRig } from './service-probes.ts';
import { serviceProbes } from './service-probes.ts';

// Pods are loopback addresses of this process: a client binds the address of the pod it plays.
const addresses = { a: '127.77.0.1', b: '127.77.0.2', c: '127.77.0.3' } as const;

describe('the userspace data plane', () => {
  const plane: DataPlane = createUserspace({ clock: systemClock, log: silentLogger });
  const closers: (() => void)[] = [];

  const rig: ServiceRig = {
    addresses,
    services: ['127.77.96.1', '127.77.96.2'],
    enforce: async (policies) => {
      const pods = Object.entries(addresses).map(([name, address]) => ({ name, node: 'n1', addresses: [address] }));
      const { lists, slices } = compileAllowLists(clusterOf({ n1: ['192.0.2.1'] }, pods, policies));
      for (const allowList of lists) await plane.apply({ allowList, slices });
    },
    serve: (services) => plane.applyServices(services),
    dial: (from, dial) => (dial.protocol === 'TCP' ? dialTcp(addresses[from], dial) : dialUdp(addresses[from], dial)),
  };

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

  test('a pod that no list holds gets no answer', async () => {
    await plane.applyServices([
      {
        name: 'x/s:',
        address: '127.77.96.1',
        protocol: 'TCP',
        port: 7080,
        endpoints: [{ address: addresses.b, port: 8080 }],
      },
    ]);
    expect((await rig.dial('a', { to: '127.77.96.1', port: 7080, protocol: 'TCP' })).outcome).toBe('refused');
  });

  serviceProbes(() => rig);

  test('an end sent one way leaves the other way open', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let got = '';
      socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
      socket.on('end', () => socket.end(`got ${got}`));
    });
    await new Promise<void>((resolve) => server.listen(8090, addresses.b, resolve));
    closers.push(() => server.close());
    await rig.enforce([]);
    await rig.serve([
      {
        name: 'x/h:',
        address: '127.77.96.1',
        protocol: 'TCP',
        port: 7090,
        endpoints: [{ address: addresses.b, port: 8090 }],
      },
    ]);
    const socket = connect({ host: '127.77.96.1', port: 7090, localAddress: addresses.a, allowHalfOpen: true });
    socket.end('all of it');
    let answered = '';
    for await (const chunk of socket) answered += String(chunk);
    expect(answered).toBe('got all of it');
  });

  test('a connection that a change forbids is cut', async () => {
    await rig.enforce([]);
    await rig.serve([
      {
        name: 'x/s:',
        address: '127.77.96.1',
        protocol: 'TCP',
        port: 7080,
        endpoints: [{ address: addresses.b, port: 8080 }],
      },
    ]);
    const socket = connect({ host: '127.77.96.1', port: 7080, localAddress: addresses.a });
    socket.write('x');
    await new Promise((resolve) => socket.once('data', resolve));
    const closed = new Promise((resolve) => socket.once('error', resolve));
    await rig.enforce([{ podSelector: { matchLabels: { name: 'b' } }, policyTypes: ['Ingress'] }]);
    expect(await closed).toMatchObject({ code: 'ECONNRESET' });
  });

  test('it says that only service traffic is judged', () => {
    expect(plane.capabilities).toMatchObject({
      backend: 'userspace',
      serviceTraffic: true,
      podTraffic: false,
      sctp: false,
    });
    expect(plane.capabilities.notEnforced.join(' ')).toContain('service traffic only');
  });
});

function dialTcp(localAddress: string, { to, port }: Dial): Promise<{ outcome: Outcome; who: string }> {
  return new Promise((resolve) => {
    const socket = connect({ host: to, port, localAddress, timeout: 500 }, () => socket.write('x'));
    const end = (outcome: Outcome, who = ''): void => {
      socket.destroy();
      resolve({ outcome, who });
    };
    socket.on('data', (data: Buffer) => end('answered', data.toString()));
    socket.on('error', () => end('refused'));
    socket.on('close', () => end('refused'));
    socket.on('timeout', () => end('silent'));
  });
}

function dialUdp(localAddress: string, { to, port }: Dial): Promise<{ outcome: Outcome; who: string }> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const stop = systemClock.after(500, () => end('silent'));
    const end = (outcome: Outcome, who = ''): void => {
      stop();
      socket.close();
      resolve({ outcome, who });
    };
    socket.on('message', (data) => end('answered', data.toString()));
    socket.on('error', () => end('refused'));
    socket.bind({ address: localAddress }, () => socket.send('x', port, to));
  });
}
