/** From what a request names to the served type, and to where its objects lie. */
import type { GroupResource } from '../../api/meta.ts';
import { resourceName } from '../../api/meta.ts';
import type { Kinds, ResourceType, Subresource } from '../../api/schema/kinds.ts';
import { builtinKinds, findSubresource } from '../../api/schema/kinds.ts';
import { StatusError, badRequest } from '../../api/status.ts';
import type { Key } from '../store/store.ts';
import type { Target } from './resources.ts';

export interface Address {
  readonly type: ResourceType;
  /** undefined: the object itself. */
  readonly subresource: Subresource | undefined;
  /** The resource as messages name it. */
  readonly of: GroupResource;
  readonly target: Target;
  /** What is served besides, such as the other versions of the same kind. */
  readonly kinds: Kinds;
}

/** What `target` addresses among `kinds`. Throws NotFound for what is not served, and BadRequest where namespace and scope disagree. */
export function addressOf(target: Target, kinds: Kinds = builtinKinds): Address {
  const type = kinds.find(target.group, target.version, target.resource);
  const subresource = type === undefined ? undefined : findSubresource(type, target.subresource);
  if (type === undefined || (target.subresource !== '' && subresource === undefined)) {
    throw new StatusError('NotFound', 'the server could not find the requested resource');
  }
  if (!type.namespaced && target.namespace !== '' && !(type.resource === 'namespaces' && type.group === '')) {
    throw badRequest(`${resourceName(type)} is not in a namespace`);
  }
  return { type, subresource, of: { group: type.group, resource: type.resource }, target, kinds };
}

/** The store's name of a type's objects; two faces of one kind share it. */
export function storageName(type: ResourceType): string {
  return resourceName(type.storage);
}

/** The key of one object of `type`. */
export function keyOf(type: ResourceType, namespace: string, name: string): Key {
  return { resource: storageName(type), namespace: type.namespaced ? namespace : '', name };
}

/** The verb is not offered on what is addressed. */
export function methodNotAllowed(): StatusError {
  return new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource');
}
