/** How long does one scheduling decision take, by the number of nodes? Pods belong to sets, so spreading is counted too. */
import type { Node, Pod } from '../src/api/types/core.ts';
import { defaultPlugins } from '../src/core/scheduler/default-plugins.ts';
import { NodeTable } from '../src/core/scheduler/node-table.ts';
import { podFacts } from '../src/core/scheduler/pod-facts.ts';
import { schedule } from '../src/core/scheduler/schedule.ts';
import { systemClock } from '../src/std/clock.ts';
import type { Bench } from './main.ts';

const pods = 3_000;

export const bench: Bench = async (report, note) => {
  note(`${pods} pods of 50 sets in 20 namespaces, one after the other, three zones`);
  for (const nodes of [100, 1_000, 5_000]) {
    const times = decisions(nodes).toSorted((a, b) => a - b);
    for (const [metric, part] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      const value = times[Math.floor(times.length * part)] ?? 0;
      report({ metric: `one decision, ${nodes} nodes, ${metric}`, value, unit: 'ms' });
    }
  }
};

function decisions(nodes: number): readonly number[] {
  const table = new NodeTable();
  for (let i = 0; i < nodes; i++) table.setNode(node(i));
  const plugins = defaultPlugins({
    setOf: ({ metadata }) => [{ key: 'app', operator: 'In', values: [metadata.labels?.['app'] ?? ''] }],
    namespaceLabels: () => ({}),
  });
  return Array.from({ length: pods }, (_, i) => {
    const facts = podFacts(pod(i));
    const from = systemClock.monotonic();
    const decision = schedule(facts, table, plugins, i);
    if (decision.kind === 'node') table.place(facts, decision.node);
    return systemClock.monotonic() - from;
  });
}

function node(i: number): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `n${i}`,
      labels: { 'kubernetes.io/hostname': `n${i}`, 'topology.kubernetes.io/zone': `z${i % 3}` },
    },
    spec: {},
    status: { allocatable: { cpu: '16', memory: '64Gi', pods: '110' } },
  };
}

function pod(i: number): Pod {
  const resources = { requests: { cpu: '100m', memory: '128Mi' } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${i}`, namespace: `ns${i % 20}`, uid: `u${i}`, labels: { app: `a${i % 50}` } },
    spec: { containers: [{ name: 'main', image: 'img', resources }] },
  };
}
