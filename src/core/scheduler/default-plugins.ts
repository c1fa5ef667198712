/** The plugins of the default scheduler, in the order in which their filters are asked. */
import type { Labels, Selector } from '../../api/selector.ts';
import type { Pod } from '../../api/types/core.ts';
import type { Plugin } from './framework.ts';
import { imageLocality } from './plugins/image-locality.ts';
import { nodeAffinity } from './plugins/node-affinity.ts';
import { nodeName } from './plugins/node-name.ts';
import { interPodAffinity } from './plugins/pod-affinity.ts';
import { nodePorts } from './plugins/ports.ts';
import { balancedAllocation, nodeResourcesFit } from './plugins/resources.ts';
import { nodeUnschedulable, taintToleration } from './plugins/taints.ts';
import { podTopologySpread } from './plugins/topology-spread.ts';

/** What plugins have to know beside pods and nodes. */
export interface PluginSources {
  /** Selects the pods that a pod belongs with; the empty selector when it belongs to no set. */
  readonly setOf: (pod: Pod) => Selector;
  /** The labels of a namespace; undefined where there is none of that name. */
  readonly namespaceLabels: (namespace: string) => Labels | undefined;
}

/** Order and weights: kube-scheduler's defaults. */
export function defaultPlugins({ setOf, namespaceLabels }: PluginSources): readonly Plugin[] {
  return [
    nodeUnschedulable,
    nodeName,
    taintToleration,
    nodeAffinity,
    nodePorts,
    nodeResourcesFit,
    podTopologySpread(setOf),
    interPodAffinity(namespaceLabels),
    balancedAllocation,
    imageLocality,
  ];
}
