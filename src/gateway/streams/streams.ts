/** What ends at nodes: logs, exec, attach and port-forward, and the tunnels that carry them. */
import type { KubeObject } from '../../api/meta.ts';
import type { Pod } from '../../api/types/core.ts';
import { StatusError, badRequest, forbidden, notFound, unavailable } from '../../api/status.ts';
import type { SessionKind } from '../../core/node/streams/wire.ts';
import type { Store } from '../../core/store/store.ts';
import type { Clock } from '../../std/clock.ts';
import type { Logger } from '../../std/log.ts';
import type { Admitted } from '../chain.ts';
import type { Answer } from '../inbound.ts';
import type { ResourceRequest } from '../request-info.ts';
import type { StreamHandler, UpgradedConnection } from '../router.ts';
import { logAnswer } from './log.ts';
import { parseLogOptions } from './log-options.ts';
import type { NodeLink } from './node-link.ts';
import { containerTarget, podTarget } from './pod-target.ts';
import type { ContainerTarget } from './pod-target.ts';
import { parseSessionOptions } from './session-options.ts';
import { createTunnels } from './tunnels.ts';
import { upgradeForward } from './upgrade-forward.ts';
import { needsUpgrade, upgradeSession } from './upgrade-session.ts';

export interface StreamsDeps {
  readonly store: Pick<Store, 'get'>;
  readonly clock: Clock;
  readonly log: Logger;
}

const upgraded = new Set(['exec', 'attach', 'portforward', 'tunnel']);

/** The handler of one gateway's streams. Nodes are reached when their tunnel ends here. */
export function createStreams(deps: StreamsDeps): StreamHandler {
  const tunnels = createTunnels(deps);

  const findPod = async (info: ResourceRequest): Promise<Pod> => {
    const key = { resource: 'pods', namespace: info.namespace, name: info.pathName };
    const stored = await deps.store.get(key, { kind: 'current' });
    if (stored === undefined) throw notFound({ group: '', resource: 'pods' }, info.pathName);
    // What is stored under pods was decoded as a Pod before it was written.
    return stored.object as KubeObject & Pod;
  };
  const locate = async (info: ResourceRequest): Promise<ContainerTarget> =>
    containerTarget(await findPod(info), info.query.get('container') ?? '');
  const linkTo = (node: string): NodeLink => {
    const link = tunnels.find(node);
    if (link === undefined) throw unavailable(`node ${node} is not connected to this gateway`);
    return link;
  };

  return {
    answer: async (request: Admitted, info: ResourceRequest): Promise<Answer> => {
      if (info.subresource !== 'log') throw notOverHttp(info);
      if (info.method !== 'GET') {
        throw new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource');
      }
      const options = parseLogOptions(info.query, info.pathName);
      const { node, ...container } = await locate(info);
      const log = await linkTo(node).log({ ...container, ...options });
      return logAnswer(log, request.inbound.signal);
    },
    upgrade: async (request: Admitted, info: ResourceRequest, connection: UpgradedConnection): Promise<void> => {
      if (info.resource === 'nodes' && info.subresource === 'tunnel') {
        const end = { signal: request.inbound.signal, until: tunnelExpiry(request, info.pathName) };
        return tunnels.accept(info.pathName, connection, end);
      }
      const { clock, log } = deps;
      const around = { signal: request.inbound.signal, clock, log };
      if (info.subresource === 'portforward') {
        const pod = podTarget(await findPod(info));
        const link = linkTo(pod.node);
        return upgradeForward(connection, info.query, { pod, dial: (port) => link.dial(pod, port), log }, around);
      }
      if (info.subresource !== 'exec' && info.subresource !== 'attach') throw notServed(info);
      const kind: SessionKind = info.subresource;
      const options = parseSessionOptions(kind, info.query);
      const target = await locate(info);
      const session = { kind, target, options, link: linkTo(target.node) };
      await upgradeSession(connection, session, around);
    },
  };
}

/** When the certificate ends that the tunnel of `node` was opened with. Whatever roles say, only the node itself may open it. */
function tunnelExpiry({ user, inbound: { peer } }: Admitted, node: string): number {
  if (peer.certificate?.kind !== 'verified' || user.name !== `system:node:${node}`) {
    throw forbidden(
      { group: '', resource: 'nodes' },
      node,
      'its tunnel is opened by the node with its own certificate',
    );
  }
  return peer.certificate.notAfter;
}

function notOverHttp(info: ResourceRequest): StatusError {
  return upgraded.has(info.subresource) ? needsUpgrade(info.subresource) : notServed(info);
}

function notServed({ resource, subresource }: ResourceRequest): StatusError {
  return badRequest(`${resource}/${subresource} is not served by this gateway`);
}
