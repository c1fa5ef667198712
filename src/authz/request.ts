import type { AccessRequest, ResourceAccess } from '../api/access.ts';
import { parseFieldSelector } from '../api/field-selector.ts';
import { StatusError } from '../api/status.ts';

/** Verbs whose requests carry their object's name in a field selector rather than in the path. */
const collectionVerbs: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection']);

/**
 * The name that RBAC judges: the request's own, or the one that `metadata.name=X` narrows a list, watch or
 * deletecollection to. '' when the request is about more than one object or about none by name.
 * Source: Kubernetes request info.
 */
export function judgedName(request: ResourceAccess): string {
  if (request.name !== '' || !collectionVerbs.has(request.verb)) return request.name;
  return requiredValue(request, 'metadata.name') ?? '';
}

/** The value that the request's field selector demands of `field`; undefined when it demands none. A selector that cannot be read narrows nothing. */
export function requiredValue(request: ResourceAccess, field: string): string | undefined {
  if (request.fieldSelector === undefined || request.fieldSelector === '') return undefined;
  try {
    const terms = parseFieldSelector(request, request.fieldSelector);
    return terms.find((term) => term.field === field && !term.negated)?.value;
  } catch (error) {
    if (error instanceof StatusError) return undefined;
    throw error;
  }
}

/**
 * A text that two requests share only if authorization cannot tell them apart. Each part goes behind its length, so
 * parts never run together whatever characters they hold. Version, uid, extra and label selector play no part in RBAC.
 */
export function requestKey(request: AccessRequest): string {
  const { user, verb } = request;
  let key = part(user.name) + part(verb);
  if (request.kind === 'path') {
    key += `p${part(request.path)}`;
  } else {
    key += `r${part(request.group)}${part(request.resource)}${part(request.subresource)}`;
    key += part(request.namespace) + part(request.name);
    key += request.fieldSelector === undefined ? '-' : part(request.fieldSelector);
  }
  for (const group of user.groups) key += part(group);
  return key;
}

function part(text: string): string {
  return `${text.length}:${text}`;
}
