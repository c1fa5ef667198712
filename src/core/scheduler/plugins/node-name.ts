/** A pod that names its node goes there or nowhere. */
import type { Plugin } from '../framework.ts';

const rejection = { reasons: ["node(s) didn't match the requested node name"], evictionHelps: false };

export const nodeName: Plugin = {
  name: 'NodeName',
  filter: ({ pod }) => {
    const wanted = pod.spec.nodeName ?? '';
    return wanted === '' ? undefined : (node) => (node.name === wanted ? undefined : rejection);
  },
  wakes: (event) => event.kind === 'node' && event.added,
};
