/**
 * nodeSelector and node affinity. The selector's pairs and one of the required terms must hold; preferred terms rank.
 * A term without expressions and fields selects nothing; NotIn holds for a node that lacks the key.
 * Source: Kubernetes concepts, "Assigning Pods to Nodes".
 */
import { matchesLabels } from '../../../api/selector.ts';
import type { Requirement, Selector } from '../../../api/selector.ts';
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '../../../api/types/core.ts';
import { normalized } from '../framework.ts';
import type { Plugin } from '../framework.ts';

/** Whether a node is among those that `pod` asks for; undefined when it asks for none in particular. */
export function requiredNodes(pod: Pod): ((node: Node) => boolean) | undefined {
  const pairs = Object.entries(pod.spec.nodeSelector ?? {});
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (pairs.length === 0 && required === undefined) return undefined;
  const terms = required?.nodeSelectorTerms.map(compile);
  return (node) =>
    pairs.every(([key, value]) => node.metadata.labels?.[key] === value) &&
    (terms === undefined || terms.some((matches) => matches(node)));
}

const rejection = { reasons: ["node(s) didn't match Pod's node affinity/selector"], evictionHelps: false };

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  // Pods of a DaemonSet each name one node: looking at that one alone keeps a cycle from walking the cluster.
  candidates: ({ pod }) => {
    const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    const named = required?.nodeSelectorTerms.map(namedNodes) ?? [];
    if (named.length === 0) return undefined;
    const union = new Set<string>();
    for (const names of named) {
      if (names === undefined) return undefined;
      for (const name of names) union.add(name);
    }
    return union;
  },
  filter: ({ pod }) => {
    const matches = requiredNodes(pod);
    return matches === undefined ? undefined : ({ node }) => (matches(node) ? undefined : rejection);
  },
  score: ({ pod }) => {
    const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return undefined;
    const terms = preferred.map(({ weight, preference }) => ({ weight, matches: compile(preference) }));
    return (nodes) =>
      normalized(
        nodes.map(({ node }) => terms.reduce((sum, { weight, matches }) => sum + (matches(node) ? weight : 0), 0)),
        false,
      );
  },
  wakes: (event) => event.kind === 'node' && event.labels,
};

function compile(term: NodeSelectorTerm): (node: Node) => boolean {
  const labels = selector(term.matchExpressions ?? []);
  const fields = selector(term.matchFields ?? []);
  if (labels.length === 0 && fields.length === 0) return () => false;
  return (node) =>
    matchesLabels(labels, node.metadata.labels) && matchesLabels(fields, { 'metadata.name': node.metadata.name });
}

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'] as const;

function selector(requirements: readonly NodeSelectorRequirement[]): Selector {
  const all: Requirement[] = [];
  for (const { key, operator, values = [] } of requirements) {
    const known = operators.find((name) => name === operator);
    if (known === undefined) return 'nothing';
    if ((known === 'Gt' || known === 'Lt') && !/^-?\d+$/.test(values[0] ?? '')) return 'nothing';
    all.push({ key, operator: known, values });
  }
  return all;
}

/** The names a term limits itself to; undefined when it does not. */
function namedNodes(term: NodeSelectorTerm): ReadonlySet<string> | undefined {
  const lists = (term.matchFields ?? [])
    .filter(({ key, operator }) => key === 'metadata.name' && operator === 'In')
    .map(({ values }) => values ?? []);
  const [first, ...others] = lists;
  return first === undefined ? undefined : new Set(first.filter((name) => others.every((list) => list.includes(name))));
}
