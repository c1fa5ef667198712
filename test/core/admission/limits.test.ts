import { describe, expect, test } from 'vitest';
import { limitFaults } from '../../../src/core/admission/limit-faults.ts';
import { podUsage, quantitiesOf } from '../../../src/core/admission/pod-usage.ts';
import { formatQuantity } from '../../../src/std/quantity.ts';
import { at } from '../../../src/std/value.ts';
import { outcomeLater } from '../../support/outcome.ts';
import type { Harness } from '../resources/harness.ts';
import { harness, pod } from '../resources/harness.ts';

interface Row {
  readonly item: Readonly<Record<string, unknown>>;
  readonly requests?: object;
  readonly limits?: object;
  readonly finds: readonly string[];
}

const container = (bounds: object): Record<string, unknown> => ({ type: 'Container', ...bounds });

describe('a limit', () => {
  test.for<Row>([
    { item: container({ min: { cpu: '100m' } }), requests: { cpu: '0.1' }, finds: [] },
    {
      item: container({ min: { cpu: '100m' } }),
      finds: ['minimum cpu usage per Container is 100m.  No request is specified'],
    },
    {
      item: container({ min: { cpu: '100m' } }),
      requests: { cpu: '99m' },
      finds: ['minimum cpu usage per Container is 100m, but request is 99m'],
    },
    {
      item: container({ min: { memory: '1Gi' } }),
      requests: { memory: '1Gi' },
      limits: { memory: '512Mi' },
      finds: ['minimum memory usage per Container is 1Gi, but limit is 512Mi'],
    },
    { item: container({ max: { cpu: '1' } }), limits: { cpu: '1000m' }, finds: [] },
    {
      item: container({ max: { cpu: '800m' } }),
      requests: { cpu: '1' },
      finds: ['maximum cpu usage per Container is 800m.  No limit is specified'],
    },
    {
      item: container({ max: { cpu: '800m' } }),
      limits: { cpu: '1500m' },
      finds: ['maximum cpu usage per Container is 800m, but limit is 1500m'],
    },
    {
      item: container({ max: { cpu: '800m' } }),
      requests: { cpu: '900m' },
      limits: { cpu: '800m' },
      finds: ['maximum cpu usage per Container is 800m, but request is 900m'],
    },
    {
      item: container({ maxLimitRequestRatio: { cpu: '2' } }),
      requests: { cpu: '100m' },
      limits: { cpu: '200m' },
      finds: [],
    },
    {
      item: container({ maxLimitRequestRatio: { cpu: '2' } }),
      requests: { cpu: '300m' },
      limits: { cpu: '1' },
      finds: ['cpu max limit to request ratio per Container is 2, but provided ratio is 3.333333'],
    },
    {
      item: container({ maxLimitRequestRatio: { cpu: '2' } }),
      limits: { cpu: '1' },
      finds: ['cpu max limit to request ratio per Container is 2, but no request is specified or request is 0'],
    },
    {
      item: container({ maxLimitRequestRatio: { cpu: '2' } }),
      requests: { cpu: '1' },
      limits: { cpu: '0' },
      finds: ['cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0'],
    },
    {
      item: { type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } },
      requests: { storage: '5Gi' },
      finds: ['maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 5Gi'],
    },
    {
      item: { type: 'Pod', max: { cpu: '1' }, min: { memory: '1Gi' } },
      requests: { memory: '1Mi' },
      limits: { cpu: '2' },
      finds: [
        'minimum memory usage per Pod is 1Gi, but request is 1Mi',
        'maximum cpu usage per Pod is 1, but limit is 2',
      ],
    },
  ])('$item with requests $requests and limits $limits: $finds', ({ item, requests, limits, finds }) => {
    expect(limitFaults(item, { requests: quantitiesOf(requests), limits: quantitiesOf(limits) })).toEqual(finds);
  });
});

describe('what a pod asks for', () => {
  const asks = (cpu: string, more: object = {}): object => ({ resources: { requests: { cpu } }, ...more });
  test.for([
    { spec: { containers: [asks('1'), asks('500m'), {}] }, cpu: '1500m' },
    { spec: { containers: [asks('1')], initContainers: [asks('3'), asks('2')] }, cpu: '3' },
    {
      spec: { containers: [asks('1')], initContainers: [asks('1', { restartPolicy: 'Always' }), asks('2')] },
      cpu: '3',
    },
    { spec: { containers: [asks('1')], initContainers: [asks('1', { restartPolicy: 'Always' })] }, cpu: '2' },
  ])('$spec is $cpu', ({ spec, cpu }) => {
    const whole = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec };
    const sum = podUsage(whole, 'requests').get('cpu');
    expect(sum === undefined ? undefined : formatQuantity(sum)).toBe(cpu);
  });
});

describe('a LimitRange', () => {
  const limited = async (...limits: readonly object[]): Promise<Harness> => {
    const h = await harness();
    await h.create('limitranges', { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'l' }, spec: { limits } });
    return h;
  };
  const resources = (requests: object, limits: object): object => ({
    containers: [{ name: 'main', image: 'i', resources: { requests, limits } }],
  });

  test('fills in what a container does not say, notes it, and the quality of service follows', async () => {
    const h = await limited({
      type: 'Container',
      default: { cpu: '1', memory: '1Gi' },
      defaultRequest: { cpu: '500m' },
    });
    const init = { name: 'i', image: 'i', resources: { requests: { cpu: '2' }, limits: { cpu: '2', memory: '1Gi' } } };
    const made = await h.create('pods', pod('p', { initContainers: [init] }));
    expect(at(made, 'spec', 'containers', 0, 'resources')).toEqual({
      requests: { cpu: '500m', memory: '1Gi' },
      limits: { cpu: '1', memory: '1Gi' },
    });
    expect(made.metadata.annotations?.['kubernetes.io/limit-ranger']).toBe(
      'LimitRanger plugin set: cpu, memory request for container main; cpu, memory limit for container main',
    );
    expect(at(made, 'status', 'qosClass')).toBe('Burstable');
  });

  test('refuses pods outside its bounds, and names all of them', async () => {
    const h = await limited({ type: 'Container', max: { cpu: '1' } }, { type: 'Pod', max: { memory: '1Gi' } });
    const wide = pod('p', resources({}, { cpu: '2', memory: '2Gi' }));
    expect(await outcomeLater(() => h.create('pods', wide))).toEqual(
      expect.stringContaining(
        'pods "p" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Pod is 1Gi, but limit is 2Gi]',
      ),
    );
    await h.create('pods', pod('q', resources({}, { cpu: '1', memory: '1Gi' })));
  });

  test('holds claims to its bounds', async () => {
    const h = await limited({ type: 'PersistentVolumeClaim', min: { storage: '1Gi' } });
    const claim = (storage: string): object => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'c' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
    });
    expect(await outcomeLater(() => h.create('persistentvolumeclaims', claim('1Mi')))).toEqual(
      expect.stringContaining(
        'persistentvolumeclaims "c" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi',
      ),
    );
    await h.create('persistentvolumeclaims', claim('1Gi'));
  });

  test('does not look at a pod that changes otherwise', async () => {
    const h = await harness();
    await h.create('pods', pod('p'));
    const spec = { limits: [{ type: 'Container', min: { cpu: '1' } }] };
    await h.create('limitranges', { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'l' }, spec });
    await h.patch('pods/p', 'merge', { metadata: { labels: { a: 'b' } } });
  });
});
