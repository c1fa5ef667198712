/**
 * Why a request was denied, off the hot path: the rule its user holds that comes closest, and what of the request
 * that rule does not reach. Somebody who reads it knows what to change; nothing here decides.
 */
import type { AccessRequest, Grant } from '../api/access.ts';
import type { PolicyRule } from '../api/types/rbac.ts';
import type { Authorizer } from './authorizer.ts';
import { compileRule } from './compile.ts';
import { judgedName } from './request.ts';
import type { CompiledRule } from './rule.ts';
import { covers } from './rule.ts';

/** A part of a request that a rule can fail to reach. */
export type Missed = 'namespace' | 'verb' | 'group' | 'resource' | 'name' | 'path';

/** A rule that almost granted. `missed` is what stood in the way, never empty. */
export interface NearMiss {
  readonly grant: Grant;
  readonly rule: PolicyRule;
  readonly missed: readonly Missed[];
}

/**
 * Of all rules that the user of `request` holds anywhere, the one that misses the fewest parts of it; the first of
 * equals. undefined when nothing is bound to the user or their groups, or when no rule shares so much as the resource
 * or path: then there is nothing to mend.
 */
export function nearestMiss(request: AccessRequest, authorizer: Pick<Authorizer, 'grantsOf'>): NearMiss | undefined {
  let nearest: NearMiss | undefined;
  for (const { grant, rule } of authorizer.grantsOf(request.user)) {
    const missed = missedBy(compileRule(rule), grant, request);
    if (missed.length === 0 || missed.includes('path') || missed.includes('resource')) continue;
    if (nearest === undefined || missed.length < nearest.missed.length) nearest = { grant, rule, missed };
  }
  return nearest;
}

function missedBy(rule: CompiledRule, grant: Grant, request: AccessRequest): readonly Missed[] {
  const { bindingKind, bindingNamespace } = grant;
  const inReach =
    bindingKind !== 'RoleBinding' || (request.kind === 'resource' && bindingNamespace === request.namespace);
  const parts: readonly (readonly [Missed, boolean])[] = [
    ['namespace', inReach],
    ['verb', covers.verb(rule, request)],
    ...(request.kind === 'path'
      ? ([['path', covers.path(rule, request)]] as const)
      : ([
          ['group', covers.group(rule, request)],
          ['resource', covers.resource(rule, request)],
          ['name', rule.names === undefined || rule.names.has(judgedName(request))],
        ] as const)),
  ];
  return parts.filter(([, reached]) => !reached).map(([part]) => part);
}
