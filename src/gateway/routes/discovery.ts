/** What this server offers: /api, /apis and below, aggregated (v2, v2beta1) and plain. Source: Kubernetes API concepts, discovery. */
import type { ResourceType, Subresource } from '../../api/schema/kinds.ts';
import { apiVersionOf } from '../../api/meta.ts';
import { header, jsonAnswer, type Answer } from '../inbound.ts';
import type { Kinds } from '../kinds.ts';
import { negotiateAs } from '../negotiate.ts';
import { pageNotFound, type PathHandler } from '../router.ts';

const group = 'apidiscovery.k8s.io';
const kind = 'APIGroupDiscoveryList';
const aggregatedForms = [
  { group, version: 'v2', kind },
  { group, version: 'v2beta1', kind },
];

/** /api: the core group. `address` is where clients reach this server. */
export function coreDiscovery(kinds: Kinds, address: string): PathHandler {
  return ({ inbound }) =>
    aggregatedOr(
      header(inbound, 'accept'),
      () => grouped(kinds).filter(({ name }) => name === ''),
      () => ({
        kind: 'APIVersions',
        versions: ['v1'],
        serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
      }),
    );
}

/** /apis: every named group. */
export function groupsDiscovery(kinds: Kinds): PathHandler {
  return ({ inbound }) =>
    aggregatedOr(
      header(inbound, 'accept'),
      () => named(kinds),
      () => ({
        kind: 'APIGroupList',
        apiVersion: 'v1',
        groups: named(kinds).map(plainGroup),
      }),
    );
}

/** /api/v1, /apis/GROUP and /apis/GROUP/VERSION. Throws NotFound for what is not served. */
export function groupDiscovery(kinds: Kinds): PathHandler {
  return (_request, { path }) => {
    const [, prefix, first = '', second, more] = path.split('/');
    if (more !== undefined) throw pageNotFound();
    if (prefix === 'api') return resourceList(kinds, '', first);
    if (second !== undefined) return resourceList(kinds, first, second);
    const found = named(kinds).find(({ name }) => name === first);
    if (found === undefined) throw pageNotFound();
    return jsonAnswer(200, { kind: 'APIGroup', apiVersion: 'v1', ...plainGroup(found) });
  };
}

interface Group {
  readonly name: string;
  readonly versions: ReadonlyMap<string, readonly ResourceType[]>;
}

function grouped(kinds: Kinds): readonly Group[] {
  const groups = new Map<string, Map<string, ResourceType[]>>();
  for (const type of kinds.all()) {
    const versions = groups.get(type.group) ?? new Map<string, ResourceType[]>();
    groups.set(type.group, versions);
    versions.set(type.version, [...(versions.get(type.version) ?? []), type]);
  }
  return [...groups].map(([name, versions]) => ({ name, versions }));
}

function named(kinds: Kinds): readonly Group[] {
  return grouped(kinds).filter(({ name }) => name !== '');
}

function aggregatedOr(accept: string, groups: () => readonly Group[], plain: () => object): Answer {
  const form = aggregatedForms[negotiateAs(accept, aggregatedForms) ?? -1];
  if (form === undefined) return jsonAnswer(200, plain());
  const apiVersion = `${group}/${form.version}`;
  const answer = jsonAnswer(
    200,
    { kind, apiVersion, metadata: {}, items: groups().map(aggregatedGroup) },
    { vary: 'Accept' },
  );
  return { ...answer, contentType: `application/json;g=${group};v=${form.version};as=${kind}` };
}

function aggregatedGroup({ name, versions }: Group): object {
  return {
    metadata: name === '' ? { creationTimestamp: null } : { name, creationTimestamp: null },
    versions: [...versions].map(([version, types]) => ({
      version,
      resources: types.map(aggregatedResource),
      freshness: 'Current',
    })),
  };
}

function aggregatedResource(type: ResourceType): object {
  return {
    resource: type.resource,
    responseKind: responseKind(type),
    scope: type.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: type.singular,
    verbs: type.verbs,
    ...optionalNames(type),
    ...(type.subresources.length === 0 ? {} : { subresources: type.subresources.map(aggregatedSubresource) }),
  };
}

function aggregatedSubresource(sub: Subresource): object {
  return { subresource: sub.name, responseKind: responseKind(sub), verbs: sub.verbs };
}

function responseKind({ group, version, kind }: ResourceType | Subresource): object {
  return { group, version, kind };
}

function plainGroup({ name, versions }: Group): object {
  const listed = [...versions.keys()].map((version) => ({ groupVersion: apiVersionOf(name, version), version }));
  return { name, versions: listed, preferredVersion: listed[0] };
}

function resourceList(kinds: Kinds, group: string, version: string): Answer {
  const types = kinds.all().filter((type) => type.group === group && type.version === version);
  if (types.length === 0) throw pageNotFound();
  const resources = types.flatMap((type) => [
    plainResource(type),
    ...type.subresources.map((sub) => plainSubresource(type, sub)),
  ]);
  return jsonAnswer(200, {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(group, version),
    resources,
  });
}

function plainResource(type: ResourceType): object {
  const { resource, singular, namespaced, kind, verbs } = type;
  return { name: resource, singularName: singular, namespaced, kind, verbs, ...optionalNames(type) };
}

function plainSubresource(type: ResourceType, sub: Subresource): object {
  const own = sub.group === type.group && sub.version === type.version;
  return {
    name: `${type.resource}/${sub.name}`,
    singularName: '',
    namespaced: type.namespaced,
    ...(own ? {} : { group: sub.group, version: sub.version }),
    kind: sub.kind,
    verbs: sub.verbs,
  };
}

function optionalNames({ shortNames, categories }: ResourceType): object {
  return {
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  };
}
