/** What ends at nodes: logs, exec and attach, and the tunnels that carry them. */
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
import { podTarget } from './pod-target.ts';
import type { PodTarget } from './pod-target.ts';
import { parseSessionOptions } from './session-options.ts';
import { createTunnels } from './tunnels.ts';
import { needsWebSocket, upgradeSession } from './upgrade-session.ts';

export interface StreamsDeps {
  readonly store: Pick<Store, 'get'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The handler of one gateway's streams. Nodes are reached when their tunnel ends here. */
export function createStreams(deps: StreamsDeps): StreamHandler {
  const tunnels = createTunnels(deps);

  const locate = async (info: ResourceRequest): Promise<PodTarget> => {
    const key = { resource: 'pods', namespace: info.namespace, name: info.pathName };
    const stored = await deps.store.get(key, { kind: 'current' });
    if (stored === undefined) throw notFound({ group: '', resource: 'pods' }, info.pathName);
    // What is stored under pods was decoded as a Pod before it was written.
    return podTarget(stored.object as KubeObject & Pod, info.query.get('container') ?? '');
  };
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
      if (info.subresource !== 'exec' && info.subresource !== 'attach') throw notServed(info);
      const kind: SessionKind = info.subresource;
      const options = parseSessionOptions(kind, info.query);
      const target = await locate(info);
      const session = { kind, target, options, link: linkTo(target.node) };
      const { clock, log } = deps;
      await upgradeSession(connection, session, { signal: request.inbound.signal, clock, log });
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
  const streams = info.subresource === 'exec' || info.subresource === 'attach' || info.subresource === 'tunnel';
  return streams ? needsWebSocket(info.subresource) : notServed(info);
}

function notServed({ resource, subresource }: ResourceRequest): StatusError {
  return badRequest(`${resource}/${subresource} is not served by this gateway`);
}
