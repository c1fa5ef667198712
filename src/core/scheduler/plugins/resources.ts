/**
 * Whether a node has what a pod requests, and how well the pod would fit. Filtering counts requests only; ranking by free
 * room also counts a little for containers that request nothing, or many of them would land on one node.
 * Source: kube-scheduler, NodeResourcesFit (LeastAllocated) and NodeResourcesBalancedAllocation with their defaults.
 */
import type { Plugin } from '../framework.ts';

/** What ranking looks at, each with weight 1. */
const rankedResources = ['cpu', 'memory'] as const;

export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  filter: ({ requests }, { allocatable, requested }) => {
    const needs = [...requests].map(([resource, amount]) => ({
      reason: resource === 'pods' ? 'Too many pods' : `Insufficient ${resource}`,
      amount,
      offered: allocatable.column(resource),
      taken: requested.column(resource),
    }));
    return ({ row }) => {
      const short = needs.filter(({ amount, offered, taken }) => amount > (offered[row] ?? 0) - (taken[row] ?? 0));
      if (short.length === 0) return undefined;
      return {
        reasons: short.map(({ reason }) => reason),
        evictionHelps: short.every(({ amount, offered }) => amount <= (offered[row] ?? 0)),
      };
    };
  },
  score: ({ ranked: own }, { allocatable, ranked }) => {
    const columns = rankedResources.map((resource) => ({
      amount: own.get(resource) ?? 0,
      offered: allocatable.column(resource),
      taken: ranked.column(resource),
    }));
    return (nodes) =>
      nodes.map(({ row }) => {
        let sum = 0;
        let counted = 0;
        for (const { amount, offered, taken } of columns) {
          const capacity = offered[row] ?? 0;
          if (capacity === 0) continue;
          counted++;
          sum += Math.trunc((Math.max(capacity - (taken[row] ?? 0) - amount, 0) * 100) / capacity);
        }
        return counted === 0 ? 0 : Math.trunc(sum / counted);
      });
  },
  wakes: (event) => event.kind === 'room' || (event.kind === 'node' && event.allocatable),
};

export const balancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  score: ({ requests }, { allocatable, requested }) => {
    // Pods without requests would all be drawn to the node that happens to be balanced.
    if (rankedResources.every((resource) => (requests.get(resource) ?? 0) === 0)) return undefined;
    const [cpu, memory] = rankedResources.map((resource) => {
      const offered = allocatable.column(resource);
      const taken = requested.column(resource);
      const amount = requests.get(resource) ?? 0;
      return (row: number): number | undefined => {
        const capacity = offered[row] ?? 0;
        return capacity === 0 ? undefined : Math.min(((taken[row] ?? 0) + amount) / capacity, 1);
      };
    });
    return (nodes) =>
      nodes.map(({ row }) => {
        const [a, b] = [cpu?.(row), memory?.(row)];
        const deviation = a === undefined || b === undefined ? 0 : Math.abs(a - b) / 2;
        return Math.trunc((1 - deviation) * 100);
      });
  },
};
