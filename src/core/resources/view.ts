/**
 * How a subresource shows an object, and which part of a write through it counts. The main resource shows all and
 * owns all but the status; /status owns the status; /scale shows a Scale. Pure.
 */
import type { KubeObject } from '../../api/meta.ts';
import type { ResourceType, Subresource } from '../../api/schema/kinds.ts';
import { at, fieldsOf, listOf, withAt } from '../../std/value.ts';
import { methodNotAllowed } from './address.ts';
import { toServed } from './faces.ts';
import { scaleOf, withScale } from './kinds/scale.ts';
import { changed, counting, statusChanged } from './strategy.ts';

export interface View {
  /** What the client sees of a stored object. */
  readonly of: (stored: KubeObject) => KubeObject;
  /** The stored object after the client's `next` view of it, which has been brought to the stored version. */
  readonly into: (next: KubeObject, old: KubeObject) => KubeObject;
  /** Sets generation after everything else has changed. */
  readonly count: (next: KubeObject, old: KubeObject) => KubeObject;
}

/** The view of `type` through `subresource`. Throws MethodNotAllowed for one that shows no object (log, exec). */
export function viewOf(type: ResourceType, subresource: Subresource | undefined): View {
  const of = (stored: KubeObject): KubeObject => toServed(type, stored);
  const count = (next: KubeObject, old: KubeObject): KubeObject => counting(type, next, old);
  const only = (...path: readonly string[]): View => ({
    of,
    count,
    into: (next, old) => ({ ...withAt(old, path, at(next, ...path)), metadata: claimedBy(next, old) }) as KubeObject, // old with one part changed
  });
  switch (subresource?.name) {
    case undefined:
      return { of, count, into: (next, old) => changed(type, next, old) };
    case 'status':
      return { of, count: (next) => next, into: (next, old) => statusChanged(type, next, old) };
    case 'scale':
      return { of: (stored) => scaleOf(type, stored), count, into: (next, old) => withScale(type, next, old) };
    case 'approval':
      return { ...only('status', 'conditions'), count: (next) => next };
    case 'finalize':
      return only('spec', 'finalizers');
    case 'ephemeralcontainers':
      return only('spec', 'ephemeralContainers');
    case 'resize':
      return { of, count, into: withResources };
    default:
      throw methodNotAllowed();
  }
}

function claimedBy(next: KubeObject, old: KubeObject): KubeObject['metadata'] {
  const { resourceVersion } = next.metadata;
  return resourceVersion === undefined ? old.metadata : { ...old.metadata, resourceVersion };
}

/** Each container's resources and resize policy from `next`, everything else from `old`. */
function withResources(next: KubeObject, old: KubeObject): KubeObject {
  const wanted = new Map(listOf(at(next, 'spec', 'containers')).map((container) => [at(container, 'name'), container]));
  const containers = listOf(at(old, 'spec', 'containers')).map((container) => {
    const { resources } = fieldsOf(wanted.get(at(container, 'name')));
    return resources === undefined ? container : { ...fieldsOf(container), resources };
  });
  return { ...old, metadata: claimedBy(next, old), spec: { ...fieldsOf(old['spec']), containers } };
}
