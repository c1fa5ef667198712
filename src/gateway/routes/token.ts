/** TokenRequest: `POST …/serviceaccounts/NAME/token`. Source: Kubernetes authentication.k8s.io/v1 TokenRequest. */
import type { KubeObject } from '../../api/meta.ts';
import { findSubresource } from '../../api/schema/kinds.ts';
import { StatusError, badRequest, forbidden, invalid, notFound } from '../../api/status.ts';
import type { TokenRequest } from '../../api/types/authentication.ts';
import type { User } from '../../api/user.ts';
import { rfc3339, type Clock } from '../../std/clock.ts';
import type { BoundObject, TokenClaims, TokenIssuer } from '../authn/service-account.ts';
import { jsonAnswer } from '../inbound.ts';
import type { Kinds } from '../kinds.ts';
import { pageNotFound, type ResourceHandler } from '../router.ts';
import { dryRun } from './options.ts';
import { decodeRequest } from './reviews.ts';

/** Reads one object as it is now, or undefined. */
export type ReadObject = (resource: string, namespace: string, name: string) => Promise<KubeObject | undefined>;

const defaultSeconds = 3600;
const leastSeconds = 600;
/** A day. Chosen: rotation is automatic in pods, and a stolen token should not last. */
const mostSeconds = 24 * 3600;

/** Issues tokens. Throws NotFound, Invalid, Conflict (another uid), Forbidden (a node for a pod that is not its own). */
export function tokenRoute(deps: {
  readonly kinds: Kinds;
  readonly issuer: TokenIssuer;
  readonly read: ReadObject;
  readonly clock: Clock;
}): ResourceHandler {
  return async (request, info) => {
    const type = deps.kinds.find(info.group, info.version, info.resource);
    const expected = type === undefined ? undefined : findSubresource(type, 'token');
    if (expected === undefined || info.verb !== 'create' || !info.inNamespace) throw pageNotFound();
    const asked = (await decodeRequest(request, info, expected)) as unknown as TokenRequest;
    const { namespace, pathName } = info;
    const account = await deps.read('serviceaccounts', namespace, pathName);
    if (account === undefined) throw notFound({ group: '', resource: 'serviceaccounts' }, pathName);
    const seconds = lifetime(asked);
    const claims = await bind(asked, { namespace, serviceAccount: boundTo(account) }, deps.read);
    requireOwnPod(request.user, claims, pathName);
    const audiences = asked.spec.audiences ?? [];
    const granted = audiences.length === 0 ? deps.issuer.defaultAudiences : audiences;
    if (dryRun(info.query)) throw badRequest('a token cannot be requested by a dry run: it would be valid');
    const { token, expiresAt, id } = await deps.issuer.issue(claims, { audiences: granted, seconds });
    request.recording.annotate('authentication.kubernetes.io/issued-credential-id', `JTI=${id}`);
    return jsonAnswer(201, {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name: pathName, namespace, creationTimestamp: rfc3339(deps.clock.now()) },
      spec: { ...asked.spec, audiences: granted, expirationSeconds: seconds },
      status: { token, expirationTimestamp: rfc3339(expiresAt) },
    });
  };
}

function lifetime({ spec }: TokenRequest): number {
  const seconds = spec.expirationSeconds ?? defaultSeconds;
  if (seconds < leastSeconds) {
    const message = `Invalid value: ${seconds}: may not specify a duration less than 10 minutes`;
    throw invalid('authentication.k8s.io', 'TokenRequest', '', [
      { reason: 'FieldValueInvalid', message, field: 'spec.expirationSeconds' },
    ]);
  }
  return Math.min(seconds, mostSeconds);
}

async function bind(
  { spec }: TokenRequest,
  account: { readonly namespace: string; readonly serviceAccount: BoundObject },
  read: ReadObject,
): Promise<TokenClaims> {
  const unbound: TokenClaims = { ...account, pod: undefined, secret: undefined, node: undefined };
  const reference = spec.boundObjectRef;
  if (reference === undefined) return unbound;
  const { kind = '', name = '', uid = '' } = reference;
  const resource = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' }[kind];
  if (resource === undefined) throw badRequest(`cannot bind token to object of type ${JSON.stringify(kind)}`);
  const object = await read(resource, resource === 'nodes' ? '' : account.namespace, name);
  if (object === undefined) throw notFound({ group: '', resource }, name);
  if (uid !== '' && uid !== object.metadata.uid) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw new StatusError('Conflict', `Operation cannot be fulfilled on ${resource} "${name}": ${why}`);
  }
  switch (resource) {
    case 'secrets':
      return { ...unbound, secret: boundTo(object) };
    case 'nodes':
      return { ...unbound, node: boundTo(object) };
    default:
      return { ...unbound, pod: boundTo(object), node: await nodeOf(object, account.serviceAccount.name, read) };
  }
}

async function nodeOf(pod: KubeObject, account: string, read: ReadObject): Promise<BoundObject | undefined> {
  const { serviceAccountName, nodeName } = podSpec(pod);
  if (serviceAccountName !== account) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
    );
  }
  if (nodeName === undefined || nodeName === '') return undefined;
  const node = await read('nodes', '', nodeName);
  return node === undefined ? undefined : boundTo(node);
}

function podSpec(pod: KubeObject): { readonly serviceAccountName?: string; readonly nodeName?: string } {
  return pod['spec'] ?? {};
}

/** A node may ask for tokens of the pods that run on it and for nothing else. Source: NodeRestriction admission. */
function requireOwnPod(user: User, { pod, node }: TokenClaims, account: string): void {
  if (!user.groups.includes('system:nodes')) return;
  const own = pod !== undefined && node !== undefined && user.name === `system:node:${node.name}`;
  if (!own)
    throw forbidden(
      { group: '', resource: 'serviceaccounts' },
      account,
      'a node may request a token only for a pod that is bound to it',
    );
}

function boundTo({ metadata }: KubeObject): BoundObject {
  return { name: metadata.name ?? '', uid: metadata.uid ?? '' };
}
