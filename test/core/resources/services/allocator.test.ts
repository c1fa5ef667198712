import { describe, expect, test } from 'vitest';
import { StatusError, unavailable } from '../../../../src/api/status.ts';
import { at } from '../../../../src/std/value.ts';
import { outcomeLater } from '../../../support/outcome.ts';
import type { Mutation, Store } from '../../../../src/core/store/store.ts';
import { harness, service } from '../harness.ts';
import type { Harness } from '../harness.ts';

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

describe('cluster IPs in an outage', () => {
  const fixed = (name: string): object => service(name, { clusterIP: '10.96.9.9' });
  const heldAddress = { resource: 'ipaddresses.networking.k8s.io', namespace: '', name: '10.96.9.9' };
  const isHeld = async ({ store }: Harness): Promise<boolean> =>
    (await store.get(heldAddress, { kind: 'current' })) !== undefined;
  /** Lets `around` do what it wants with every write. */
  const interfere = (
    { store }: Harness,
    around: (mutation: Mutation, write: () => ReturnType<Store['write']>) => ReturnType<Store['write']>,
  ): void => {
    const write = store.write.bind(store);
    store.write = (mutation, record) => around(mutation, () => write(mutation, record));
  };

  test.for<{ what: string; written: boolean; aMinuteLater: unknown }>([
    { what: 'was written keeps its address', written: true, aMinuteLater: refused('already allocated') },
    { what: 'was not leaves it to who wants it a minute later', written: false, aMinuteLater: '10.96.9.9' },
  ])('of creations in doubt, one that $what', async ({ written, aMinuteLater }) => {
    const h = await harness();
    interfere(h, async ({ key }, write) => {
      if (key.name !== 'lost') return write();
      if (written) await write();
      throw new StatusError('Timeout', 'not known');
    });
    const again = (): Promise<unknown> =>
      outcomeLater(async () => at(await h.create('services', fixed('b')), 'spec', 'clusterIP'));
    expect(await outcomeLater(() => h.create('services', fixed('lost')))).toEqual(refused('not known'));
    expect(await again()).toEqual(refused('already allocated'));
    h.advance(60_000);
    expect(await again()).toEqual(aMinuteLater);
  });

  test('a creation that was refused as not written frees its address', async () => {
    const h = await harness();
    interfere(h, async ({ key }, write) => {
      if (key.name === 'refused') throw unavailable('away');
      return write();
    });
    expect(await outcomeLater(() => h.create('services', fixed('refused')))).toEqual(refused('away'));
    expect(await isHeld(h)).toBe(false);
  });

  test('a change that is written is answered so, though what it gave up cannot be freed at the moment', async () => {
    const h = await harness();
    await h.create('services', fixed('a'));
    await h.create('services', service('n', { type: 'NodePort' }));
    interfere(h, async ({ kind, key }, write) => {
      if (kind === 'delete' && key.resource !== 'services') throw unavailable('away');
      return write();
    });
    expect(at(await h.remove('services/a'), 'status')).toBe('Success');
    const changed = await h.patch('services/n', 'merge', { spec: { type: 'ClusterIP' } });
    expect(at(changed, 'spec', 'type')).toBe('ClusterIP');
    expect(await isHeld(h)).toBe(true);
    h.advance(60_000);
    await h.create('services', fixed('b'));
  });

  test('what another service has taken over is not freed by the one that had it', async () => {
    const h = await harness();
    await h.create('services', fixed('slow'));
    h.advance(60_000);
    let other: Promise<unknown> | undefined;
    interfere(h, async ({ kind, key }, write) => {
      const verdict = await write();
      if (kind === 'delete' && key.name === 'slow') await (other ??= h.create('services', fixed('quick')));
      return verdict;
    });
    await h.remove('services/slow');
    expect(await outcomeLater(() => h.create('services', fixed('third')))).toEqual(refused('already allocated'));
  });
});
