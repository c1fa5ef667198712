/** Pods near and away from pods, and spread over domains: what the placement cases leave open. */
import { describe, expect, test } from 'vitest';
import type { Labels } from '../../../src/api/selector.ts';
import type { Pod } from '../../../src/api/types/core.ts';
import { defaultPlugins } from '../../../src/core/scheduler/default-plugins.ts';
import { NodeTable } from '../../../src/core/scheduler/node-table.ts';
import { podFacts } from '../../../src/core/scheduler/pod-facts.ts';
import { filterNodes, schedule } from '../../../src/core/scheduler/schedule.ts';
import { node, pod, requests } from './support.ts';

const zone = 'topology.kubernetes.io/zone';
const hostname = 'kubernetes.io/hostname';
const web = { labelSelector: { matchLabels: { app: 'web' } } };
const near = (term: object): object => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: zone, ...term }] } },
});
const away = (term: object): object => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: zone, ...term }] } },
});
const preferAway = (term: object, weight = 100): object => ({
  affinity: {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight, podAffinityTerm: { topologyKey: hostname, ...term } },
      ],
    },
  },
});
const labelled = (labels: Labels, namespace = 'default'): object => ({ namespace, labels });

/** n1 and n2 are in zone a, n3 is in zone b, n4 is in none. */
function cluster(...placed: readonly (readonly [Pod, string])[]): NodeTable {
  const table = new NodeTable();
  for (const [name, value] of [
    ['n1', 'a'],
    ['n2', 'a'],
    ['n3', 'b'],
  ] as const)
    table.setNode(node(name, { labels: { [zone]: value } }));
  table.setNode(node('n4'));
  for (const [each, on] of placed) table.place(podFacts(each), on);
  return table;
}

const namespaces: Readonly<Record<string, Labels>> = { default: {}, shop: { team: 'shop' }, other: { team: 'other' } };
const plugins = defaultPlugins({ setOf: () => [], namespaceLabels: (name) => namespaces[name] });
const feasible = (wanted: Pod, table: NodeTable): readonly string[] =>
  filterNodes(podFacts(wanted), table, plugins).feasible.map(({ name }) => name);

interface Row {
  readonly guarantees: string;
  readonly running: readonly (readonly [Pod, string])[];
  readonly wanted: Pod;
  readonly nodes: readonly string[];
}

describe('inter-pod affinity', () => {
  test.for<Row>([
    {
      guarantees: 'near means in the same domain, on any of its nodes',
      running: [[pod('w', {}, labelled({ app: 'web' })), 'n1']],
      wanted: pod('p', near(web)),
      nodes: ['n1', 'n2'],
    },
    {
      guarantees: 'a term without namespaces means the own one',
      running: [[pod('w', {}, labelled({ app: 'web' }, 'shop')), 'n1']],
      wanted: pod('p', near(web)),
      nodes: [],
    },
    {
      guarantees: 'a term may name namespaces',
      running: [[pod('w', {}, labelled({ app: 'web' }, 'shop')), 'n1']],
      wanted: pod('p', near({ ...web, namespaces: ['shop'] })),
      nodes: ['n1', 'n2'],
    },
    {
      guarantees: 'a term may select namespaces by label',
      running: [
        [pod('w', {}, labelled({ app: 'web' }, 'shop')), 'n3'],
        [pod('v', {}, labelled({ app: 'web' }, 'other')), 'n1'],
      ],
      wanted: pod('p', near({ ...web, namespaceSelector: { matchLabels: { team: 'shop' } } })),
      nodes: ['n3'],
    },
    {
      guarantees: 'an empty namespaceSelector means all namespaces',
      running: [[pod('w', {}, labelled({ app: 'web' }, 'other')), 'n3']],
      wanted: pod('p', near({ ...web, namespaceSelector: {} })),
      nodes: ['n3'],
    },
    {
      guarantees: 'the first of a group starts where the domain is known',
      running: [],
      wanted: pod('p', near(web), labelled({ app: 'web' })),
      nodes: ['n1', 'n2', 'n3'],
    },
    {
      guarantees: 'away keeps out of the whole domain; a node without one is free',
      running: [[pod('w', {}, labelled({ app: 'web' })), 'n1']],
      wanted: pod('p', away(web)),
      nodes: ['n3', 'n4'],
    },
    {
      guarantees: 'a running pod keeps away whom it does not want near',
      running: [[pod('w', away({ labelSelector: { matchLabels: { app: 'noisy' } } })), 'n3']],
      wanted: pod('p', {}, labelled({ app: 'noisy' })),
      nodes: ['n1', 'n2', 'n4'],
    },
    {
      guarantees: 'a term without selector means nobody',
      running: [[pod('w', {}, labelled({ app: 'web' })), 'n1']],
      wanted: pod('p', away({})),
      nodes: ['n1', 'n2', 'n3', 'n4'],
    },
    {
      guarantees: 'matchLabelKeys narrows a term to pods with the own value',
      running: [[pod('w', {}, labelled({ app: 'web', revision: '1' })), 'n1']],
      wanted: pod('p', away({ ...web, matchLabelKeys: ['revision'] }), labelled({ app: 'web', revision: '2' })),
      nodes: ['n1', 'n2', 'n3', 'n4'],
    },
    {
      guarantees: 'mismatchLabelKeys leaves out pods with the own value',
      running: [
        [pod('w', {}, labelled({ app: 'web', tenant: 'x' })), 'n1'],
        [pod('v', {}, labelled({ app: 'web', tenant: 'y' })), 'n3'],
      ],
      wanted: pod('p', away({ ...web, mismatchLabelKeys: ['tenant'] }), labelled({ app: 'web', tenant: 'x' })),
      nodes: ['n1', 'n2', 'n4'],
    },
    {
      guarantees: 'a pod on a node that is not there is near nobody',
      running: [[pod('w', {}, labelled({ app: 'web' })), 'gone']],
      wanted: pod('p', away(web)),
      nodes: ['n1', 'n2', 'n3', 'n4'],
    },
  ])('$guarantees', ({ running, wanted, nodes }) => {
    expect(feasible(wanted, cluster(...running))).toEqual(nodes);
  });

  test('a preference to be away outweighs a fuller node', () => {
    const table = cluster([pod('w', requests({ cpu: '10m' }), labelled({ app: 'web' })), 'n1']);
    for (const name of ['n2', 'n3', 'n4'])
      table.place(podFacts(pod(`busy-${name}`, requests({ cpu: '1', memory: '2Gi' }))), name);
    const found = [0, 1, 2, 3].map((start) => schedule(podFacts(pod('p', preferAway(web))), table, plugins, start));
    expect(found).not.toContainEqual({ kind: 'node', node: 'n1' });
  });
});

describe('topology spread', () => {
  const spread = (more: object): object => ({
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: 'DoNotSchedule', ...web, ...more }],
  });
  const mine = labelled({ app: 'web' });

  test.for<Row>([
    {
      guarantees: 'the emptier domain takes the next pod; a node without the label takes none',
      running: [[pod('w', {}, mine), 'n1']],
      wanted: pod('p', spread({}), mine),
      nodes: ['n3'],
    },
    {
      guarantees: 'a pod that is being deleted does not count any more',
      running: [[pod('w', {}, { ...mine, deletionTimestamp: '2026-01-01T00:00:00Z' }), 'n1']],
      wanted: pod('p', spread({}), mine),
      nodes: ['n1', 'n2', 'n3'],
    },
    {
      guarantees: 'fewer domains than minDomains count as if there were an empty one',
      running: [
        [pod('w', {}, mine), 'n1'],
        [pod('v', {}, mine), 'n3'],
      ],
      wanted: pod('p', spread({ minDomains: 3 }), mine),
      nodes: [],
    },
    {
      guarantees: 'domains that the pod cannot choose do not count',
      running: [[pod('w', {}, mine), 'n1']],
      wanted: pod('p', { ...spread({}), nodeSelector: { [zone]: 'a' } }, mine),
      nodes: ['n1', 'n2'],
    },
    {
      guarantees: 'with nodeAffinityPolicy Ignore they count',
      running: [[pod('w', {}, mine), 'n1']],
      wanted: pod('p', { ...spread({ nodeAffinityPolicy: 'Ignore' }), nodeSelector: { [zone]: 'a' } }, mine),
      nodes: [],
    },
    {
      guarantees: 'a pod that its own selector does not mean adds nothing',
      running: [[pod('w', {}, mine), 'n1']],
      wanted: pod('p', spread({})),
      nodes: ['n1', 'n2', 'n3'],
    },
  ])('$guarantees', ({ running, wanted, nodes }) => {
    expect(feasible(wanted, cluster(...running))).toEqual(nodes);
  });
});
