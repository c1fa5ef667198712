/** Every verb on every stored resource: from the parsed request to the one write path and back. */
import { StatusError, badRequest } from '../../api/status.ts';
import { findSubresource, type ResourceType } from '../../api/schema/kinds.ts';
import type { AuditRow } from '../../audit/recorder.ts';
import type { Body, PatchType, Resources, Target } from '../../core/resources/resources.ts';
import type { Clock } from '../../std/clock.ts';
import type { Admitted, Authorizer } from '../chain.ts';
import { header, type Answer } from '../inbound.ts';
import type { Kinds } from '../kinds.ts';
import { negotiate } from '../negotiate.ts';
import { isTrue, type ResourceRequest } from '../request-info.ts';
import { pageNotFound, type ResourceHandler } from '../router.ts';
import { callOf, runWrite } from './call.ts';
import { listOptions, watchOptions, writeOptions, type WriteKind } from './options.ts';
import { renderList, renderObject, type Rendering, type TableMaker } from './render.ts';
import { watchAnswer } from './watch.ts';

/** What upstream takes for a request body. */
export const bodyLimitBytes = 3 * 1024 * 1024;

export interface ResourceRouteDeps {
  readonly resources: Resources<AuditRow>;
  readonly kinds: Kinds;
  readonly authorizer: Authorizer;
  readonly table: TableMaker;
  readonly clock: Clock;
  /** A number from 0 to 1, another each time. */
  readonly jitter: () => number;
}

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

/** Serves get, list, watch, create, update, patch, delete and deletecollection. Throws NotFound and MethodNotAllowed for what is not served. */
export function resourceRoute(deps: ResourceRouteDeps): ResourceHandler {
  return async (request, info) => {
    const type = await deps.kinds.findCurrent(info.group, info.version, info.resource);
    // Authorization was asked before a kind that is new here was known: its scope is checked again.
    if (type === undefined || (!type.namespaced && info.inNamespace)) throw pageNotFound();
    requireServed(type, info);
    if (type.custom?.deprecation !== undefined) request.warnings.add(type.custom.deprecation);
    const target = targetOf(info, type);
    const { query } = info;
    // Negotiated before anything is done: a change must not be made and then answered 406.
    const as: Rendering = {
      type,
      format: negotiate(header(request.inbound, 'accept'), query.get('includeObject') ?? ''),
      pretty: isTrue(query.get('pretty')),
      now: deps.clock.now(),
      table: deps.table,
    };
    switch (info.verb) {
      case 'get': {
        const options = {
          resourceVersion: query.get('resourceVersion') ?? '',
          resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
        };
        const { object, json } = await deps.resources.get(callOf(request, deps.authorizer), target, options);
        return renderObject(200, object, json, as);
      }
      case 'list':
        return renderList(await deps.resources.list(callOf(request, deps.authorizer), target, listOptions(query)), as);
      case 'watch': {
        const options = watchOptions(query, deps.jitter);
        return watchAnswer(deps.resources.watch(callOf(request, deps.authorizer), target, options), as, deps);
      }
      default:
        return write(deps, request, info, target, as);
    }
  };
}

async function write(
  { resources, authorizer }: ResourceRouteDeps,
  request: Admitted,
  { verb, query }: ResourceRequest,
  target: Target,
  as: Rendering,
): Promise<Answer> {
  const contentType = (header(request.inbound, 'content-type').split(';')[0] ?? '').trim().toLowerCase();
  const patchType = verb === 'patch' ? patchTypeOf(contentType) : undefined;
  const options = writeOptions(query, header(request.inbound, 'user-agent'), kindOfWrite(verb, patchType));
  const body: Body = { bytes: await request.inbound.body(bodyLimitBytes), contentType };
  if (verb === 'deletecollection') {
    const list = listOptions(query);
    const deleted = await runWrite(request, authorizer, (call) =>
      resources.deleteCollection(call, target, body, list, options),
    );
    return renderList(deleted, as);
  }
  const { code, object } = await runWrite(request, authorizer, (call) => {
    if (patchType !== undefined) return resources.patch(call, target, patchType, body, options);
    switch (verb) {
      case 'create':
        return resources.create(call, target, body, options);
      case 'update':
        return resources.update(call, target, body, options);
      case 'delete':
        return resources.delete(call, target, body, options);
      default:
        throw methodNotAllowed();
    }
  });
  return renderObject(code, object, undefined, as);
}

function kindOfWrite(verb: string, patchType: PatchType | undefined): WriteKind {
  if (patchType !== undefined) return patchType === 'apply' ? 'apply' : 'patch';
  return verb === 'create' || verb === 'update' ? verb : 'delete';
}

function patchTypeOf(contentType: string): PatchType {
  const type = Object.hasOwn(patchTypes, contentType) ? patchTypes[contentType] : undefined;
  if (type !== undefined) return type;
  const accepted = Object.keys(patchTypes).join(', ');
  throw new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
  );
}

/** Throws NotFound for an unknown subresource, MethodNotAllowed for a verb that is not served, BadRequest for a missing or needless namespace. */
function requireServed(type: ResourceType, info: ResourceRequest): void {
  const { verb, subresource, pathName } = info;
  if (info.rest !== '') throw pageNotFound();
  const sub = subresource === '' ? undefined : findSubresource(type, subresource);
  if (subresource !== '' && sub === undefined) throw pageNotFound();
  const served = sub === undefined ? type.verbs : sub.verbs;
  // POST to a name without a subresource, and PUT or PATCH without a name, address nothing.
  const fits =
    subresource !== '' || (verb === 'create') === (pathName === '') || !['create', 'update', 'patch'].includes(verb);
  if (!served.includes(verb) || !fits) throw methodNotAllowed();
  const acrossNamespaces = verb === 'list' || verb === 'watch';
  if (type.namespaced && !info.inNamespace && !acrossNamespaces) {
    throw badRequest(`an object of ${type.resource} lies in a namespace: /namespaces/NAMESPACE/${type.resource}`);
  }
}

function targetOf(info: ResourceRequest, type: ResourceType): Target {
  const { group, version, resource, subresource, pathName } = info;
  return { group, version, resource, subresource, namespace: type.namespaced ? info.namespace : '', name: pathName };
}

function methodNotAllowed(): StatusError {
  return new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource');
}
