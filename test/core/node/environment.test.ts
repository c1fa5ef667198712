import { describe, expect, test } from 'vitest';
import type { Container, Pod, Service } from '../../../src/api/types/core.ts';
import { environmentOf, expand } from '../../../src/core/node/environment.ts';
import type { EnvironmentSources } from '../../../src/core/node/environment.ts';
import { main, podOf } from './pod-view.ts';

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'my-db', namespace: 'default' },
  spec: { clusterIP: '10.96.0.7', ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }] },
};
const sources: EnvironmentSources = {
  configMap: async (name) => (name === 'settings' ? new Map([['COLOR', 'teal']]) : undefined),
  secret: async (name) => (name === 'hush' ? new Map([['key', 's3cret']]) : undefined),
  services: [service],
  podAddress: '10.0.0.2',
  hostAddress: '192.0.2.1',
  allocatable: { cpu: '4', memory: '1024Ki' },
};
const pod: Pod = podOf(
  { nodeName: 'n1' },
  { metadata: { name: 'p', namespace: 'default', uid: 'u1', labels: { team: 'blue' } } },
);

const read = async (container: Partial<Container>): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await environmentOf(pod, { ...main, ...container }, sources)).map(({ name, value }) => [name, value]),
  );
const field = (fieldPath: string): Partial<Container> => ({
  env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }],
});
const resource = (name: string, divisor?: string): Partial<Container> => ({
  resources: { limits: { memory: '64Mi', cpu: '1500m' }, requests: { cpu: '10m' } },
  env: [
    { name: 'X', valueFrom: { resourceFieldRef: { resource: name, ...(divisor === undefined ? {} : { divisor }) } } },
  ],
});

describe('environment', () => {
  test.for<{ guarantees: string; container: Partial<Container>; x: string | undefined }>([
    { guarantees: 'the name of the pod', container: field('metadata.name'), x: 'p' },
    { guarantees: 'one label', container: field("metadata.labels['team']"), x: 'blue' },
    { guarantees: 'all labels', container: field('metadata.labels'), x: 'team="blue"' },
    { guarantees: 'its node', container: field('spec.nodeName'), x: 'n1' },
    { guarantees: 'its address', container: field('status.podIP'), x: '10.0.0.2' },
    { guarantees: 'the address of its node', container: field('status.hostIP'), x: '192.0.2.1' },
    { guarantees: 'a memory limit in bytes', container: resource('limits.memory'), x: String(64 << 20) },
    { guarantees: 'a memory limit by its divisor', container: resource('limits.memory', '1Mi'), x: '64' },
    { guarantees: 'cpu rounded up to whole ones', container: resource('limits.cpu'), x: '2' },
    { guarantees: 'cpu in thousandths', container: resource('requests.cpu', '1m'), x: '10' },
    {
      guarantees: 'a limit that is not set is what the node has',
      container: { env: [{ name: 'X', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } }] },
      x: String(1024 * 1024),
    },
    {
      guarantees: 'a key of a config map',
      container: { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOR' } } }] },
      x: 'teal',
    },
    {
      guarantees: 'an optional key that is missing sets nothing',
      container: { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'none', key: 'k', optional: true } } }] },
      x: undefined,
    },
    {
      guarantees: 'what was set before is expanded',
      container: {
        env: [
          { name: 'A', value: 'alpha' },
          { name: 'X', value: '$(A)-beta' },
        ],
      },
      x: 'alpha-beta',
    },
    {
      guarantees: 'variables of services can be referred to',
      container: { env: [{ name: 'X', value: '$(MY_DB_SERVICE_HOST):$(MY_DB_SERVICE_PORT_SQL)' }] },
      x: '10.96.0.7:5432',
    },
  ])('$guarantees', async ({ container, x }) => {
    expect((await read(container))['X']).toBe(x);
  });

  test('envFrom takes all keys, with the prefix', async () => {
    const env = await read({
      envFrom: [{ configMapRef: { name: 'settings' } }, { prefix: 'P_', secretRef: { name: 'hush' } }],
    });
    expect(env).toMatchObject({ COLOR: 'teal', P_key: 's3cret' });
  });

  test.for<[string, Partial<Container>]>([
    ['configmap "none" not found', { envFrom: [{ configMapRef: { name: 'none' } }] }],
    [
      "couldn't find key k in Secret default/hush",
      { env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'hush', key: 'k' } } }] },
    ],
  ])('what is missing is said: %s', async ([message, container]) => {
    await expect(read(container)).rejects.toMatchObject({ reason: 'CreateContainerConfigError', message });
  });

  test('$$(A) is kept as $(A), unknown names as written', () => {
    const env = new Map([['A', 'alpha']]);
    expect(['$(A)', '$$(A)', '$(NOT_SET)', '$$$(A)', 'a$b'].map((text) => expand(text, env))).toEqual([
      'alpha',
      '$(A)',
      '$(NOT_SET)',
      '$alpha',
      'a$b',
    ]);
  });
});
