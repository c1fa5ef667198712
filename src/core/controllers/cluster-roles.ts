/** Aggregated cluster roles show the rules that they add up to, so that people and tools can read them. */
import { isDeepStrictEqual } from 'node:util';
import type { ClusterRole, PolicyRule } from '../../api/types/rbac.ts';
import { clusterRoles as clusterRolesRef } from '../cluster/resource-ref.ts';
import type { ControllerContext } from './context.ts';
import { whenAllSynced } from './context.ts';
import { startController } from './controller.ts';

const identity = 'clusterrole-aggregation-controller';

/** Runs until the context's signal aborts. `aggregate` gives the rules of a role with an aggregationRule, from all roles. */
export async function runClusterRoles(
  context: ControllerContext,
  aggregate: (role: ClusterRole, all: readonly ClusterRole[]) => readonly PolicyRule[],
): Promise<void> {
  const { informers, signal } = context;
  const client = context.clientFor(identity);
  const controller = startController({
    ...context,
    name: identity,
    workers: 1,
    reconcile: async (name) => {
      const role = informers.clusterRoles.get('', name);
      if (role?.aggregationRule === undefined) return {};
      const rules = aggregate(role, informers.clusterRoles.list());
      if (isDeepStrictEqual(rules, role.rules ?? [])) return {};
      await client.update(clusterRolesRef, { ...role, rules }, undefined, signal);
      return {};
    },
  });
  const enqueueAggregated = (): void => {
    for (const role of informers.clusterRoles.list()) {
      if (role.aggregationRule !== undefined) controller.enqueue(role.metadata.name);
    }
  };
  await whenAllSynced([informers.clusterRoles], signal);
  informers.clusterRoles.onChange(enqueueAggregated);
  enqueueAggregated();
}
