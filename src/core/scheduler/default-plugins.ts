/** The plugins of the default scheduler, in the order in which their filters are asked. */
import type { Selector } from '../../api/selector.ts';
import type { Pod } from '../../api/types/core.ts';
import type { Plugin } from './framework.ts';
import { imageLocality } from './plugins/image-locality.ts';
import { nodeAffinity } from './plugins/node-affinity.ts';
import { nodeName } from './plugins/node-name.ts';
import { nodePorts } from './plugins/ports.ts';
import { balancedAllocation, nodeResourcesFit } from './plugins/resources.ts';
import { nodeUnschedulable, taintToleration } from './plugins/taints.ts';
import { podTopologySpread } from './plugins/topology-spread.ts';

/** `setOf` selects the pods that a pod belongs with. Order and weights: kube-scheduler's defaults. */
export function defaultPlugins(setOf: (pod: Pod) => Selector): readonly Plugin[] {
  return [
    nodeUnschedulable,
    nodeName,
    taintToleration,
    nodeAffinity,
    nodePorts,
    nodeResourcesFit,
    podTopologySpread(setOf),
    balancedAllocation,
    imageLocality,
  ];
}
