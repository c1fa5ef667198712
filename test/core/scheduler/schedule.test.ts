import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../../src/api/types/core.ts';
import { defaultPlugins } from '../../../src/core/scheduler/default-plugins.ts';
import { NodeTable } from '../../../src/core/scheduler/node-table.ts';
import { podFacts } from '../../../src/core/scheduler/pod-facts.ts';
import { schedule } from '../../../src/core/scheduler/schedule.ts';
import type { Decision } from '../../../src/core/scheduler/schedule.ts';
import { node, pod, requests } from './support.ts';

const plugins = defaultPlugins({ setOf: () => [], namespaceLabels: () => ({}) });

function decide(wanted: Pod, nodes: readonly Node[], start = 0): Decision {
  const table = new NodeTable();
  for (const each of nodes) table.setNode(each);
  return schedule(podFacts(wanted), table, plugins, start);
}

const named = (...names: readonly string[]): object => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: names.map((name) => ({
          matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }],
        })),
      },
    },
  },
});
const tainted = (name: string, effect: string, value?: string): Node =>
  node(name, { spec: { taints: [{ key: 'a', effect, ...(value === undefined ? {} : { value }) }] } });

interface Row {
  readonly guarantees: string;
  readonly wanted: Pod;
  readonly nodes: readonly Node[];
  readonly message: string;
}

describe('a pod that no node can take', () => {
  test.for<Row>([
    {
      guarantees: 'without nodes there is nothing to explain',
      wanted: pod('p'),
      nodes: [],
      message: 'no nodes available to schedule pods',
    },
    {
      guarantees: 'reasons are counted and sorted as text',
      wanted: pod('p', requests({ cpu: '8' })),
      nodes: [node('n1'), node('n2'), tainted('n3', 'NoSchedule', 'b')],
      message: '0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu.',
    },
    {
      guarantees: 'a taint without value is shown with an empty one',
      wanted: pod('p'),
      nodes: [tainted('n1', 'NoExecute')],
      message: '0/1 nodes are available: 1 node(s) had untolerated taint {a: }.',
    },
    {
      guarantees: 'a node counts for everything it is short of',
      wanted: pod('p', requests({ cpu: '8', memory: '80Gi', 'example.com/gpu': '1' })),
      nodes: [node('n1', { allocatable: { pods: '0' } })],
      message:
        '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient example.com/gpu, 1 Insufficient memory, 1 Too many pods.',
    },
    {
      guarantees: 'a pod for one named node says of the others only that they are not it',
      wanted: pod('p', { ...named('n1'), ...requests({ cpu: '8' }) }),
      nodes: [node('n1'), node('n2'), node('n3')],
      message: "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
    },
    {
      guarantees: 'a cordoned node is unschedulable, not tainted',
      wanted: pod('p'),
      nodes: [
        node('n1', {
          spec: {
            unschedulable: true,
            taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }],
          },
        }),
      ],
      message: '0/1 nodes are available: 1 node(s) were unschedulable.',
    },
  ])('$guarantees', ({ wanted, nodes, message }) => {
    expect(decide(wanted, nodes)).toMatchObject({ kind: 'none', message });
  });

  test('names the plugins whose change of mind would help', () => {
    const decision = decide(pod('p', requests({ cpu: '8' })), [node('n1'), tainted('n2', 'NoSchedule')]);
    expect(decision).toMatchObject({ rejectedBy: new Set(['NodeResourcesFit', 'TaintToleration']) });
  });

  test('says where evicting pods cannot help', () => {
    const decision = decide(pod('p', requests({ cpu: '8' })), [node('n1')]);
    const found = decision.kind === 'none' ? [...decision.rejections.values()] : [];
    expect(found).toMatchObject([{ evictionHelps: false }]);
  });
});

describe('a pod that several nodes can take', () => {
  test('goes to one that it tolerates without reserve', () => {
    expect(decide(pod('p'), [tainted('n1', 'PreferNoSchedule'), node('n2')])).toEqual({ kind: 'node', node: 'n2' });
  });

  test('goes to the emptier one', () => {
    const nodes = [node('n1', { allocatable: { cpu: '2', memory: '4Gi' } }), node('n2')];
    expect(decide(pod('p', requests({ cpu: '1', memory: '2Gi' })), nodes)).toEqual({ kind: 'node', node: 'n2' });
  });

  test('takes turns among equals', () => {
    const nodes = [node('n1'), node('n2'), node('n3')];
    const found = [0, 1, 2, 3].map((start) => decide(pod('p'), nodes, start));
    expect(found.map((each) => (each.kind === 'node' ? each.node : ''))).toEqual(['n1', 'n2', 'n3', 'n1']);
  });

  test('goes to the named one however full it is', () => {
    const nodes = [node('n1'), node('n2', { allocatable: { cpu: '100m', memory: '200Mi' } })];
    expect(decide(pod('p', named('n2')), nodes)).toEqual({ kind: 'node', node: 'n2' });
  });
});
