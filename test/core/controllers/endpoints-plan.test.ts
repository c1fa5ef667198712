import { describe, expect, test } from 'vitest';
import type { Pod, Service } from '../../../src/api/types/core.ts';
import type { EndpointSlice } from '../../../src/api/types/discovery.ts';
import { planSlices } from '../../../src/core/controllers/endpoints-plan.ts';
import type { SlicePlan } from '../../../src/core/controllers/endpoints-plan.ts';

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'api', namespace: 'shop', uid: 's1', labels: { tier: 'middle' } },
  spec: { ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }] },
};

const withSpec = (spec: Partial<Service['spec']>): Service => ({ ...service, spec: { ...service.spec, ...spec } });

interface Traits {
  readonly address?: string;
  readonly port?: number;
  readonly ready?: boolean;
  readonly going?: boolean;
  readonly phase?: 'Running' | 'Succeeded';
  readonly spec?: Partial<Pod['spec']>;
}

function podOf(name: string, traits: Traits = {}): Pod {
  const { address = '10.0.0.1', port = 8080, ready = true, going = false, phase = 'Running', spec = {} } = traits;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      ...(going ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: { containers: [{ name: 'main', ports: [{ name: 'http', containerPort: port }] }], nodeName: 'n1', ...spec },
    status: {
      phase,
      ...(address === '' ? {} : { podIPs: address.split(',').map((ip) => ({ ip })) }),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

/** What stands after `plan` was carried out. */
function applied({ create, update }: SlicePlan): readonly EndpointSlice[] {
  const made = create.map((slice, i): EndpointSlice => ({
    ...slice,
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...slice.metadata, name: `api-${i}` },
  }));
  return [...made, ...update];
}

describe('an endpoint', () => {
  test('names its pod, its node and its port by number', () => {
    const { create, update, remove } = planSlices(service, [podOf('a')], []);
    expect([create.length, update, remove]).toEqual([1, [], []]);
    expect(create[0]).toMatchObject({
      metadata: {
        generateName: 'api-',
        namespace: 'shop',
        labels: {
          tier: 'middle',
          'kubernetes.io/service-name': 'api',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [{ kind: 'Service', uid: 's1', controller: true }],
      },
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
      endpoints: [
        {
          addresses: ['10.0.0.1'],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: 'n1',
          targetRef: { kind: 'Pod', namespace: 'shop', name: 'a', uid: 'a' },
        },
      ],
    });
  });

  interface Row {
    readonly guarantees: string;
    readonly pod: Traits;
    readonly of?: Service;
    readonly conditions: object | undefined;
  }
  test.for<Row>([
    {
      guarantees: 'of a pod that is not ready is not ready',
      pod: { ready: false },
      conditions: { ready: false, serving: false, terminating: false },
    },
    {
      guarantees: 'of a pod that goes serves on while it is ready, and gets nothing new',
      pod: { going: true },
      conditions: { ready: false, serving: true, terminating: true },
    },
    {
      guarantees: 'is ready whatever its pod says where the service publishes all',
      pod: { ready: false, going: true },
      of: withSpec({ publishNotReadyAddresses: true }),
      conditions: { ready: true, serving: false, terminating: true },
    },
    { guarantees: 'is not there for a pod without an address', pod: { address: '' }, conditions: undefined },
    { guarantees: 'is not there for a pod that is over', pod: { phase: 'Succeeded' }, conditions: undefined },
    {
      guarantees: 'is not there for a pod without an address of the family',
      pod: { address: 'fd00::1' },
      conditions: undefined,
    },
  ])('$guarantees', ({ pod, of = service, conditions }) => {
    const { create } = planSlices(of, [podOf('a', pod)], []);
    expect(create[0]?.endpoints?.[0]?.conditions).toEqual(conditions);
  });

  test('has the name of its host where the service is its subdomain', () => {
    const hostOf = (subdomain: string): string | undefined =>
      planSlices(service, [podOf('a', { spec: { hostname: 'db-0', subdomain } })], []).create[0]?.endpoints?.[0]
        ?.hostname;
    expect([hostOf('api'), hostOf('other')]).toEqual(['db-0', undefined]);
  });
});

describe('slices', () => {
  const many = (count: number): readonly Pod[] =>
    Array.from({ length: count }, (_, i) => podOf(`p${i}`, { address: `10.0.${i >> 8}.${i & 255}` }));

  test('hold at most 100 endpoints each', () => {
    const { create } = planSlices(service, many(201), []);
    expect(create.map(({ endpoints }) => endpoints?.length)).toEqual([100, 100, 1]);
  });

  test('are one for each family of the service', () => {
    const both = withSpec({ ipFamilies: ['IPv4', 'IPv6'] });
    const { create } = planSlices(both, [podOf('a', { address: '10.0.0.1,fd00::1' })], []);
    expect(create.map(({ addressType, endpoints }) => [addressType, endpoints?.[0]?.addresses])).toEqual([
      ['IPv4', ['10.0.0.1']],
      ['IPv6', ['fd00::1']],
    ]);
  });

  test('are apart for pods that give the name of a port to different numbers', () => {
    const { create } = planSlices(service, [podOf('a'), podOf('b', { port: 9090, address: '10.0.0.2' })], []);
    expect(create.map(({ ports }) => ports?.[0]?.port)).toEqual([8080, 9090]);
  });

  test('have no port that the pod does not name, and the port of the service where it asks for none', () => {
    const portsOf = (of: Service): unknown =>
      planSlices(of, [podOf('a')], []).create[0]?.ports?.map(({ port }) => port);
    expect(portsOf(withSpec({ ports: [{ port: 80, targetPort: 'nowhere' }] }))).toEqual([]);
    expect(portsOf(withSpec({ ports: [{ port: 80 }] }))).toEqual([80]);
    expect(portsOf(withSpec({ ports: [{ port: 80, targetPort: 0 }] }))).toEqual([80]);
  });

  test('that show the pods already are left alone, in whatever order', () => {
    const there = applied(planSlices(service, many(3), []));
    const turned = there.map((slice) => ({ ...slice, endpoints: slice.endpoints?.toReversed() ?? [] }));
    expect(planSlices(service, many(3).toReversed(), turned)).toEqual({ create: [], update: [], remove: [] });
  });

  test('are changed where a pod came or went, keeping their name', () => {
    const there = applied(planSlices(service, many(2), []));
    const { create, update, remove } = planSlices(service, many(3), there);
    expect([create, remove]).toEqual([[], []]);
    expect(update.map(({ metadata, endpoints }) => [metadata.name, endpoints?.length])).toEqual([['api-0', 3]]);
  });

  test('without pods are removed, those of others never', () => {
    const there = applied(planSlices(service, many(2), []));
    const foreign = there.map((slice) => ({ ...slice, metadata: { ...slice.metadata, name: 'x', labels: {} } }));
    const { create, update, remove } = planSlices(service, [], [...there, ...foreign]);
    expect([create, update, remove.map(({ metadata }) => metadata.name)]).toEqual([[], [], ['api-0']]);
  });
});
