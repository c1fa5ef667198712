import type { Functions } from '../environment.ts';
import { bool, string } from '../types.ts';
import type { Opaque, Value } from '../values.ts';
import { global, library, member } from './define.ts';
import { opaqueKind } from './opaque.ts';

/**
 * Asking, from an expression, what somebody may do. Who answers is handed in with the variables.
 * Source: Kubernetes, apiserver, cel/library/authz.
 */
export interface AuthorizerCheck {
  readonly verb: string;
  /** Asked about a path and no resource. */
  readonly path?: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** As written; undefined when not asked for. */
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  /** Asked for this account and not for the request's user. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
}

export interface AuthorizerAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  /** Why there is no certain answer. An error never allows. */
  readonly error?: string;
}

export type Authorizer = (check: AuthorizerCheck) => AuthorizerAnswer;

interface Asked extends AuthorizerCheck {
  readonly ask: Authorizer;
}

const authorizer = opaqueKind<Asked>('kubernetes.authorization.Authorizer');
const pathCheck = opaqueKind<Asked>('kubernetes.authorization.PathCheck');
const groupCheck = opaqueKind<Asked>('kubernetes.authorization.GroupCheck');
const resourceCheck = opaqueKind<Asked>('kubernetes.authorization.ResourceCheck');
const decision = opaqueKind<AuthorizerAnswer>('kubernetes.authorization.Decision');

/** The types of the variables `authorizer` and `authorizer.requestResource`. */
export const authorizerType = authorizer.type;
export const requestResourceType = resourceCheck.type;
export const authorizerTypes = new Map(
  [authorizer, pathCheck, groupCheck, resourceCheck, decision].map((kind) => [kind.type.name, kind.type]),
);

const nothing = { verb: '', group: '', resource: '', subresource: '', namespace: '', name: '' };

/** The variable `authorizer`: every check goes to `ask`. */
export function authorizerValue(ask: Authorizer): Opaque {
  return authorizer.of({ ...nothing, ask });
}

/** The variable `authorizer.requestResource`: a check of what the request itself is about. */
export function requestResourceValue(ask: Authorizer, request: Omit<AuthorizerCheck, 'verb' | 'path'>): Opaque {
  return resourceCheck.of({ ...request, verb: '', ask });
}

const refine = (id: string, field: string) =>
  member(id, [resourceCheck.type, string], resourceCheck.type, ([check, text]) =>
    resourceCheck.of({ ...resourceCheck.held(check), [field]: text }),
  );
const answer =
  (kind: typeof resourceCheck) =>
  ([check, verb]: readonly Value[]): Opaque => {
    const { ask, ...asked } = kind.held(check);
    return decision.of(ask({ ...asked, verb: verb as string }));
  };

export const authorizers: Functions = library({
  path: [
    member('authorizer_path', [authorizer.type, string], pathCheck.type, ([from, path]) =>
      pathCheck.of({ ...authorizer.held(from), path: path as string }),
    ),
  ],
  group: [
    member('authorizer_group', [authorizer.type, string], groupCheck.type, ([from, group]) =>
      groupCheck.of({ ...authorizer.held(from), group: group as string }),
    ),
  ],
  serviceAccount: [
    member('authorizer_serviceaccount', [authorizer.type, string, string], authorizer.type, ([from, namespace, name]) =>
      authorizer.of({
        ...authorizer.held(from),
        serviceAccount: { namespace: namespace as string, name: name as string },
      }),
    ),
  ],
  resource: [
    member('groupcheck_resource', [groupCheck.type, string], resourceCheck.type, ([from, resource]) =>
      resourceCheck.of({ ...groupCheck.held(from), resource: resource as string }),
    ),
  ],
  subresource: [refine('resourcecheck_subresource', 'subresource')],
  namespace: [refine('resourcecheck_namespace', 'namespace')],
  name: [refine('resourcecheck_name', 'name')],
  fieldSelector: [refine('authorizer_fieldselector', 'fieldSelector')],
  labelSelector: [refine('authorizer_labelselector', 'labelSelector')],
  check: [
    member('pathcheck_check', [pathCheck.type, string], decision.type, answer(pathCheck)),
    member('resourcecheck_check', [resourceCheck.type, string], decision.type, answer(resourceCheck)),
  ],
  allowed: [member('decision_allowed', [decision.type], bool, ([value]) => decision.held(value).allowed)],
  reason: [member('decision_reason', [decision.type], string, ([value]) => decision.held(value).reason)],
  errored: [member('decision_errored', [decision.type], bool, ([value]) => decision.held(value).error !== undefined)],
  error: [member('decision_error', [decision.type], string, ([value]) => decision.held(value).error ?? '')],
  'jsonpatch.escapeKey': [
    global('string_jsonpatch_escapeKey_string', [string], string, ([key]) =>
      (key as string).replaceAll('~', '~0').replaceAll('/', '~1'),
    ),
  ],
});
