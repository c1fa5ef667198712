/** The table of routes. Who may use one was decided before it is looked up here. */
import { jwks, openidConfiguration } from '../authn/jwks.ts';
import type { TokenIssuer } from '../authn/service-account.ts';
import type { FlowControl } from '../flow-control.ts';
import type { GatewayDeps } from '../gateway.ts';
import { jsonAnswer, textAnswer, type Answer } from '../inbound.ts';
import type { Gauge, Metrics } from '../metrics.ts';
import type { PathHandler, ResourceHandler, Routes } from '../router.ts';
import { coreDiscovery, groupDiscovery, groupsDiscovery } from './discovery.ts';
import { healthRoute, versionRoute, type HealthCheck } from './health.ts';
import { openapiDocument, openapiIndex, openapiV2 } from './openapi.ts';
import { resourceRoute } from './resources.ts';
import { reviewRoutes } from './reviews.ts';
import { tokenRoute } from './token.ts';

/** All routes of a gateway. */
export function apiRoutes(
  deps: GatewayDeps,
  own: {
    readonly tokens: TokenIssuer;
    readonly metrics: Metrics;
    readonly flow: FlowControl;
    readonly jitter: () => number;
    readonly release: string;
  },
): Routes {
  const { kinds, clock, authorizer, store } = deps;
  const read = async (resource: string, namespace: string, name: string) =>
    (await store.get({ resource, namespace, name }, { kind: 'current' }))?.object;
  const alive: readonly HealthCheck[] = [{ name: 'ping', check: () => true }];
  const ready = [...alive, { name: 'store', check: () => store.isCurrent() }, ...deps.checks];
  const health: readonly (readonly [string, PathHandler])[] = [
    ['livez', healthRoute('livez', alive)],
    ['readyz', healthRoute('readyz', ready)],
    ['healthz', healthRoute('healthz', ready)],
  ];
  const paths = new Map<string, PathHandler>([
    ...health.map(([name, handler]): [string, PathHandler] => [`/${name}`, handler]),
    ['/version', versionRoute(own.release)],
    ['/metrics', metricsRoute(own.metrics, [...gatewayGauges(deps, own.flow), ...deps.gauges])],
    ['/api', coreDiscovery(kinds)],
    ['/apis', groupsDiscovery(kinds)],
    ['/openapi/v2', openapiV2(deps.openapi)],
    ['/openapi/v3', openapiIndex(deps.openapi)],
    ['/openid/v1/jwks', jwks(own.tokens)],
    ['/.well-known/openid-configuration', openidConfiguration(own.tokens, `${own.tokens.issuer}/openid/v1/jwks`)],
  ]);
  return {
    special: new Map<string, ResourceHandler>([
      ...reviewRoutes({ kinds, authorizer, tokens: own.tokens.verify, clock }),
      ['/serviceaccounts/token', tokenRoute({ kinds, issuer: own.tokens, read, clock })],
      ...(deps.audit === undefined ? [] : [['audit.gatehouse.dev/events', deps.audit] as const]),
    ]),
    resources: resourceRoute({ ...deps, jitter: own.jitter }),
    streams: deps.streams,
    paths: paths.set('/', () => jsonAnswer(200, { paths: [...paths.keys()].toSorted() })),
    prefixes: [
      ...health.map(([name, handler]) => [`/${name}/`, handler] as const),
      ['/openapi/v3/', openapiDocument(deps.openapi)],
      ['/api/', groupDiscovery(kinds)],
      ['/apis/', groupDiscovery(kinds)],
    ],
    upgrades: deps.upgrades,
  };
}

function metricsRoute(metrics: Metrics, gauges: readonly Gauge[]): PathHandler {
  return (): Answer => textAnswer(200, metrics.render(gauges), 'text/plain; version=0.0.4; charset=utf-8');
}

function gatewayGauges({ store }: GatewayDeps, flow: FlowControl): readonly Gauge[] {
  return [
    {
      name: 'gatehouse_requests_in_flight_reading',
      help: 'Reads being answered.',
      value: () => flow.inFlight().reading,
    },
    {
      name: 'gatehouse_requests_in_flight_mutating',
      help: 'Changes being answered.',
      value: () => flow.inFlight().mutating,
    },
    {
      name: 'gatehouse_store_revision',
      help: 'Newest revision this gateway has applied.',
      value: () => Number(store.revision()),
    },
    {
      name: 'gatehouse_store_current',
      help: '1 when the cache is confirmed current.',
      value: () => (store.isCurrent() ? 1 : 0),
    },
  ];
}
