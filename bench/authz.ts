import type { AccessRequest } from '../src/api/access.ts';
import type { KubeObject } from '../src/api/meta.ts';
import type { Authorizer } from '../src/authz/authorizer.ts';
import { createAuthorizer } from '../src/authz/authorizer.ts';
import { planDefaultRoles } from '../src/authz/default-roles.ts';
import { systemClock } from '../src/std/clock.ts';

interface Figure {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
}

/**
 * How long does one decision take, as the number of bindings grows? Reports p50 and p99 in microseconds for 100, 1 000
 * and 10 000 RoleBindings, one per user, over 100 namespaces; each user is also in two groups. `cached` asks one
 * question again; `uncached` asks one never asked before.
 */
export async function bench(report: (figure: Figure) => void): Promise<void> {
  await Promise.resolve();
  for (const bindings of [100, 1_000, 10_000]) {
    const authorizer = filled(bindings);
    const run = (what: string, ask: (round: number) => AccessRequest): void => {
      for (const [share, value] of Object.entries(measure(authorizer, ask))) {
        report({ metric: `${bindings} bindings, ${what}, ${share}`, value, unit: 'µs' });
      }
    };
    run('allowed, uncached', (round) => question(round % bindings, `o${round}`, 'pods'));
    run('denied, uncached', (round) => question(round % bindings, `o${round}`, 'nodes'));
    run('allowed, cached', () => question(1, 'same', 'pods'));
    run('denied, cached', () => question(1, 'same', 'nodes'));
  }
}

function filled(bindings: number): Authorizer {
  const authorizer = createAuthorizer();
  for (const object of planDefaultRoles([]).create) authorizer.observe({ kind: 'set', object });
  for (let i = 0; i < bindings; i++) authorizer.observe({ kind: 'set', object: binding(i) });
  return authorizer;
}

function binding(index: number): KubeObject {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: `b${index}`, namespace: `n${index % 100}` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: `user-${index}` }],
  };
}

function question(index: number, name: string, resource: string): AccessRequest {
  const user = { name: `user-${index}`, uid: '', groups: ['team', 'system:authenticated'], extra: {} };
  const of = { group: '', version: 'v1', resource, subresource: '', namespace: `n${index % 100}`, name };
  return { kind: 'resource', user, verb: 'get', ...of };
}

/** Batches of ten: one call is shorter than the clock is precise. */
function measure(authorizer: Authorizer, ask: (round: number) => AccessRequest): { p50: number; p99: number } {
  const batch = 10;
  const times: number[] = [];
  for (let round = -2_000; round < 20_000; round += batch) {
    const requests = Array.from({ length: batch }, (_, index) => ask(round + 2_000 + index));
    const start = systemClock.monotonic();
    for (const request of requests) authorizer.authorize(request);
    if (round >= 0) times.push(((systemClock.monotonic() - start) * 1000) / batch);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
