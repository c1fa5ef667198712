/**
 * The userspace data plane where pods have networks of their own, with real packets: services are the host's by one
 * route, and a client is its source address. The relay is this process, so it has to be in the host's network: the suite
 * runs once more in one made for it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serviceRangeRoute } from '../../../src/netpolicy/backends/service-range.ts';
import { createUserspace } from '../../../src/netpolicy/backends/userspace.ts';
import { compileAllowLists } from '../../../src/netpolicy/plan.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { needs } from '../../support/needs.ts';
import { clusterOf } from './cluster.ts';
import type { LabPod } from './lab.ts';
import { Lab } from './lab.ts';
import { dialMeanwhile } from './pod-programs.ts';
import type { ServiceRig } from './service-probes.ts';
import { serviceProbes } from './service-probes.ts';

const marker = 'GATEHOUSE_TEST_NETWORK';
const names = ['a', 'b', 'c'] as const;
const canRun = needs(
  'the userspace data plane for pods with networks of their own',
  ['root', 'ip', 'unshare'],
  'apt-get install iproute2 util-linux',
);

if (process.env[marker] === undefined) {
  describe.runIf(canRun)('pods with networks of their own', () => {
    test('the contract holds in a network made for it', { timeout: 120_000 }, async () => {
      const root = join(import.meta.dirname, '../../..');
      const suite = 'test/conformance/dataplane/userspace-routed.integration.test.ts';
      const vitest = [
        join(root, 'node_modules/vitest/vitest.mjs'),
        'run',
        '--configLoader=runner',
        '--project=integration',
        suite,
      ];
      const [program, ...args] = ['unshare', '--net', process.execPath, ...vitest];
      const child = spawn(program, args, {
        cwd: root,
        env: { ...process.env, [marker]: '1', NO_COLOR: '1' },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 100_000,
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (output += String(chunk)));
      const [code] = (await once(child, 'close')) as [number | null];
      expect(output).toMatch(/Tests {2}\d+ passed \(\d+\)/);
      expect(code).toBe(0);
    });
  });
} else {
  describe('the userspace data plane where pods have networks of their own', () => {
    routed();
  });
}

function routed(): void {
  const lab = new Lab(true);
  const pods = new Map<string, LabPod>();
  const pod = (name: string): LabPod => pods.get(name) ?? expect.fail(`no pod ${name}`);
  const plane = createUserspace({
    clock: systemClock,
    log: silentLogger,
    route: serviceRangeRoute('10.96.0.0/16'),
    podRange: '10.200.0.0/16',
  });
  const enforce: ServiceRig['enforce'] = async (policies) => {
    const placed = names.map((name) => ({ name, node: 'n1', addresses: [pod(name).v4] }));
    const { lists, slices } = compileAllowLists(clusterOf({ n1: ['10.200.255.1'] }, placed, policies));
    for (const allowList of lists) await plane.apply({ allowList, slices });
  };
  const rig = (): ServiceRig => ({
    addresses: { a: pod('a').v4, b: pod('b').v4, c: pod('c').v4 },
    services: ['10.96.0.10', '10.96.0.11'],
    enforce,
    serve: (services) => plane.applyServices(services),
    dial: (from, dial) => dialMeanwhile(pod(from).prefix, dial),
  });

  beforeAll(async () => {
    lab.open();
    for (const [index, name] of names.entries()) {
      pods.set(name, await lab.addPod(name, index + 1));
      await plane.podAdded({ uid: `uid-${name}`, addresses: [pod(name).v4] });
    }
    await plane.start();
  });

  afterAll(async () => {
    await plane.stop({ leaveRules: false });
    lab.close();
  });

  test('a pod that no list holds gets no answer', async () => {
    await rig().serve([
      {
        name: 'x/s:',
        address: '10.96.0.10',
        protocol: 'TCP',
        port: 7080,
        endpoints: [{ address: pod('b').v4, port: 8080 }],
      },
    ]);
    expect((await rig().dial('a', { to: '10.96.0.10', port: 7080, protocol: 'TCP' })).outcome).toBe('refused');
  });

  serviceProbes(rig);

  test('what it cannot hold is said: a dial past it, to the pod itself, is not judged', async () => {
    await rig().enforce([{ podSelector: {}, policyTypes: ['Ingress', 'Egress'] }]);
    expect((await rig().dial('a', { to: pod('b').v4, port: 8080, protocol: 'TCP' })).outcome).toBe('answered');
    expect(plane.capabilities).toMatchObject({ podTraffic: false });
  });

  test('a clean end takes the route away', async () => {
    await plane.stop({ leaveRules: false });
    expect(lab.inHost('ip', 'route', 'show', 'table', 'local')).not.toContain('10.96.0.0/16');
  });
}
