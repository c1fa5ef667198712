import { describe, expect, test } from 'vitest';
import {
  aggregatedDiscovery,
  coreVersions,
  groupDocument,
  groupList,
  resourceList,
} from '../../../src/api/schema/discovery.ts';
import { servedTypes } from '../../../src/api/schema/kinds.ts';

const types = servedTypes();

describe('aggregated discovery', () => {
  test('keeps the core group under /api and all others under /apis', () => {
    const core = aggregatedDiscovery(types, 'api', 'v2');
    const named = aggregatedDiscovery(types, 'apis', 'v2beta1');
    expect(core.apiVersion).toBe('apidiscovery.k8s.io/v2');
    expect(core.items.map((item) => item.versions?.map((v) => v.version))).toEqual([['v1']]);
    expect(named.apiVersion).toBe('apidiscovery.k8s.io/v2beta1');
    expect(named.items.map((item) => item.metadata?.name)).toEqual(expect.arrayContaining(['apps', 'batch']));
  });

  test('lists a resource with its subresources', () => {
    const [core] = aggregatedDiscovery(types, 'api', 'v2').items;
    const pods = core?.versions?.[0]?.resources?.find((one) => one.resource === 'pods');
    expect(pods).toMatchObject({
      responseKind: { group: '', version: 'v1', kind: 'Pod' },
      scope: 'Namespaced',
      singularResource: 'pod',
      shortNames: ['po'],
      categories: ['all'],
    });
    expect(pods?.subresources).toContainEqual({
      subresource: 'eviction',
      responseKind: { group: 'policy', version: 'v1', kind: 'Eviction' },
      verbs: ['create'],
    });
  });
});

describe('plain discovery', () => {
  test('names versions, the preferred one first', () => {
    expect(coreVersions(types).versions).toEqual(['v1']);
    expect(groupDocument(types, 'autoscaling')).toMatchObject({
      versions: [{ groupVersion: 'autoscaling/v2' }, { groupVersion: 'autoscaling/v1' }],
      preferredVersion: { groupVersion: 'autoscaling/v2', version: 'v2' },
    });
    expect(groupList(types).groups.map((group) => group.name)).not.toContain('');
  });

  test('lists subresources beside their resource, with their own kind', () => {
    expect(resourceList(types, 'apps/v1')?.resources).toContainEqual({
      name: 'deployments/scale',
      singularName: '',
      namespaced: true,
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get', 'patch', 'update'],
    });
  });

  test('knows nothing of what is not served', () => {
    expect(groupDocument(types, 'nope')).toBeUndefined();
    expect(groupDocument(types, '')).toBeUndefined();
    expect(resourceList(types, 'apps/v9')).toBeUndefined();
  });
});
