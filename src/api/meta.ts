/**
 * What every object of the API has: its type, and its metadata. The generated types of each group build on these.
 * Source: Kubernetes API concepts; field names from meta/v1.
 */
import type { ObjectMeta } from './types/meta.ts';

/** Any object as it travels: the parts every kind has, the rest unknown. Never changed in place once shared. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** A resource, apart from its version: `{ group: 'apps', resource: 'deployments' }`. The core group is ''. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/** One spelling of a resource for keys and messages, as kubectl prints it: `pods`, `deployments.apps`. */
export function resourceName({ group, resource }: GroupResource): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/** `apps/v1` to its two parts; `v1` is version v1 of the core group ''. */
export function parseApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf('/');
  return slash < 0
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** The two parts of an apiVersion as it is written on objects. */
export function apiVersionOf(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`;
}
