/**
 * Namespace lifecycle: objects are created in namespaces that exist and stay; the namespaces the cluster lives in are
 * not deleted. Source: kube-apiserver, admission plugin NamespaceLifecycle.
 */
import { StatusError, forbidden, notFound } from '../../api/status.ts';
import { at, fieldsOf } from '../../std/value.ts';
import type { Mutator, Validator } from './chain.ts';
import { groupResourceOf } from './group-resource.ts';

const immortal: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);

/** Refuses creation in a namespace that is not there (NotFound) or is being deleted (Forbidden). */
export const namespaceExists: Mutator = async ({ store }, request, object) => {
  if (request.operation !== 'CREATE' || !request.namespaced) return object;
  const key = { resource: 'namespaces', namespace: '', name: request.namespace };
  // What the cache has is good enough to let in; a refusal is never given on old news.
  let namespace = await store.get(key, { kind: 'any' });
  const isGoing = (): boolean => namespace?.object.metadata.deletionTimestamp !== undefined;
  if (namespace === undefined || isGoing()) namespace = await store.get(key, { kind: 'current' });
  if (namespace === undefined) throw notFound({ group: '', resource: 'namespaces' }, request.namespace);
  if (!isGoing() && at(namespace.object, 'status', 'phase') !== 'Terminating') return object;
  const of = groupResourceOf(request.resource);
  const why = `unable to create new content in namespace ${request.namespace} because it is being terminated`;
  const refused = forbidden(of, request.name, why);
  throw new StatusError('Forbidden', refused.message, {
    details: {
      ...fieldsOf(refused.details),
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${request.namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    },
  });
};

/** Refuses to delete the namespaces that the cluster lives in. */
export const keepsSystemNamespaces: Validator = async (_deps, request) => {
  if (request.operation !== 'DELETE' || request.resource !== 'namespaces' || !immortal.has(request.name)) return;
  throw forbidden({ group: '', resource: 'namespaces' }, request.name, 'this namespace may not be deleted');
};
