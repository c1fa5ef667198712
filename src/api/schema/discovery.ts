/**
 * What the API says it serves: the aggregated documents (all of it in one answer, apidiscovery.k8s.io) and the plain
 * ones, group by group. Plain data from the kind table; the gateway picks the one that was asked for.
 * Source: Kubernetes API concepts, "Discovery API".
 */
import { parseApiVersion } from '../meta.ts';
import type { APIGroupDiscovery, APIGroupDiscoveryList, APIResourceDiscovery } from '../types/apidiscovery-v2.ts';
import type { APIGroup, APIGroupList, APIResource, APIResourceList, APIVersions } from '../types/meta.ts';
import type { ResourceType, Subresource } from './kinds.ts';

type Types = readonly ResourceType[];

/** Everything under `/api` (the core group) or `/apis` (the named groups), in the version of the format that was asked for. */
export function aggregatedDiscovery(
  types: Types,
  root: 'api' | 'apis',
  format: 'v2' | 'v2beta1',
): APIGroupDiscoveryList & { readonly items: readonly APIGroupDiscovery[] } {
  const groups = groupNames(types).filter((group) => (group === '') === (root === 'api'));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${format}`,
    metadata: {},
    items: groups.map((group) => groupDiscovery(types, group)),
  };
}

/** `GET /api`: the versions of the core group. */
export function coreVersions(types: Types): APIVersions & Header {
  return {
    kind: 'APIVersions',
    versions: versionsOf(types, ''),
    serverAddressByClientCIDRs: [], // the address the client has already is the right one
  };
}

/** `GET /apis`: the named groups with their versions, the preferred one first. */
export function groupList(types: Types): APIGroupList & Header {
  const groups = groupNames(types).filter((group) => group !== '');
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.flatMap((group) => groupDocument(types, group) ?? []),
  };
}

/** `GET /apis/GROUP`, or undefined when nothing of that group is served. */
export function groupDocument(types: Types, group: string): (APIGroup & Header) | undefined {
  const versions = versionsOf(types, group).map((version) => ({ groupVersion: `${group}/${version}`, version }));
  const [preferredVersion] = versions;
  if (group === '' || preferredVersion === undefined) return undefined;
  return {
    kind: 'APIGroup',
    apiVersion: 'v1',
    name: group,
    versions,
    preferredVersion,
    serverAddressByClientCIDRs: [],
  };
}

/** `GET /api/v1` and `GET /apis/GROUP/VERSION`: the resources of one version, or undefined when there are none. */
export function resourceList(types: Types, apiVersion: string): (APIResourceList & Header) | undefined {
  const { group, version } = parseApiVersion(apiVersion);
  const served = types.filter((type) => type.group === group && type.version === version);
  if (served.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersion,
    resources: served.flatMap((type) => [resource(type), ...type.subresources.map((sub) => subresource(type, sub))]),
  };
}

interface Header {
  readonly kind: string;
  readonly apiVersion?: string;
}

function groupNames(types: Types): readonly string[] {
  return [...new Set(types.map((type) => type.group))];
}

function versionsOf(types: Types, group: string): readonly string[] {
  return [...new Set(types.filter((type) => type.group === group).map((type) => type.version))];
}

function groupDiscovery(types: Types, group: string): APIGroupDiscovery {
  return {
    metadata: group === '' ? {} : { name: group },
    versions: versionsOf(types, group).map((version) => ({
      version,
      freshness: 'Current',
      resources: types.filter((type) => type.group === group && type.version === version).map(resourceDiscovery),
    })),
  };
}

function resourceDiscovery(type: ResourceType): APIResourceDiscovery {
  const { group, version, kind } = type;
  return {
    resource: type.resource,
    responseKind: { group, version, kind },
    scope: type.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: type.singular,
    verbs: type.verbs,
    ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
    ...(type.categories.length === 0 ? {} : { categories: type.categories }),
    ...(type.subresources.length === 0
      ? {}
      : {
          subresources: type.subresources.map((sub) => ({
            subresource: sub.name,
            responseKind: { group: sub.group, version: sub.version, kind: sub.kind },
            verbs: sub.verbs,
          })),
        }),
  };
}

function resource(type: ResourceType): APIResource {
  return {
    name: type.resource,
    singularName: type.singular,
    namespaced: type.namespaced,
    kind: type.kind,
    verbs: type.verbs,
    ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
    ...(type.categories.length === 0 ? {} : { categories: type.categories }),
  };
}

function subresource(type: ResourceType, sub: Subresource): APIResource {
  const elsewhere = sub.group !== type.group || sub.version !== type.version;
  return {
    name: `${type.resource}/${sub.name}`,
    singularName: '',
    namespaced: type.namespaced,
    ...(elsewhere ? { group: sub.group, version: sub.version } : {}),
    kind: sub.kind,
    verbs: sub.verbs,
  };
}
