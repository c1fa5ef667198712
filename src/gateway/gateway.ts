/** The gateway put together: transports, the chain, and the routes behind it. Everything it needs of other rooms is handed in. */
import { randomInt } from 'node:crypto';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import type { AuditRow, Recorder } from '../audit/recorder.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import type { Resources } from '../core/resources/resources.ts';
import type { Key, Store } from '../core/store/store.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/log.ts';
import type { Running } from '../std/stop.ts';
import { createTokenIssuer, type BoundObject, type TokenIssuer } from './authn/service-account.ts';
import { createChain, type Chain, type Handler } from './chain.ts';
import { inboundFromFetch, responseOf } from './fetch-transport.ts';
import { createFlowControl } from './flow-control.ts';
import { closeWithAnswer } from './http1-refusal.ts';
import type { Answer, Inbound, Peer } from './inbound.ts';
import type { Kinds } from './kinds.ts';
import { createMetrics, type Gauge } from './metrics.ts';
import { inboundFromNode, writeAnswer, type NodeRequest, type NodeResponse } from './node-transport.ts';
import {
  createRouter,
  createUpgradeRouter,
  type ResourceHandler,
  type Routes,
  type StreamHandler,
  type UpgradedConnection,
} from './router.ts';
import { apiRoutes } from './routes/api.ts';
import type { HealthCheck } from './routes/health.ts';
import type { OpenApiDocuments } from './routes/openapi.ts';
import type { TableMaker } from './routes/render.ts';
import { startServer, type ServerDeadlines, type TlsMaterial } from './server.ts';

export interface GatewayDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: Pick<Store<AuditRow>, 'get' | 'isCurrent' | 'revision'>;
  readonly resources: Resources<AuditRow>;
  readonly recorder: Recorder;
  readonly authorizer: Pick<Authorizer, 'authorize' | 'rulesFor'>;
  readonly kinds: Kinds;
  readonly table: TableMaker;
  readonly openapi: OpenApiDocuments;
  /** The trail's own API: answers for the resource audit.gatehouse.dev/events. */
  readonly audit: ResourceHandler | undefined;
  /** What ends at nodes. */
  readonly streams: StreamHandler | undefined;
  /** Upgrades of paths that are no resource, such as a node's tunnel. */
  readonly upgrades: Routes['upgrades'];
  /** Beyond ping and store. */
  readonly checks: readonly HealthCheck[];
  readonly gauges: readonly Gauge[];
}

export interface GatewayOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly tls: TlsMaterial;
  /** PKCS#8 PEM. */
  readonly serviceAccountKey: string;
  /** `iss` of service-account tokens, and the first audience this API answers to. */
  readonly issuer: string;
  /** What /version says after the level of the API. */
  readonly release: string;
  readonly deadlines?: Partial<ServerDeadlines>;
}

export interface Gateway extends Running {
  /** `https://HOST:PORT`, by an address that the serving certificate names. */
  readonly url: string;
  readonly port: number;
  readonly app: { readonly fetch: (request: Request) => Promise<Response> };
  /** The same door in process, as if `user` had shown a client certificate. For tests and for parts in this process. */
  fetchAs(user: { readonly name: string; readonly groups: readonly string[] }): (request: Request) => Promise<Response>;
  readonly tokens: TokenIssuer;
  /** New connections are served with `tls` from now on. */
  renew(tls: TlsMaterial): void;
}

/** Chosen: longer than a slow mobile link needs for a header, shorter than an attacker likes. The rest as upstream. */
const defaultDeadlines: ServerDeadlines = { headersMs: 20_000, requestMs: 60_000, idleMs: 180_000, stopMs: 5_000 };
/** Upstream's defaults. */
const limits = { mutating: 200, reading: 400 };

interface Bindings {
  readonly incoming?: NodeRequest;
  readonly outgoing?: NodeResponse;
  readonly peer?: Peer;
}

/** A gateway that serves. Throws what listening throws. */
export async function createGateway(deps: GatewayDeps, options: GatewayOptions): Promise<Gateway> {
  const { clock, log } = deps;
  const deadlines = { ...defaultDeadlines, ...options.deadlines };
  const tokens = await createTokenIssuer({
    key: options.serviceAccountKey,
    issuer: options.issuer,
    apiAudiences: [options.issuer, 'api'],
    clock,
    stillExists: (kind, namespace, object) =>
      stillExists(deps.store, { resource: kind, namespace, name: object.name }, object),
  });
  const metrics = createMetrics(deps.kinds);
  const flow = createFlowControl(limits);
  const chain = createChain({
    clock,
    log,
    recorder: deps.recorder,
    tokens: tokens.verify,
    authorizer: deps.authorizer,
    policyIsCurrent: () => deps.store.isCurrent(),
    flow,
    kinds: deps.kinds,
    observer: metrics,
  });
  const stopping = new AbortController();
  const jitter = (): number => randomInt(1_000_001) / 1_000_000;
  const routes = apiRoutes(deps, { tokens, metrics, flow, jitter, release: options.release });
  const app = createApp(chain, createRouter(routes), {
    clock,
    log,
    stopping: stopping.signal,
    bodyDeadlineMs: deadlines.requestMs,
  });

  const peers = new WeakMap<NodeRequest, Peer>();
  const listener = getRequestListener(
    (request, env) => app.fetch(request, { ...env, peer: peers.get((env as Bindings).incoming as NodeRequest) }),
    {
      overrideGlobalObjects: false,
      hostname: 'localhost',
    },
  );
  const upgradeRouter = createUpgradeRouter(routes);
  const server = await startServer(
    {
      request: (request, response, peer) => {
        if (request.method === 'GET') {
          serveGet(app, { incoming: request, outgoing: response, peer }, log);
          return;
        }
        peers.set(request, peer);
        listener(request, response).catch((error: unknown) => log.error('a request was lost', { error }));
      },
      upgrade: (request, socket, head, peer) => {
        const inbound = inboundFromNode(request, {
          carrier: socket,
          peer,
          stopping: stopping.signal,
          clock,
          bodyDeadlineMs: 0,
        });
        upgrade({ chain, router: upgradeRouter, inbound }, { request, socket, head }).catch((error: unknown) =>
          log.error('an upgrade was lost', { error }),
        );
      },
    },
    { host: options.host, port: options.port, tls: options.tls, deadlines, clock, log },
  );

  const inProcess =
    (peer: Peer) =>
    async (request: Request): Promise<Response> =>
      app.fetch(request, { peer });
  const local: Peer = { address: '', certificate: undefined };
  return {
    url: `https://${urlHost(options.host)}:${server.port}`,
    port: server.port,
    app: { fetch: inProcess(local) },
    fetchAs: ({ name, groups }) =>
      inProcess({
        address: '',
        certificate: { kind: 'verified', commonName: name, organizations: groups, notAfter: Infinity, fingerprint: '' },
      }),
    tokens,
    renew: (tls) => server.renew(tls),
    async stop() {
      stopping.abort();
      await server.stop();
    },
  };
}

/** One Hono app, one handler: what is routed is the request as it was parsed and authorized, not as a router reads it again. */
function createApp(
  chain: Chain,
  handle: Handler,
  around: {
    readonly clock: Clock;
    readonly log: Logger;
    readonly stopping: AbortSignal;
    readonly bodyDeadlineMs: number;
  },
): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>({ getPath: () => '/' });
  app.all('*', async (context) => {
    const { incoming, outgoing, peer = { address: '', certificate: undefined } } = context.env;
    if (incoming !== undefined && outgoing !== undefined) {
      const { clock, stopping, bodyDeadlineMs } = around; // spelled out: adding to a spread is slow, and this is every request
      const inbound = inboundFromNode(incoming, { clock, stopping, bodyDeadlineMs, peer, carrier: outgoing });
      await chain.serve(inbound, handle, (answer) => writeAnswer(outgoing, answer, inbound));
      return RESPONSE_ALREADY_SENT;
    }
    return respondToFetch(chain, handle, inboundFromFetch(context.req.raw, peer, around.stopping), around.log);
  });
  return app;
}

const anyGet = new Request('https://gateway/');

/**
 * A GET from a socket. Its handler reads Node's own request, and no body can be left unread, so no Request is built
 * for each one: that, and what watches over its end, cost more than routing (see docs/adr, what bounds a request).
 */
function serveGet(app: Hono<{ Bindings: Bindings }>, bindings: Required<Bindings>, log: Logger): void {
  const lost = (error: unknown): void => {
    log.error('a request was lost', { error });
    bindings.outgoing.destroy();
  };
  Promise.resolve(app.fetch(anyGet, bindings)).then((response) => {
    if (response !== RESPONSE_ALREADY_SENT) lost(new Error(`the app answered ${response.status} instead of the chain`));
  }, lost);
}

/** The response begins when the chain has an answer; the chain goes on until its body has been read. */
function respondToFetch(chain: Chain, handle: Handler, inbound: Inbound, log: Logger): Promise<Response> {
  return new Promise((resolve, reject) => {
    const respond = (answer: Answer): Promise<void> =>
      new Promise((done) => {
        resolve(
          responseOf(answer, (error) => {
            if (error !== undefined) log.debug('a stream ended early', { error });
            done();
          }),
        );
        if (answer.kind === 'whole') done();
      });
    chain.serve(inbound, handle, respond).catch(reject);
  });
}

async function upgrade(
  with_: { readonly chain: Chain; readonly router: ReturnType<typeof createUpgradeRouter>; readonly inbound: Inbound },
  connection: UpgradedConnection,
): Promise<void> {
  const { socket } = connection;
  const ignore = (): void => {}; // a reset while it is being judged: the answer finds the socket destroyed
  socket.on('error', ignore);
  await with_.chain.upgrade(
    with_.inbound,
    (request) => {
      socket.off('error', ignore);
      return with_.router(connection)(request);
    },
    (answer) => closeWithAnswer(socket, answer),
  );
}

/** A cached answer serves if it says yes; a no is asked again of what is committed, for another gateway may have just made the object. */
async function stillExists(store: Pick<Store, 'get'>, key: Key, { uid }: BoundObject): Promise<boolean> {
  const cached = await store.get(key, { kind: 'any' });
  if (cached?.object.metadata.uid === uid) return true;
  const current = await store.get(key, { kind: 'current' });
  return current?.object.metadata.uid === uid;
}

function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::' || host === '') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
