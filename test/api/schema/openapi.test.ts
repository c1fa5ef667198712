import { describe, expect, test } from 'vitest';
import { servedTypes } from '../../../src/api/schema/kinds.ts';
import { componentName, openApiDocuments, openApiIndex } from '../../../src/api/schema/openapi.ts';

type Tree = { readonly [key: string]: Tree };

const documents = openApiDocuments(servedTypes());
const read = (path: string): Tree => {
  const found = documents.find((one) => one.path === path);
  if (found === undefined) throw new Error(`no document ${path}`);
  return JSON.parse(found.json.toString()) as Tree;
};
const core = read('api/v1');
const schemaOf = (document: Tree, name: string): Tree | undefined => document['components']?.['schemas']?.[name];

describe('the index', () => {
  test('leads to each document under its hash, which is the same every time', () => {
    const { paths } = openApiIndex(documents) as { paths: Record<string, { serverRelativeURL: string }> };
    expect(paths['apis/apps/v1']?.serverRelativeURL).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{64}$/);
    expect(openApiDocuments(servedTypes()).map((one) => one.hash)).toEqual(documents.map((one) => one.hash));
  });
});

describe('a document', () => {
  test.for(documents.map((one) => ({ path: one.path })))('$path leads nowhere outside itself', ({ path }) => {
    const document = read(path);
    const text = JSON.stringify(document);
    const names = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(names.filter((name) => schemaOf(document, name) === undefined)).toEqual([]);
    expect(names.length).toBeGreaterThan(0);
  });

  test('has the merge keys and list types that a strategic merge needs', () => {
    const containers = schemaOf(core, 'io.k8s.api.core.v1.PodSpec')?.['properties']?.['containers'];
    expect(containers).toMatchObject({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      'x-kubernetes-patch-merge-key': 'name',
      'x-kubernetes-patch-strategy': 'merge',
    });
    const strategy = schemaOf(read('apis/apps/v1'), 'io.k8s.api.apps.v1.DeploymentSpec')?.['properties']?.['strategy'];
    expect(strategy).toMatchObject({ 'x-kubernetes-patch-strategy': 'retainKeys' });
  });

  test('says which fields are required, and which kind a schema is', () => {
    expect(schemaOf(core, 'io.k8s.api.core.v1.PodSpec')?.['required']).toEqual(['containers']);
    const kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
    const deployment = schemaOf(read('apis/apps/v1'), 'io.k8s.api.apps.v1.Deployment');
    expect(deployment?.['x-kubernetes-group-version-kind']).toEqual([kind]);
  });

  test('offers fieldValidation and dryRun on every PATCH of a kind', () => {
    for (const type of servedTypes().filter((one) => one.verbs.includes('patch'))) {
      const root = type.group === '' ? '/api/v1' : `/apis/${type.apiVersion}`;
      const path = `${root}${type.namespaced ? '/namespaces/{namespace}' : ''}/${type.resource}/{name}`;
      const patch = read(root.slice(1))['paths']?.[path]?.['patch'];
      expect(patch?.['x-kubernetes-group-version-kind']).toMatchObject({ kind: type.kind });
      const parameters = (patch?.['parameters'] ?? []) as unknown as readonly { name: string }[];
      const names = parameters.map((one) => one.name);
      expect(names).toEqual(expect.arrayContaining(['fieldValidation', 'dryRun', 'fieldManager', 'force']));
    }
  });

  test('describes every kind that people write', () => {
    const silent = servedTypes().filter(
      (type) =>
        schemaOf(
          read(type.group === '' ? 'api/v1' : `apis/${type.apiVersion}`),
          componentName(type.apiVersion, type.kind),
        )?.['description'] === undefined,
    );
    // Kinds of storage drivers, which people do not write by hand.
    expect(silent.map((type) => type.kind)).toEqual([
      'CSIDriver',
      'CSINode',
      'CSIStorageCapacity',
      'VolumeAttachment',
      'VolumeAttributesClass',
    ]);
  });
});
