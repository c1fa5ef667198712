/**
 * Takes secret values out of what is recorded, before its bytes exist: nothing downstream (hashing, sinks, segments) can
 * leak what it never had. A value is known as secret by the kind around it (Secret, TokenRequest, TokenReview), by the
 * resource that was addressed (a patch has no kind), or by its name (last-applied annotation).
 *
 * Keys stay: that `data.password` was changed is what an auditor wants to see; what it was changed to is not.
 */

/** Stands where a value was. */
export const redacted = '[redacted]';

const tooDeep = '[nested too deeply]';
const maxDepth = 100; // chosen, not measured: API objects stay under 30
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** The resource that a body was sent to or came from. */
export interface Addressed {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
}

type Members = Readonly<Record<string, unknown>>;

/**
 * A copy of `body` without secret values and, where asked, without managedFields. `body` is an object, a List, a watch
 * event, a Table, or a patch of any type (a JSON Patch is an array). Never changes `body`.
 */
export function redactBody(body: unknown, addressed: Addressed, omitManagedFields: boolean): unknown {
  const sensitive = holdsSecrets(addressed);
  // What could not be decoded is bytes or text: nobody can tell what is in it.
  if (typeof body !== 'object') return sensitive && body !== undefined ? redacted : body;
  if (body === null) return null;
  if (Buffer.isBuffer(body)) return redacted;
  if (Array.isArray(body)) return body.map((operation) => redactOperation(operation, sensitive, omitManagedFields));
  return redactObject(body as Members, sensitive, omitManagedFields, 0);
}

function holdsSecrets({ group, resource, subresource }: Addressed): boolean {
  if (group === '' && resource === 'secrets') return true;
  if (group === '' && resource === 'serviceaccounts' && subresource === 'token') return true;
  return group === 'authentication.k8s.io' && resource === 'tokenreviews';
}

const secretKinds: readonly unknown[] = ['Secret', 'SecretList', 'TokenRequest', 'TokenReview'];

/** `sensitive` says what the context knows; the object's own kind can only add to it. */
function redactObject(object: Members, sensitive: boolean, omitManagedFields: boolean, depth: number): unknown {
  if (depth >= maxDepth) return tooDeep;
  const secret = sensitive || secretKinds.includes(object['kind']);
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(object)) {
    if (omitManagedFields && name === 'managedFields') continue;
    define(copy, name, redactMember(name, object[name], secret, { omitManagedFields, depth: depth + 1 }));
  }
  return copy;
}

interface Walk {
  readonly omitManagedFields: boolean;
  readonly depth: number;
}

/** Where the secret parts of an object lie deeper than its top: a List's items, a token's spec and status, a watch event's and a Table row's object. */
const deeper: readonly string[] = ['items', 'object', 'rows', 'spec', 'status'];

function redactMember(name: string, value: unknown, secret: boolean, walk: Walk): unknown {
  if (name === lastApplied && value !== null) return redacted;
  if (secret && (name === 'data' || name === 'stringData')) return redactValues(value);
  if (secret && name === 'token') return value === '' || value === null ? value : redacted;
  if (typeof value !== 'object' || value === null) return value;
  const inner = secret && deeper.includes(name);
  if (Array.isArray(value)) return redactArray(value, inner, walk);
  return redactObject(value as Members, inner, walk.omitManagedFields, walk.depth);
}

function redactArray(values: readonly unknown[], secret: boolean, walk: Walk): unknown {
  if (walk.depth >= maxDepth) return tooDeep;
  return values.map((value) => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return redactArray(value, secret, { ...walk, depth: walk.depth + 1 });
    return redactObject(value as Members, secret, walk.omitManagedFields, walk.depth);
  });
}

/** Each value of a map goes, its keys stay. A null stays: in a patch it deletes the key. */
function redactValues(values: unknown): unknown {
  if (values === null || values === undefined) return values;
  if (typeof values !== 'object' || Array.isArray(values)) return redacted;
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) define(copy, name, value === null ? null : redacted);
  return copy;
}

/** One operation of a JSON Patch: `{ op, path, value }`. */
function redactOperation(operation: unknown, sensitive: boolean, omitManagedFields: boolean): unknown {
  if (typeof operation !== 'object' || operation === null || Array.isArray(operation)) {
    return sensitive ? redacted : operation;
  }
  const members = operation as Members;
  if (!('value' in members)) return redactObject(members, false, omitManagedFields, 0);
  const { value, ...rest } = members;
  const path = typeof rest['path'] === 'string' ? rest['path'] : '';
  const wholly = sensitive || path.endsWith(`/${lastApplied.replace('/', '~1')}`);
  const kept = wholly ? redacted : redactBody(value, { group: '', resource: '', subresource: '' }, omitManagedFields);
  return { ...rest, value: kept };
}

/** A member named __proto__ must stay a member. */
function define(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[name] = value;
  }
}

const secretParameters = /^(token|access_token|id_token|refresh_token|bearer|authorization|password|client_secret)$/i;

/** `uri` (path and query) without the values of query parameters that carry credentials. */
export function redactURI(uri: string): string {
  const mark = uri.indexOf('?');
  if (mark < 0) return uri;
  const pairs = uri.slice(mark + 1).split('&');
  const kept = pairs.map((pair) => {
    const equals = pair.indexOf('=');
    return equals >= 0 && secretParameters.test(decoded(pair.slice(0, equals)))
      ? `${pair.slice(0, equals)}=${redacted}`
      : pair;
  });
  return `${uri.slice(0, mark)}?${kept.join('&')}`;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // a malformed escape is no known name
  }
}

const bearer = /\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi;

/** `text` (a user agent, a message) without anything that looks like an Authorization header's value. */
export function redactText(text: string): string {
  return text.replace(bearer, `$1 ${redacted}`);
}
