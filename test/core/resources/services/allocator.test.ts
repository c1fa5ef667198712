import { describe, expect, test } from 'vitest';
import { at } from '../../../../src/std/value.ts';
import { outcomeLater } from '../../../support/outcome.ts';
import { harness, service } from '../harness.ts';

const refused = (text: string): unknown => expect.stringContaining(text);

describe('cluster IPs and node ports', () => {
  test('a service gets an address, families, and frees the address when it goes', async () => {
    const h = await harness();
    const made = await h.create('services', service('a'));
    const address = String(at(made, 'spec', 'clusterIP'));
    expect(address).toMatch(/^10\.96\.\d+\.\d+$/);
    expect(made['spec']).toMatchObject({ clusterIPs: [address], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' });
    expect(await outcomeLater(() => h.create('services', service('b', { clusterIP: address })))).toEqual(
      refused(
        `spec.clusterIPs: Invalid value: ["${address}"]: failed to allocate IP ${address}: provided IP is already allocated`,
      ),
    );
    await h.remove('services/a');
    expect(at(await h.create('services', service('b', { clusterIP: address })), 'spec', 'clusterIP')).toBe(address);
  });

  test('an address outside the range is refused, a headless service has none, an ExternalName neither', async () => {
    const h = await harness();
    expect(await outcomeLater(() => h.create('services', service('a', { clusterIP: '203.0.113.7' })))).toEqual(
      refused('is not in the valid range'),
    );
    expect(at(await h.create('services', service('h', { clusterIP: 'None' })), 'spec', 'clusterIPs')).toEqual(['None']);
    const named = await h.create(
      'services',
      service('e', { type: 'ExternalName', externalName: 'example.com', ports: [] }),
    );
    expect(at(named, 'spec', 'clusterIP')).toBeUndefined();
  });

  test('node ports come from their range, are held once, and go with the type', async () => {
    const h = await harness();
    const made = await h.create('services', service('a', { type: 'NodePort' }));
    const port = Number(at(made, 'spec', 'ports', 0, 'nodePort'));
    expect(port >= 30_000 && port <= 32_767).toBe(true);
    const asks = (nodePort: number): object => service('b', { type: 'NodePort', ports: [{ port: 80, nodePort }] });
    expect(await outcomeLater(() => h.create('services', asks(port)))).toEqual(
      refused(`spec.ports[0].nodePort: Invalid value: ${port}: provided port is already allocated`),
    );
    expect(await outcomeLater(() => h.create('services', asks(80)))).toEqual(
      refused('provided port is not in the valid range. The range of valid ports is 30000-32767'),
    );
    const back = await h.patch('services/a', 'merge', { spec: { type: 'ClusterIP' } });
    expect(at(back, 'spec', 'ports', 0, 'nodePort')).toBeUndefined();
    await h.create('services', asks(port));
  });

  test('an update that leaves out what was given keeps it', async () => {
    const h = await harness();
    const made = await h.create('services', service('a', { type: 'NodePort' }));
    const next = await h.update('services/a', service('a', { type: 'NodePort', sessionAffinity: 'ClientIP' }));
    expect([at(next, 'spec', 'clusterIP'), at(next, 'spec', 'ports', 0, 'nodePort')]).toEqual([
      at(made, 'spec', 'clusterIP'),
      at(made, 'spec', 'ports', 0, 'nodePort'),
    ]);
  });

  test('a dry run and a refused create hold nothing', async () => {
    const h = await harness();
    await h.create('services', service('a', { clusterIP: '10.96.9.9' }), { dryRun: true });
    await h.create('services', service('taken'));
    expect(await outcomeLater(() => h.create('services', service('taken', { clusterIP: '10.96.9.9' })))).toEqual(
      refused('already exists'),
    );
    await h.create('services', service('b', { clusterIP: '10.96.9.9' }));
  });
});
