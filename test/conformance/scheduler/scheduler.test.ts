/**
 * Placement cases: nodes, pods that run already, then pods to schedule one after the other. They run through the
 * decision alone; what the API does to a pod on its way in (defaults, priority, overhead) is done here.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { applyDefaults } from '../../../src/api/schema/defaults.ts';
import type { Labels } from '../../../src/api/selector.ts';
import type { Node, Pod } from '../../../src/api/types/core.ts';
import { defaultPlugins } from '../../../src/core/scheduler/default-plugins.ts';
import { NodeTable } from '../../../src/core/scheduler/node-table.ts';
import { isFinished, podFacts } from '../../../src/core/scheduler/pod-facts.ts';
import { schedule } from '../../../src/core/scheduler/schedule.ts';
import { at, fieldsOf } from '../../../src/std/value.ts';
import type { Fields } from '../../../src/std/value.ts';

interface ApiObject extends Fields {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
}

interface Case {
  readonly name: string;
  readonly why: string;
  readonly nodes: readonly Node[];
  readonly objects: readonly ApiObject[];
  readonly pods: readonly ApiObject[];
  readonly expect: readonly Expectation[];
}

interface Expectation {
  readonly pod?: string;
  readonly node?: string;
  readonly oneOf?: readonly string[];
  readonly unschedulable?: boolean;
  readonly messageIncludes?: readonly string[];
  readonly messageExcludes?: readonly string[];
  readonly distinctNodes?: readonly string[];
}

/** Cases that need what this scheduler does not do yet. Shrink this list; never let it grow. */
const notYet: Readonly<Record<string, readonly string[]>> = {
  'binding of volumes': ['volume-wffc-size', 'volume-wffc-smallest'],
  preemption: [
    'preempt-basic',
    'preempt-equal-no',
    'preempt-never',
    'preempt-pdb-same-node',
    'preempt-hostport',
    'preempt-affinity-target',
  ],
};

const cases = JSON.parse(readFileSync(new URL('scheduler.json', import.meta.url), 'utf8')) as readonly Case[];
const excluded = new Set(Object.values(notYet).flat());

describe('placement', () => {
  test.for(cases.filter(({ name }) => !excluded.has(name)))('$name: $why', (each) => {
    const outcome = run(each);
    expect(each.expect.flatMap((expected) => complaints(expected, outcome))).toEqual([]);
  });

  test('every case that is left out exists', () => {
    const names = new Set(cases.map(({ name }) => name));
    expect([...excluded].filter((name) => !names.has(name))).toEqual([]);
  });
});

interface Outcome {
  readonly nodeOf: (pod: string) => string | undefined;
  readonly messageOf: (pod: string) => string;
}

/** In what the outcome differs from `expected`. */
function complaints(expected: Expectation, { nodeOf, messageOf }: Outcome): readonly string[] {
  const { pod = '', node, oneOf = [], messageIncludes = [], messageExcludes = [], distinctNodes = [] } = expected;
  const [found = 'none', message] = [nodeOf(pod), messageOf(pod)];
  const wanted = expected.unschedulable === true ? 'none' : (node ?? found);
  return [
    ...(found === wanted ? [] : [`${pod} is on ${found}, not on ${wanted}: ${message}`]),
    ...(oneOf.length === 0 || oneOf.includes(found) ? [] : [`${pod} is on ${found}, none of ${oneOf.join(', ')}`]),
    ...messageIncludes.filter((text) => !message.includes(text)).map((text) => `no "${text}" in: ${message}`),
    ...messageExcludes.filter((text) => message.includes(text)).map((text) => `"${text}" in: ${message}`),
    ...(new Set(distinctNodes.map(nodeOf)).size === distinctNodes.length
      ? []
      : [`${distinctNodes.join()} share a node`]),
  ];
}

function run({ nodes, objects, pods }: Case): Outcome {
  const table = new NodeTable();
  const placed = new Map<string, string>();
  const messages = new Map<string, string>();
  for (const node of nodes) table.setNode(node);
  for (const object of objects.filter(({ kind }) => kind === 'Pod')) {
    const pod = admitted(object, objects);
    if (isFinished(pod)) continue;
    table.place(podFacts(pod), pod.spec.nodeName ?? '');
    placed.set(pod.metadata.name, pod.spec.nodeName ?? '');
  }
  const plugins = defaultPlugins({
    setOf: () => [],
    namespaceLabels: (namespace) => objectOf(objects, 'Namespace', namespace)?.metadata.labels ?? {},
  });
  for (const [index, object] of pods.entries()) {
    const pod = admitted(object, objects);
    const decision = schedule(podFacts(pod), table, plugins, index);
    if (decision.kind === 'node') {
      table.place(podFacts(pod), decision.node);
      placed.set(pod.metadata.name, decision.node);
    } else messages.set(pod.metadata.name, decision.message);
  }
  return { nodeOf: (pod) => placed.get(pod), messageOf: (pod) => messages.get(pod) ?? '' };
}

function admitted(object: ApiObject, objects: readonly ApiObject[]): Pod {
  const spec = fieldsOf(object['spec']);
  const priority = at(objectOf(objects, 'PriorityClass', spec['priorityClassName']), 'value');
  const overhead = at(objectOf(objects, 'RuntimeClass', spec['runtimeClassName']), 'overhead', 'podFixed');
  const more = { ...(priority === undefined ? {} : { priority }), ...(overhead === undefined ? {} : { overhead }) };
  return applyDefaults(object, { ...object, spec: { ...spec, ...more } }) as unknown as Pod;
}

function objectOf(objects: readonly ApiObject[], kind: string, name: unknown): ApiObject | undefined {
  return objects.find((object) => object.kind === kind && object.metadata.name === name);
}
