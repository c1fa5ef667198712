import { describe, expect, test } from 'vitest';
import { podFacts } from '../../../src/core/scheduler/pod-facts.ts';
import { pod } from './support.ts';

const container = (cpu: string | undefined, more: object = {}): object => ({
  name: 'c',
  image: 'img',
  ...(cpu === undefined ? {} : { resources: { requests: { cpu } } }),
  ...more,
});
const sidecar = (cpu: string): object => container(cpu, { restartPolicy: 'Always' });
const mebibyte = 1024 * 1024;

interface Row {
  readonly guarantees: string;
  readonly spec: object;
  readonly cpu: number;
}

describe('what a pod requests', () => {
  test.for<Row>([
    { guarantees: 'containers add up', spec: { containers: [container('1'), container('250m')] }, cpu: 1250 },
    {
      guarantees: 'init containers run one by one: the largest counts',
      spec: { containers: [container('1')], initContainers: [container('2'), container('3')] },
      cpu: 3000,
    },
    {
      guarantees: 'containers count when they need more than any init container',
      spec: { containers: [container('4')], initContainers: [container('2')] },
      cpu: 4000,
    },
    {
      guarantees: 'sidecars run beside the containers',
      spec: { containers: [container('1')], initContainers: [sidecar('2')] },
      cpu: 3000,
    },
    {
      guarantees: 'an init container runs beside the sidecars before it',
      spec: { containers: [container('1')], initContainers: [sidecar('1'), container('4')] },
      cpu: 5000,
    },
    {
      guarantees: 'an init container does not run beside the sidecars after it',
      spec: { containers: [container('1')], initContainers: [container('4'), sidecar('1')] },
      cpu: 4000,
    },
    {
      guarantees: 'overhead comes on top',
      spec: { containers: [container('1')], initContainers: [container('2')], overhead: { cpu: '500m' } },
      cpu: 2500,
    },
    {
      guarantees: 'a request of the pod as a whole stands in for its containers',
      spec: { containers: [container('1')], resources: { requests: { cpu: '3' } }, overhead: { cpu: '1' } },
      cpu: 4000,
    },
    { guarantees: 'parts of a thousandth round up', spec: { containers: [container('0.0001')] }, cpu: 1 },
  ])('$guarantees', ({ spec, cpu }) => {
    expect(podFacts(pod('p', spec)).requests.get('cpu')).toBe(cpu);
  });

  test('a pod without requests takes a place on the node and nothing else', () => {
    expect([...podFacts(pod('p')).requests]).toEqual([['pods', 1]]);
  });

  test('ranking counts 100m and 200Mi for each container that requests none', () => {
    const { ranked } = podFacts(pod('p', { containers: [container(undefined), container('1')] }));
    expect([...ranked]).toEqual([
      ['cpu', 1100],
      ['memory', 400 * mebibyte],
    ]);
  });

  test('ports of sidecars count, those of plain init containers do not', () => {
    const port = (hostPort: number): object => ({ ports: [{ containerPort: 80, hostPort }] });
    const { ports } = podFacts(
      pod('p', {
        containers: [container('1', port(1)), container('1', { ports: [{ containerPort: 80 }] })],
        initContainers: [container('1', port(2)), container('1', { ...port(3), restartPolicy: 'Always' })],
      }),
    );
    expect(ports.map(({ hostPort }) => hostPort)).toEqual([1, 3]);
  });
});
