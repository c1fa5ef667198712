/** Two pods cannot listen on the same port of a node. An address that is left out means all of the node's addresses. */
import type { ContainerPort } from '../../../api/types/core.ts';
import type { Plugin } from '../framework.ts';

const rejection = { reasons: ["node(s) didn't have free ports for the requested pod ports"], evictionHelps: true };
const anyAddress = '0.0.0.0';

export const nodePorts: Plugin = {
  name: 'NodePorts',
  filter: ({ ports }) => {
    if (ports.length === 0) return undefined;
    return ({ portHolders }) => {
      for (const holder of portHolders) {
        if (holder.ports.some((taken) => ports.some((wanted) => clash(taken, wanted)))) return rejection;
      }
      return undefined;
    };
  },
  wakes: (event) => event.kind === 'room' || (event.kind === 'node' && event.added),
};

function clash(a: ContainerPort, b: ContainerPort): boolean {
  if (a.hostPort !== b.hostPort || (a.protocol ?? 'TCP') !== (b.protocol ?? 'TCP')) return false;
  const [own, other] = [addressOf(a), addressOf(b)];
  return own === other || own === anyAddress || other === anyAddress;
}

function addressOf({ hostIP = '' }: ContainerPort): string {
  return hostIP === '' ? anyAddress : hostIP;
}
