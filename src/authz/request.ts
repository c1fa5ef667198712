import type { AccessRequest } from '../api/access.ts';

/** Verbs whose requests carry their object's name in a field selector rather than in the path. */
const collectionVerbs: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection']);

/**
 * The name that RBAC judges: the request's own, or the one that `metadata.name=X` narrows a list, watch or
 * deletecollection to. '' when the request is about more than one object or about none by name.
 * Source: Kubernetes request info.
 */
export function judgedName(request: Extract<AccessRequest, { kind: 'resource' }>): string {
  if (request.name !== '' || request.fieldSelector === undefined) return request.name;
  return collectionVerbs.has(request.verb) ? (requiredValue(request.fieldSelector, 'metadata.name') ?? '') : '';
}

/**
 * The value that `selector` demands of `field` by `=` or `==`; undefined when it demands none, or when the selector
 * cannot be read: an unreadable selector narrows nothing.
 */
export function requiredValue(selector: string, field: string): string | undefined {
  for (const term of splitTerms(selector)) {
    const match = /^([^=!\\]+)==?((?:[^=,\\]|\\[\\,=])*)$/.exec(term);
    if (match?.[1] === field) return (match[2] ?? '').replaceAll(/\\([\\,=])/g, '$1');
  }
  return undefined;
}

/** Splits at commas that no backslash escapes. */
function splitTerms(selector: string): readonly string[] {
  return selector.match(/(?:[^,\\]|\\.)+/g) ?? [];
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
