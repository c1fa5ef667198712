import { describe, expect, test } from 'vitest';
import { columnsOf, toTable } from '../../../../src/api/schema/columns.ts';
import { byPriority, customTypes } from '../../../../src/api/schema/custom/kind.ts';
import type { Schema } from '../../../../src/api/schema/form.ts';
import type { ResourceType } from '../../../../src/api/schema/kinds.ts';
import { openApiDocuments } from '../../../../src/api/schema/openapi.ts';
import type { KubeObject } from '../../../../src/api/meta.ts';
import { cronTab, established, schemaOf } from '../../../support/definitions.ts';

function typesOf(definition: object): readonly ResourceType[] {
  return customTypes(established(definition as never) as unknown as KubeObject, new AbortController().signal);
}
function typeOf(more: Parameters<typeof cronTab>[0] = {}): ResourceType {
  const [type] = typesOf(cronTab(more));
  if (type === undefined) throw new Error('nothing is served');
  return type;
}
const fieldOf = (type: ResourceType, ...path: readonly string[]): Schema | undefined =>
  path.reduce<Schema | undefined>(
    (schema, name) => (schema?.kind === 'object' ? schema.fields.get(name)?.schema : undefined),
    type.schema,
  );

describe('a definition', () => {
  test('serves a type like a built-in one, stored under its own group', () => {
    expect(typeOf()).toMatchObject({
      group: 'stable.example.com',
      version: 'v1',
      apiVersion: 'stable.example.com/v1',
      resource: 'crontabs',
      singular: 'crontab',
      kind: 'CronTab',
      listKind: 'CronTabList',
      namespaced: true,
      shortNames: ['ct'],
      subresources: [],
      storage: { group: 'stable.example.com', version: 'v1', resource: 'crontabs' },
    });
  });

  test('serves the subresources that it declares', () => {
    const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
    const type = typeOf({ version: { subresources: { status: {}, scale } } });
    expect(type.subresources.map((sub) => [sub.name, sub.kind])).toEqual([
      ['status', 'CronTab'],
      ['scale', 'Scale'],
    ]);
    expect(type.custom?.scale).toEqual({
      specReplicas: ['spec', 'replicas'],
      statusReplicas: ['status', 'replicas'],
      selector: undefined,
    });
  });

  test('that is being deleted serves no verb that makes or changes anything', () => {
    expect(typeOf({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }).verbs).toEqual([
      'delete',
      'deletecollection',
      'get',
      'list',
      'watch',
    ]);
  });

  test('serves its versions by priority, and none that is switched off', () => {
    const version = (name: string, served = true): object => ({ name, served, storage: name === 'v1' });
    const versions = ['v1beta1', 'v1', 'v2', 'v1alpha2', 'custom'].map((name) => version(name));
    const served = typesOf(cronTab({ spec: { versions: [...versions, version('v3', false)] } }));
    expect(served.map((type) => type.version)).toEqual(['v2', 'v1', 'v1beta1', 'v1alpha2', 'custom']);
    expect(served.map((type) => type.storage.version)).toEqual(['v1', 'v1', 'v1', 'v1', 'v1']);
  });
});

test('versions are ordered as Kubernetes orders them', () => {
  const ordered = ['v10', 'v2', 'v1', 'v11beta2', 'v10beta3', 'v3beta1', 'v12alpha1', 'v11alpha2', 'foo1', 'foo10'];
  expect(ordered.toReversed().toSorted(byPriority)).toEqual(ordered);
});

describe('the form of a custom kind', () => {
  const spec = {
    type: 'object',
    properties: {
      port: { 'x-kubernetes-int-or-string': true },
      count: { type: 'integer', format: 'int32' },
      items: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        items: { type: 'object', properties: { name: { type: 'string' } } },
      },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
      one: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: {} },
      free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      pod: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
    },
  };
  const type = typeOf({ schema: schemaOf(spec) });

  test.for<{ readonly field: string; readonly is: object }>([
    { field: 'port', is: { kind: 'int-or-string' } },
    { field: 'count', is: { kind: 'integer', bits: 32 } },
    { field: 'items', is: { kind: 'list', listType: 'map', mapKeys: ['name'] } },
    { field: 'labels', is: { kind: 'map', values: { kind: 'string' }, atomic: false } },
    { field: 'one', is: { kind: 'object', atomic: true } },
    { field: 'free', is: { kind: 'object', open: true } },
  ])('$field is $is', ({ field, is }) => {
    expect(fieldOf(type, 'spec', field)).toMatchObject(is);
  });

  test('an embedded object has metadata of its own', () => {
    expect(fieldOf(type, 'spec', 'pod', 'metadata', 'labels')).toMatchObject({ kind: 'map' });
  });

  test('the root has the metadata of every object', () => {
    expect([...type.schema.fields.keys()]).toEqual(['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  });
});

describe('the table of a custom kind', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  const object = {
    apiVersion: 'stable.example.com/v1',
    kind: 'CronTab',
    metadata: { name: 'a', creationTimestamp: '2026-01-01T23:59:00Z' },
    spec: { replicas: 3, cronSpec: '* *', ratio: 0.5, on: true, hosts: ['a', 'b'] },
  } as KubeObject;
  const cellsOf = (additionalPrinterColumns?: readonly object[]): readonly unknown[] => {
    const type = typeOf(additionalPrinterColumns === undefined ? {} : { version: { additionalPrinterColumns } });
    return toTable(type, [object], { includeObject: 'None', now, metadata: {} }).rows[0]?.cells ?? [];
  };
  const column = (type: string, jsonPath: string): object => ({ name: 'X', type, jsonPath });

  test('has name and age when nothing is declared', () => {
    expect(cellsOf()).toEqual(['a', '60s']);
  });

  test.for<{ readonly type: string; readonly path: string; readonly shows: unknown }>([
    { type: 'string', path: '.spec.cronSpec', shows: '* *' },
    { type: 'string', path: '.spec.replicas', shows: '3' },
    { type: 'string', path: '.spec.hosts', shows: '["a","b"]' },
    { type: 'string', path: '.spec.hosts[*]', shows: 'a' },
    { type: 'integer', path: '.spec.replicas', shows: 3 },
    { type: 'integer', path: '.spec.cronSpec', shows: null },
    { type: 'number', path: '.spec.ratio', shows: 0.5 },
    { type: 'boolean', path: '.spec.on', shows: true },
    { type: 'date', path: '.metadata.creationTimestamp', shows: '60s' },
    { type: 'date', path: '.spec.cronSpec', shows: '<invalid>' },
    { type: 'string', path: '.spec.missing', shows: null },
  ])('a column of type $type at $path shows $shows', ({ type, path, shows }) => {
    expect(cellsOf([column(type, path)])).toEqual(['a', shows]);
  });

  test('keeps the priority that a column has', () => {
    const type = typeOf({ version: { additionalPrinterColumns: [{ ...column('string', '.spec.a'), priority: 2 }] } });
    expect(columnsOf(type).map((one) => one.priority ?? 0)).toEqual([0, 2]);
  });
});

test('the OpenAPI document names a custom kind by its reversed group and shows its schema', () => {
  const type = typeOf({ version: { subresources: { status: {} } } });
  const [document] = openApiDocuments([type]);
  expect(document?.path).toBe('apis/stable.example.com/v1');
  const { components, paths } = JSON.parse(document?.json.toString() ?? '{}') as {
    readonly components: { readonly schemas: Record<string, object> };
    readonly paths: Record<string, object>;
  };
  expect(components.schemas['com.example.stable.v1.CronTab']).toMatchObject({
    type: 'object',
    properties: { spec: { type: 'object', properties: { cronSpec: { type: 'string' } } }, kind: { type: 'string' } },
    'x-kubernetes-group-version-kind': [{ group: 'stable.example.com', version: 'v1', kind: 'CronTab' }],
  });
  expect(components.schemas['com.example.stable.v1.CronTabList']).toBeDefined();
  expect(Object.keys(paths)).toContain('/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}/status');
  const one = paths['/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}'] as {
    readonly patch: { readonly requestBody: { readonly content: object } };
  };
  // kubectl applies by a strategic merge patch where the document lists one, and custom kinds take none.
  expect(Object.keys(one.patch.requestBody.content)).not.toContain('application/strategic-merge-patch+json');
});
