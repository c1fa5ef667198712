/**
 * The filters and the incremental table against a naive oracle, on seeded random clusters that change: the oracle knows
 * only the objects and counts everything anew each time.
 */
import { expect, test } from 'vitest';
import type { Node, Pod } from '../../../src/api/types/core.ts';
import { defaultPlugins } from '../../../src/core/scheduler/default-plugins.ts';
import { NodeTable } from '../../../src/core/scheduler/node-table.ts';
import { podFacts } from '../../../src/core/scheduler/pod-facts.ts';
import { filterNodes } from '../../../src/core/scheduler/schedule.ts';
import { node, pod } from './support.ts';

type Random = (below: number) => number;

function seeded(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const pick = <T>(random: Random, ...values: readonly [T, ...T[]]): T => values[random(values.length)] ?? values[0];
const maybe = <T>(random: Random, value: () => T): readonly T[] => (random(3) === 0 ? [value()] : []);

function randomNode(random: Random, name: string): Node {
  const taints = maybe(random, () => ({
    key: pick(random, 'a', 'b'),
    value: pick(random, '1', '2'),
    effect: pick(random, 'NoSchedule', 'NoExecute', 'PreferNoSchedule'),
  }));
  return node(name, {
    labels: {
      disk: pick(random, 'ssd', 'hdd', ''),
      ...(random(2) === 0 ? { size: pick(random, '1', '5', '10', 'x') } : {}),
    },
    spec: { taints, ...(random(6) === 0 ? { unschedulable: true } : {}) },
    allocatable: {
      cpu: `${1 + random(4)}`,
      memory: `${1 + random(4)}Gi`,
      pods: `${1 + random(6)}`,
      ...(random(2) === 0 ? { 'example.com/gpu': '2' } : {}),
    },
  });
}

function randomPod(random: Random, name: string): Pod {
  const requirement = (): object =>
    pick(
      random,
      { key: 'disk', operator: 'In', values: ['ssd', ''] },
      { key: 'disk', operator: 'NotIn', values: ['hdd'] },
      { key: 'size', operator: 'NotIn', values: ['5'] },
      { key: 'size', operator: 'Exists' },
      { key: 'size', operator: 'DoesNotExist' },
      { key: 'size', operator: 'Gt', values: ['4'] },
      { key: 'size', operator: 'Lt', values: ['6'] },
    );
  const term = (): object => ({
    matchExpressions: [...maybe(random, requirement), ...maybe(random, requirement)],
    matchFields: maybe(random, () => ({
      key: 'metadata.name',
      operator: pick(random, 'In', 'NotIn'),
      values: [`n${random(6)}`, `n${random(6)}`],
    })),
  });
  const tolerations = maybe(random, () => ({
    ...(random(4) === 0 ? {} : { key: pick(random, 'a', 'b', 'node.kubernetes.io/unschedulable') }),
    operator: pick(random, 'Exists', 'Equal'),
    value: pick(random, '1', '2'),
    ...(random(2) === 0 ? { effect: pick(random, 'NoSchedule', 'NoExecute') } : {}),
  }));
  const terms = maybe(random, () => [term(), ...maybe(random, term)])[0];
  return pod(name, {
    containers: [
      {
        name: 'c',
        image: 'img',
        resources: {
          requests: {
            cpu: pick(random, '0', '250m', '1', '2'),
            memory: pick(random, '0', '512Mi', '1Gi'),
            ...(random(5) === 0 ? { 'example.com/gpu': '1' } : {}),
          },
        },
        ports: maybe(random, () => ({
          containerPort: 80,
          hostPort: 8000 + random(2),
          protocol: pick(random, 'TCP', 'UDP'),
          hostIP: pick(random, '', '10.0.0.1', '10.0.0.2', '0.0.0.0'),
        })),
      },
    ],
    tolerations,
    ...(random(4) === 0 ? { nodeSelector: { disk: 'ssd' } } : {}),
    ...(terms === undefined
      ? {}
      : {
          affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
        }),
  });
}

const amount = (text = '0'): number => {
  const [, digits = '0', unit = ''] = /^(\d+)(\w*)$/.exec(text) ?? [];
  return Number(digits) * ({ m: 0.001, Mi: 2 ** 20, Gi: 2 ** 30 }[unit] ?? 1);
};

function oracleFits(wanted: Pod, on: Node, pods: readonly Pod[]): boolean {
  const allocatable = on.status?.allocatable ?? {};
  const request = (each: Pod, resource: string): number =>
    amount(each.spec.containers[0]?.resources?.requests?.[resource]);
  if (pods.length + 1 > amount(allocatable['pods'])) return false;
  for (const resource of ['cpu', 'memory', 'example.com/gpu']) {
    const own = request(wanted, resource);
    const taken = pods.reduce((sum, each) => sum + request(each, resource), 0);
    if (own > 0 && taken + own > amount(allocatable[resource])) return false;
  }
  const covers = (key: string, value: string, effect: string): boolean =>
    (wanted.spec.tolerations ?? []).some(
      (each) =>
        (each.effect === undefined || each.effect === effect) &&
        (each.key === undefined
          ? each.operator === 'Exists'
          : each.key === key && (each.operator === 'Exists' || each.value === value)),
    );
  if (on.spec.unschedulable === true && !covers('node.kubernetes.io/unschedulable', '', 'NoSchedule')) return false;
  for (const { key, value = '', effect } of on.spec.taints ?? [])
    if (effect !== 'PreferNoSchedule' && !covers(key, value, effect)) return false;
  const labels = on.metadata.labels ?? {};
  if (Object.entries(wanted.spec.nodeSelector ?? {}).some(([key, value]) => labels[key] !== value)) return false;
  const terms = wanted.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const holds = (
    key: string,
    operator: string,
    values: readonly string[],
    from: Readonly<Record<string, string>>,
  ): boolean => {
    const value = from[key];
    if (operator === 'In') return value !== undefined && values.includes(value);
    if (operator === 'NotIn') return value === undefined || !values.includes(value);
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    if (value === undefined || Number.isNaN(Number(value))) return false;
    return operator === 'Gt' ? Number(value) > Number(values[0]) : Number(value) < Number(values[0]);
  };
  const chosen = terms?.some(({ matchExpressions = [], matchFields = [] }) => {
    if (matchExpressions.length + matchFields.length === 0) return false;
    return (
      matchExpressions.every(({ key, operator, values = [] }) => holds(key, operator, values, labels)) &&
      matchFields.every(({ key, operator, values = [] }) =>
        holds(key, operator, values, { 'metadata.name': on.metadata.name }),
      )
    );
  });
  if (chosen === false) return false;
  const portsOf = (each: Pod): readonly { port: string; ip: string }[] =>
    each.spec.containers.flatMap(({ ports = [] }) =>
      ports.map(({ hostPort = 0, protocol = '', hostIP = '' }) => ({
        port: `${hostPort}/${protocol}`,
        ip: hostIP === '' ? '0.0.0.0' : hostIP,
      })),
    );
  return !pods.some((other) =>
    portsOf(other).some((a) =>
      portsOf(wanted).some((b) => a.port === b.port && (a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0')),
    ),
  );
}

test.for([1, 2, 3, 4, 5, 6, 7, 8])('seed %i: the filters pass exactly the nodes that the oracle passes', (seed) => {
  const random = seeded(seed);
  const table = new NodeTable();
  const nodes = new Map<string, Node>();
  const placed = new Map<string, { pod: Pod; on: string }>();
  const plugins = defaultPlugins({ setOf: () => [], namespaceLabels: () => ({}) });
  let passed = 0;
  for (let step = 0; step < 1_500; step++) {
    const name = `n${random(6)}`;
    if (random(10) === 0) {
      nodes.delete(name);
      table.removeNode(name);
    } else if (random(3) === 0 || !nodes.has(name)) {
      nodes.set(name, randomNode(random, name));
      table.setNode(nodes.get(name) ?? node(name));
    }
    const leaving = [...placed.keys()][random(Math.max(placed.size, 1))];
    if (leaving !== undefined && random(2) === 0) {
      placed.delete(leaving);
      table.remove(`uid-${leaving}`);
    }
    const wanted = randomPod(random, `p${step}`);
    const on = (at: string): readonly Pod[] =>
      [...placed.values()].filter((each) => each.on === at).map((each) => each.pod);
    const expected = [...nodes.values()].filter((each) => oracleFits(wanted, each, on(each.metadata.name)));
    const { feasible } = filterNodes(podFacts(wanted), table, plugins);
    expect(feasible.map((each) => each.name).toSorted()).toEqual(expected.map((each) => each.metadata.name).toSorted());
    passed += feasible.length;
    // Now and then onto a node that does not fit, or is not there: others may bind pods too.
    const target = random(8) === 0 ? `n${random(8)}` : feasible[random(Math.max(feasible.length, 1))]?.name;
    if (target === undefined) continue;
    placed.set(wanted.metadata.name, { pod: wanted, on: target });
    table.place(podFacts(wanted), target);
  }
  expect(passed).toBeGreaterThan(100); // else nothing was compared
});
